/**
 * Values of flags, as commands read them.
 *
 * @module
 */
import type { ValueKind } from "../vocabulary/value_kind.ts";

/** The values of a command's flags: every name is one of its specification. */
export class FlagValues {
  readonly #given: ReadonlyMap<string, string>;
  readonly #on: ReadonlySet<string>;

  /** Takes values that are already checked, and the switches that are on. */
  constructor(given: ReadonlyMap<string, string>, on: ReadonlySet<string>) {
    this.#given = given;
    this.#on = on;
  }

  /** Whether a switch is on, or a flag is given. */
  has(name: string): boolean {
    return this.#on.has(name) || this.#given.has(name);
  }

  /** The text of a flag, if it is given. */
  text(name: string): string | undefined {
    return this.#given.get(name);
  }

  /** The number of an integer flag, if it is given. */
  integer(name: string): number | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : Number(value);
  }

  /** The value of a flag that takes this kind, in its normal form, if it is given. */
  value<T>(name: string, kind: ValueKind<T>): T | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : kind.parse(value);
  }
}
