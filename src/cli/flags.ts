/**
 * Reading flags of the form `--flag value` or `--flag=value`, each with exactly one value.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { UsageError } from "../base/errors.ts";

/** Values by flag, without the dashes. */
export type Given<Flag extends string> = { readonly [flag in Flag]?: string };

/**
 * The flags by name, each at most once and each with a value that is not empty.
 *
 * @throws {UsageError} When one is unknown, given twice, or without a usable value.
 */
export function readFlags<Flag extends string>(
  args: readonly string[],
  flags: readonly Flag[],
): Given<Flag> {
  const parsed = parseArgs(joinValues(args, flags), { string: flags, collect: flags });
  const given: { [flag in Flag]?: string } = {};
  for (const flag of flags) {
    const values: unknown = parsed[flag];
    if (!Array.isArray(values) || values.length === 0) continue;
    if (values.length > 1) {
      throw new UsageError(`--${flag} is given ${values.length} times, it takes one value`);
    }
    given[flag] = String(values[0]);
  }
  return given;
}

/**
 * Writes `--flag value` as `--flag=value`, so that no parser has to guess whether a word is a value
 * (`-` is one), and refuses what would be guessed wrong.
 */
function joinValues(args: readonly string[], flags: readonly string[]): string[] {
  const joined: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    const [flag = "", ...inline] = arg.split("=");
    if (!flags.includes(flag.slice(2)) || !flag.startsWith("--")) {
      throw new UsageError(`Unknown argument: ${flag}`);
    }
    let value = inline.join("=");
    if (inline.length === 0) {
      const next = args[++i];
      if (next === undefined) throw new UsageError(`${flag} requires a value`);
      if (/^-(?!\d|$)/.test(next)) {
        throw new UsageError(
          `${flag} requires a value, but ${next} looks like a flag: write ${flag}=${next} to mean it`,
        );
      }
      value = next;
    }
    if (value === "") throw new UsageError(`${flag} requires a value that is not empty`);
    joined.push(`${flag}=${value}`);
  }
  return joined;
}

/**
 * A flag's value, one of those allowed; undefined when it was not given.
 *
 * @throws {UsageError} When it is another.
 */
export function oneOf<Flag extends string, T extends string>(
  given: Given<Flag>,
  flag: Flag,
  allowed: readonly T[],
): T | undefined {
  const value = given[flag];
  if (value === undefined) return undefined;
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw wrongValue(flag, value, `one of ${allowed.join(", ")}`);
  return found;
}

/**
 * A flag's value, a whole number in digits only; undefined when it was not given.
 *
 * @throws {UsageError} When it is no such number, or outside the bounds.
 */
export function wholeNumber<Flag extends string>(
  given: Given<Flag>,
  flag: Flag,
  [min, max]: readonly [number, number],
  unit = "",
): number | undefined {
  const value = given[flag];
  if (value === undefined) return undefined;
  const number = /^\d+$/.test(value) ? Number(value) : NaN;
  if (number >= min && number <= max) return number;
  throw wrongValue(flag, value, `a whole number${unit} from ${min} to ${max}`);
}

/** The error for a value that a flag does not take. */
export function wrongValue(flag: string, value: string, takes: string): UsageError {
  const shown = value.length > 80 ? `${value.slice(0, 80)}...` : value;
  return new UsageError(`--${flag} takes ${takes}, not ${JSON.stringify(shown)}`);
}
