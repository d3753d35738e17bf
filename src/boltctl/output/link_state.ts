/**
 * How a link is, for people.
 *
 * @module
 */
import type { LinkView } from "../../ipc/api/schemas.ts";
import { formatSeconds } from "./units.ts";

/** What of a link is shown with its peer, too. */
export type ShownLink = Pick<LinkView, "state" | "nextTryAt" | "failure">;

/** In a table: `trying, next in 0:12`. */
export function linkStateInShort({ state, nextTryAt }: ShownLink, now: number): string {
  if (nextTryAt === undefined) return state;
  const seconds = Math.max(0, (Date.parse(nextTryAt) - now) / 1000);
  return `${state}, next in ${formatSeconds(seconds)}`;
}

/** With the reason behind it. */
export function linkStateInFull(link: ShownLink, now: number): string {
  const state = linkStateInShort(link, now);
  return link.failure === undefined ? state : `${state}: ${link.failure.message}`;
}
