/**
 * The rule by which a peer's files are accepted unasked, as people read it.
 *
 * @module
 */
import type { AcceptRule } from "../../vocabulary/accept_rule.ts";
import { formatBytes } from "./units.ts";

/** What a file must meet, in one line; empty for nothing. */
export function ruleText({ maxSize, names, minFree, perDay, unpack }: AcceptRule): string {
  return [
    maxSize === undefined ? "" : `up to ${formatBytes(maxSize)}`,
    names === undefined ? "" : `named ${names}`,
    minFree === undefined ? "" : `while ${formatBytes(minFree)} stay free`,
    perDay === undefined ? "" : `at most ${perDay} a day`,
    unpack === true ? "archives unpacked" : "",
  ].filter((part) => part !== "").join(", ");
}
