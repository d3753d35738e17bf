/**
 * Rules by which a peer's files are accepted without asking: all that is asked of a file, where
 * anything is.
 *
 * @module
 */
import { textThat, type ValueKind, type WholeNumber, wholeNumber } from "./value_kind.ts";

/** What a file must meet to be accepted without asking; absent members ask nothing. */
export interface AcceptRule {
  /** Most bytes of the file. */
  readonly maxSize?: number;
  /** A pattern that fits its name, as `globFits` has it. */
  readonly names?: string;
  /** Fewest bytes that stay free in the inbox when all of it is there. */
  readonly minFree?: number;
  /** Most files that are taken by the rule in a day of UTC. */
  readonly perDay?: number;
  /** Whether archives are unpacked when they have arrived. */
  readonly unpack?: boolean;
}

/** Longest pattern, in characters: as long as a name may be. */
const MAX_PATTERN = 255;

/** Bytes, as a whole number. */
export const byteCount: WholeNumber = wholeNumber(1, Number.MAX_SAFE_INTEGER, "bytes");

/** Files in a day. */
export const filesPerDay: WholeNumber = wholeNumber(1, 1_000_000, "files");

/** A pattern of names. */
export const namePattern: ValueKind<string> = textThat(
  `a pattern of 1 to ${MAX_PATTERN} characters: * for any or none, ? for one, no slash`,
  (text) =>
    text !== "" && [...text].length <= MAX_PATTERN && text.isWellFormed() &&
    !/[/\p{Cc}]/u.test(text),
);

const UNITS = ["", "K", "M", "G", "T"];

/** Bytes, as people write them: `500`, `100M`, `2G`. */
export const byteSize: ValueKind<number> = {
  expects: "a whole number of bytes from 1 up, or of K, M, G or T (1024 times as much each)",
  parse(text) {
    const [, digits, unit = ""] = /^(\d+)([KMGT]?)$/.exec(text) ?? [];
    if (digits === undefined) return undefined;
    return byteCount.parse(String(Number(digits) * 1024 ** UNITS.indexOf(unit)));
  },
};
