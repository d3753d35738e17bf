/**
 * What a peer calls itself, so that it can't pass for words of ours.
 *
 * @module
 */
import type { PeerText } from "../../ipc/api/peer_text.ts";
import { cutToPieces } from "./width.ts";

// Quotation marks, and what looks like them: only the two around the name are ours.
const QUOTES = /["“-‟″‶〃〝-〟＂ʺˮ״]/gu;
// No script needs as many marks on one character; piled up they are drawn over other lines.
const PILED_MARKS = /(?<=\p{M}{4})\p{M}/gu;
const ESCAPE = String.raw`\\u\{[0-9a-f]{1,6}\}`;
const REPEATED_ESCAPE = new RegExp(`(${ESCAPE})\\1+`, "gu");
const PIECES = new RegExp(`${ESCAPE}|\\P{M}\\p{M}*|\\p{M}+`, "gsu");
/** Columns that a name has in a sentence, with its quotation marks. */
export const NAME_COLUMNS = 30;
/** Columns of the two quotation marks. */
const QUOTED = 2;

const spell = (c: string): string => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`;

/**
 * The name on one line: blanks in a row are one, escapes in a row too, and marks that are piled up
 * are spelled out.
 */
export function plainName(name: PeerText): string {
  return name.replace(/\p{Zs}+/gu, " ").replace(PILED_MARKS, spell)
    .replace(REPEATED_ESCAPE, "$1");
}

/**
 * The name between quotation marks that it can't end, in at most `columns` columns: cut with an
 * ellipsis, never within an escape or between a character and its marks.
 *
 * @param columns At least 4.
 */
export function quotedName(name: PeerText, columns: number): string {
  const text = plainName(name).replace(QUOTES, spell);
  return `"${cutToPieces(text.match(PIECES) ?? [], columns - QUOTED)}"`;
}
