/**
 * Tables of flags: a program's flags once, from which its command line is read, its options' type
 * derived, and its documentation checked. Pure.
 *
 * @module
 */
import type { ValueKind } from "./value_kind.ts";

/** A flag with a value. Its name is the option's, with hyphens: `maxPeers` is `--max-peers`. */
export interface FlagEntry {
  /** How its value is parsed, and what is expected. */
  readonly kind: ValueKind<unknown>;
  /** Its value where it is not given; absent: none. */
  readonly default?: unknown;
  /** It must be given; this is said where it is not. */
  readonly required?: string;
  /** It may be given more than once: the option is a list, empty where it is not given. */
  readonly repeats?: true;
}

/** The flags of a program by the name of the option. */
export type FlagTable = { readonly [option: string]: FlagEntry };

/** A flag that help explains. */
export interface DescribedFlag extends FlagEntry {
  /** What it is for: one line, no full stop. */
  readonly about: string;
  /** The word that stands for its value; absent where the kind's words do. */
  readonly placeholder?: string;
}

/** The flags of a program that has help. */
export type DescribedFlagTable = { readonly [option: string]: DescribedFlag };

/**
 * What a flag gives.
 * @internal
 */
export type GivenBy<F> = F extends { readonly kind: ValueKind<infer T> }
  ? F extends { readonly repeats: true } ? readonly T[] : T
  : never;
/**
 * The options that are always there: their flags have a default, are required, or repeat.
 * @internal
 */
export type SureOptions<T extends FlagTable> = {
  [O in keyof T]: T[O] extends
    | { readonly default: unknown }
    | { readonly required: string }
    | { readonly repeats: true } ? O
    : never;
}[keyof T];

/** The options that a table's flags give: those without default and not required may be absent. */
export type OptionsOf<T extends FlagTable> =
  & { readonly [O in SureOptions<T>]: GivenBy<T[O]> }
  & { readonly [O in Exclude<keyof T, SureOptions<T>>]?: GivenBy<T[O]> };

/** A flag's name of an option's: `maxPeers` is `max-peers`. */
export function flagName(option: string): string {
  return option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
