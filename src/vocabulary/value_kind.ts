/**
 * Kinds of values that people and programs write: for each kind one parser, which flags of both
 * programs and the local API use. Pure.
 *
 * @module
 */

/** A kind of value. */
export interface ValueKind<T> {
  /** What it takes, so that "--flag takes" and "must be" can stand before it. */
  readonly takes: string;
  /** The value in its normal form; undefined when the text is no such value. */
  readonly parse: (text: string) => T | undefined;
  /** A refused text as it may be shown, where it may hold a secret. @default {the text itself} */
  readonly shown?: (text: string) => string;
}

/** One word of a list. */
export interface Choice<T extends string> extends ValueKind<T> {
  /** The words, in the order in which they are shown. */
  readonly choices: readonly T[];
}

/** A whole number within bounds. */
export interface WholeNumber extends ValueKind<number> {
  /** The least. */
  readonly min: number;
  /** The greatest. */
  readonly max: number;
}

/** What a kind's values are. */
export type ValueOf<K> = K extends ValueKind<infer T> ? T : never;

/** The kind whose values are these words, case and all. */
export function oneOf<const T extends string>(choices: readonly T[]): Choice<T> {
  return {
    choices,
    takes: `one of ${choices.join(", ")}`,
    parse: (text) => choices.find((choice) => choice === text),
  };
}

/**
 * The kind of whole numbers from `min` to `max`, written in digits only (`1e3`, `+5` and `0x10` are
 * refused).
 *
 * @param unit What is counted, e.g. `seconds`.
 */
export function wholeNumber(min: number, max: number, unit = ""): WholeNumber {
  const of = unit === "" ? "" : ` of ${unit}`;
  const digits = min < 0 ? /^-?\d+$/ : /^\d+$/;
  return {
    min,
    max,
    takes: `a whole number${of} from ${min} to ${max}`,
    parse(text) {
      const number = digits.test(text) ? Number(text) : NaN;
      return number >= min && number <= max ? number : undefined;
    },
  };
}

/** The kind of texts that a rule lets pass as they are. */
export function textThat(takes: string, passes: (text: string) => boolean): ValueKind<string> {
  return { takes, parse: (text) => passes(text) ? text : undefined };
}

/** Any text at all. */
export const anyText: ValueKind<string> = textThat("a text", () => true);

/** A path, as the system takes it. */
export const path: ValueKind<string> = textThat("a path", (text) => text !== "");

/** The words that a kind's values are, where they are words of a list. */
export function choicesOf(kind: ValueKind<unknown>): readonly string[] | undefined {
  return "choices" in kind ? (kind as Choice<string>).choices : undefined;
}
