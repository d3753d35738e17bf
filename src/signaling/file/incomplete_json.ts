/**
 * Telling a half-written JSON file from one that is no JSON.
 *
 * @module
 */

/**
 * Whether text may be the beginning of a JSON object whose rest has yet to be written: it is empty,
 * or starts an object that is still open where the text ends.
 */
export function mayBeIncomplete(text: string): boolean {
  const trimmed = text.trimStart();
  if (trimmed === "") return true;
  if (!trimmed.startsWith("{")) return false;
  let depth = 0;
  let inString = false;
  for (let i = 0; i < trimmed.length; i++) {
    const c = trimmed[i];
    if (inString) {
      if (c === "\\") i++;
      else if (c === '"') inString = false;
    } else if (c === '"') inString = true;
    else if (c === "{" || c === "[") depth++;
    else if ((c === "}" || c === "]") && --depth === 0) return false;
  }
  return true;
}
