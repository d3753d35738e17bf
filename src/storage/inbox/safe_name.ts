/**
 * From a name that a peer sent to one that may be made in the inbox. Pure.
 *
 * Refused is what no honest file is called: a path (`/` anywhere, `.`, `..`), NUL, text that is not
 * Unicode, over 1024 bytes, or nothing that shows. Changed, because people do have such files:
 *
 * - Unicode to NFC, so that one name has one spelling;
 * - control characters and line ends, invisible and bidi characters, blanks that are not drawn as
 *   such (U+2800, U+3164), and what Windows forbids (`< > : " | ? * \`, so drive letters, alternate
 *   streams and its separator too), to `_`, each; the joiners U+200C and U+200D and the variation
 *   selectors of emoji stay between other characters;
 * - eight blanks in a row and more, which hide an extension, to one `_`;
 * - spaces at either end and dots at the end away, as Windows would do it behind our back;
 * - `_` before a leading `.` (hidden files, and our own `.<id>.part`), `-` (options) or `~` (shells),
 *   and before names that Windows gives to devices or obeys (`CON`, `com1.txt`, `desktop.ini`);
 * - the part before the extension cut, so that the whole with a number stays within 255 bytes.
 *
 * docs/SECURITY.md has the table.
 *
 * @module
 */

/** Why a name is refused. */
export type NameRefusal = "empty" | "path" | "nul" | "malformed" | "too-long";

/** The same as a part of a sentence, for the operator and for the peer. */
export const REFUSALS: Readonly<Record<NameRefusal, string>> = {
  empty: "it has nothing that shows",
  path: "it is a path",
  nul: "it holds a NUL",
  malformed: "it is not Unicode text",
  "too-long": "it is longer than 1024 bytes",
};

/** A name that is safe to make in a folder of ours, or why there is none. */
export type SafeName =
  | { readonly safe: true; readonly name: string }
  | { readonly safe: false; readonly reason: NameRefusal };

/** Longest name of nearly all file systems, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 255;
/** Highest number that {@linkcode numberedName} may put in. */
export const MAX_NUMBER = 9999;

const MAX_RECEIVED_BYTES = 1024;
const MAX_SAFE_BYTES = MAX_NAME_BYTES - ` (${MAX_NUMBER})`.length;
const MAX_EXTENSION_BYTES = 32;

/** Control characters and line ends. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/gu;
/**
 * What is not drawn, or as an empty place that is no space: format characters but the joiners, what
 * is to be ignored where it can't be drawn but variation selectors, the empty Braille pattern, and
 * what no character is assigned to (macOS refuses it).
 */
const INVISIBLE = new RegExp(
  "(?![\\u200c\\u200d\\ufe00-\\ufe0f\\u{e0100}-\\u{e01ef}])" +
    "[\\p{Cf}\\p{Cn}\\p{Default_Ignorable_Code_Point}\\u2800]",
  "gu",
);
const FORBIDDEN = /[<>:"|?*\\]/g;
const MANY_BLANKS = /\p{Zs}{8,}/gu;
/** A joiner with nothing to join. */
const LOOSE_JOINER = /^[\u200c\u200d]+|[\u200c\u200d]+$/g;
const VISIBLE = /(?![\p{Default_Ignorable_Code_Point}\u2800])[\p{L}\p{N}\p{S}\p{P}]/u;
const LEADING = /^[.\-~]/;
const DEVICE =
  /^(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:\.|$)/i;
const OBEYED = /^(?:desktop\.ini|autorun\.inf)$/i;

const byteLength = (text: string): number => new TextEncoder().encode(text).length;

/** The longest start of `text` that takes at most `limit` bytes and ends between characters. */
function cutTo(text: string, limit: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(limit));
  return text.slice(0, read);
}

/** Stem and extension (with its dot, empty when there is none). */
function split(name: string): readonly [stem: string, extension: string] {
  const dot = name.lastIndexOf(".");
  const extension = dot > 0 ? name.slice(dot) : "";
  const kept = byteLength(extension) <= MAX_EXTENSION_BYTES ? extension : "";
  return [name.slice(0, name.length - kept.length), kept];
}

/** Takes away what must not stand at an end, until nothing is left to take away. */
function trim(name: string): string {
  const trimmed = name.replace(LOOSE_JOINER, "").replace(/^\p{Zs}+|[\p{Zs}.]+$/gu, "");
  return trimmed === name ? name : trim(trimmed);
}

function fit(name: string): string {
  const [stem, extension] = split(name);
  return trim(cutTo(stem, MAX_SAFE_BYTES - byteLength(extension)) + extension);
}

/**
 * The name to give a received file.
 *
 * What comes out never holds a separator or control character, is neither `.` nor `..`, takes at
 * most 255 bytes with any number that {@linkcode numberedName} puts in, and comes out of this
 * function as it went in.
 *
 * @param received Hostile text.
 */
export function safeName(received: string): SafeName {
  const refuse = (reason: NameRefusal): SafeName => ({ safe: false, reason });
  if (!received.isWellFormed()) return refuse("malformed");
  if (byteLength(received) > MAX_RECEIVED_BYTES) return refuse("too-long");
  if (received.includes("\0")) return refuse("nul");
  if (received.includes("/") || /^\.{1,2}$/.test(received)) return refuse("path");
  if (!VISIBLE.test(received)) return refuse("empty");
  const mended = received.normalize("NFC").replace(CONTROL, "_").replace(INVISIBLE, "_")
    .replace(FORBIDDEN, "_").replace(MANY_BLANKS, "_");
  const fitting = fit(trim(mended));
  if (!VISIBLE.test(fitting)) return refuse("empty");
  const isSpecial = LEADING.test(fitting) || DEVICE.test(fitting) || OBEYED.test(fitting);
  return { safe: true, name: isSpecial ? fit(`_${fitting}`) : fitting };
}

/**
 * A safe name with a number in it: `photo.jpg` and 2 give `photo (2).jpg`; 0 leaves it as it is.
 *
 * @param name From {@linkcode safeName}.
 * @param number 0 to {@linkcode MAX_NUMBER}.
 */
export function numberedName(name: string, number: number): string {
  if (number === 0) return name;
  const [stem, extension] = split(name);
  return `${stem} (${number})${extension}`;
}

/**
 * The form in which names are compared: file systems may take names that differ in case or Unicode
 * form for one. Of a name put together at a space or dot it is the keys of the pieces put together.
 */
export function collisionKey(name: string): string {
  return name.normalize("NFC").toLowerCase().toUpperCase().normalize("NFC");
}

/** Finds the numbers that are taken, going once over the names in a folder. */
export class TakenNumbers {
  readonly #start: string;
  readonly #end: string;
  readonly #numbers = new Set<number>();

  /**
   * Nothing is taken yet.
   *
   * @param name From {@linkcode safeName}.
   */
  constructor(name: string) {
    const [stem, extension] = split(name);
    this.#start = collisionKey(stem);
    this.#end = collisionKey(extension);
  }

  /** Takes note of a name in the folder: at most {@linkcode MAX_NUMBER} + 1 are remembered. */
  see(existing: string): void {
    const key = collisionKey(existing);
    if (key.length < this.#start.length + this.#end.length) return;
    if (!key.startsWith(this.#start) || !key.endsWith(this.#end)) return;
    const middle = key.slice(this.#start.length, key.length - this.#end.length);
    if (middle === "") this.#numbers.add(0);
    const number = /^ \(([1-9]\d{0,3})\)$/.exec(middle)?.[1];
    if (number !== undefined) this.#numbers.add(Number(number));
  }

  /** Takes note of a number. */
  add(number: number): void {
    this.#numbers.add(number);
  }

  /** The lowest number that is not taken, or undefined when all are. */
  lowestFree(): number | undefined {
    for (let number = 0; number <= MAX_NUMBER; number++) {
      if (!this.#numbers.has(number)) return number;
    }
    return undefined;
  }
}
