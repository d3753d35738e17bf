/**
 * Reading flags of the form `--flag value` or `--flag=value`, switches, and arguments.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { UsageError } from "../base/errors.ts";
import { LOG_FORMATS, type LogFormat } from "../log/log.ts";
import { shownUrl } from "../base/shown_url.ts";
import { didYouMean } from "./nearest.ts";
import { flagName, type FlagTable, type OptionsOf } from "../vocabulary/flag_table.ts";
import type { ValueKind } from "../vocabulary/value_kind.ts";

/** Which words of a command line are flags. */
export interface WordSpec {
  /** Flags with a value, without the dashes. */
  readonly values: readonly string[];
  /** Those of them that may be given more than once. @default {[]} */
  readonly repeated?: readonly string[];
  /** Flags without a value. @default {[]} */
  readonly switches?: readonly string[];
  /** Flags by their short forms, dash and all. @default {none} */
  readonly shorts?: { readonly [short: string]: string };
  /** The error for a flag that is none of these. */
  readonly unknown: (flag: string) => UsageError;
}

/** What has a short form, where a program explains itself. */
export const SHORT_FLAGS = { "-h": "--help" } as const;

/** Words sorted by what they are. */
export interface SortedWords {
  /** The given values, by flag name without the dashes; of flags that are not repeated. */
  readonly given: ReadonlyMap<string, string>;
  /** All values of flags that may be repeated, by name, in order. */
  readonly lists: ReadonlyMap<string, readonly string[]>;
  /** Flags without a value that are on. */
  readonly on: ReadonlySet<string>;
  /** What is no flag; after `--`, every word. */
  readonly args: readonly string[];
}

/** The log format that a command line asks for, be the rest of it good or not. */
export function askedLogFormat(words: readonly string[]): LogFormat {
  const asked = words.map((word, i) =>
    word === "--log-format" ? words[i + 1] : /^--log-format=(.*)$/.exec(word)?.[1]
  );
  return LOG_FORMATS.find((format) => asked.includes(format)) ?? "text";
}

/** A word that is no flag, without what it may hold of secrets: the query and the user of a URL. */
function shownWord(word: string): string {
  return word.includes("://") ? shownUrl(word) : word.split("=")[0] ?? "";
}

/**
 * Sorts words into flags and arguments; each flag at most once, but for those that may be repeated.
 *
 * @throws {UsageError} When a flag is unknown, given twice, or without a usable value.
 */
export function sortWords(words: readonly string[], spec: WordSpec): SortedWords {
  const { values, switches = [], repeated = [] } = spec;
  const { joined, args } = joinValues(words, spec);
  const all = [...values, ...switches];
  const parsed = parseArgs(joined, { string: values, boolean: switches, collect: all });
  const given = new Map<string, string>();
  const lists = new Map<string, readonly string[]>();
  const on = new Set<string>();
  for (const flag of all) {
    const found: unknown = parsed[flag];
    if (!Array.isArray(found) || found.length === 0) continue;
    const isSwitch = switches.includes(flag);
    if (repeated.includes(flag)) {
      lists.set(flag, found.map(String));
    } else if (found.length > 1) {
      const takes = isSwitch ? "it is taken once" : "it takes one value";
      throw new UsageError(`--${flag} is given ${found.length} times, ${takes}`);
    }
    if (isSwitch) on.add(flag);
    else given.set(flag, String(found[0]));
  }
  return { given, lists, on, args };
}

/**
 * Writes `--flag value` as `--flag=value`, so that no parser has to guess whether a word is a value
 * (`-` is one), refuses what would be guessed wrong, and sets arguments apart.
 */
function joinValues(
  words: readonly string[],
  { values, switches = [], shorts = {}, unknown }: WordSpec,
): { readonly joined: string[]; readonly args: string[] } {
  const joined: string[] = [];
  const args: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (word === "--") return { joined, args: [...args, ...words.slice(i + 1)] };
    if (!word.startsWith("-") || word === "-") {
      args.push(word);
      continue;
    }
    const [given = "", ...inline] = word.split("=");
    const flag = Object.hasOwn(shorts, given) ? shorts[given] ?? given : given;
    const name = flag.startsWith("--") ? flag.slice(2) : "";
    if (switches.includes(name)) {
      if (inline.length > 0) throw new UsageError(`${flag} takes no value`);
      joined.push(flag);
      continue;
    }
    if (!values.includes(name)) throw unknown(flag);
    const value = inline.length > 0 ? inline.join("=") : nextValue(flag, words[++i]);
    if (value === "") throw new UsageError(`${flag} requires a value that is not empty`);
    joined.push(`${flag}=${value}`);
  }
  return { joined, args };
}

function nextValue(flag: string, next: string | undefined): string {
  if (next === undefined) throw new UsageError(`${flag} requires a value`);
  if (!/^-(?!\d|$)/.test(next)) return next;
  throw new UsageError(
    `${flag} requires a value, but ${next} looks like a flag: write ${flag}=${next} to mean it`,
  );
}

/** The options that the words give by a table of flags, and the names of the flags among them. */
export interface ReadOptions<T extends FlagTable> {
  /** Each option that is given or has a default. */
  readonly options: OptionsOf<T>;
  /** The options whose flags are given. */
  readonly given: ReadonlySet<keyof T>;
}

/**
 * Reads words by a table of flags.
 *
 * @throws {UsageError} When one is unknown, given twice, without a usable value, or missing; the first
 * of the table first.
 */
export function readOptions<T extends FlagTable>(
  args: readonly string[],
  table: T,
): ReadOptions<T> {
  const names = Object.keys(table);
  const unknown = (word: string) => new UsageError(`Unknown argument: ${word}`);
  const flags = names.map((name) => `--${flagName(name)}`);
  if (args.includes("--")) throw unknown("--");
  const words = sortWords(args, {
    values: names.map(flagName),
    repeated: names.filter((name) => table[name]?.repeats).map(flagName),
    unknown: (flag) =>
      new UsageError(
        `Unknown argument: ${flag}${flag.startsWith("--") ? didYouMean(flag, flags) : ""}`,
      ),
  });
  const [stray] = words.args;
  if (stray !== undefined) throw unknown(shownWord(stray));
  const options: { [option: string]: unknown } = {};
  const given = new Set<keyof T>();
  for (const name of names) {
    const spec = table[name];
    if (spec === undefined) continue;
    const text = words.given.get(flagName(name));
    if (spec.repeats) {
      const list = words.lists.get(flagName(name)) ?? [];
      options[name] = list.map((one) => parseValue(`--${flagName(name)}`, one, spec.kind));
      if (list.length > 0) given.add(name);
    } else if (text !== undefined) {
      options[name] = parseValue(`--${flagName(name)}`, text, spec.kind);
      given.add(name);
    } else if (spec.required !== undefined) throw new UsageError(spec.required);
    else if (spec.default !== undefined) options[name] = spec.default;
  }
  // Each member has just been made by the kind that its type is derived from.
  return { options: options as OptionsOf<T>, given };
}

/**
 * A text as a value of a kind.
 *
 * @param what What takes it, e.g. `--room`.
 * @throws {UsageError} When it is none.
 */
export function parseValue<T>(what: string, text: string, kind: ValueKind<T>): T {
  const value = kind.parse(text);
  if (value !== undefined) return value;
  const { expects, shown } = kind;
  throw new UsageError(
    shown === undefined
      ? `${what} takes ${expects}, not ${JSON.stringify(cut(text))}`
      : `${what} takes ${expects}; what was given is ${cut(shown(text))}`,
  );
}

const cut = (text: string): string => text.length > 80 ? `${text.slice(0, 80)}...` : text;
