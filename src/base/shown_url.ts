/**
 * Addresses as they may be shown: without what is often a secret.
 *
 * @module
 */

/**
 * A URL without user name, password, query and fragment, for logs and messages. That there was a
 * query is told by `?...`.
 */
export function shownUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || url.host === "") return "(no valid URL)";
  return `${url.protocol}//${url.host}${url.pathname}${url.search === "" ? "" : "?..."}`;
}
