/**
 * Reads a command line by the table of commands. Pure: no file, socket or environment.
 *
 * @module
 */
import { escapeUnsafe } from "../base/text.ts";
import { UsageError } from "../base/errors.ts";
import { shownUrl } from "../base/shown_url.ts";
import { parseValue, SHORT_FLAGS, sortWords } from "../cli/flags.ts";
import { didYouMean } from "../cli/nearest.ts";
import { anyText } from "../vocabulary/value_kind.ts";
import type { ArgumentSpec, CommandSpec, FlagSpec } from "./command.ts";
import {
  type Command,
  COMMANDS,
  COMMON_FLAGS,
  findCommand,
  VERSION_FLAG,
} from "./command_table.ts";
import { FlagValues } from "./flag_values.ts";

/** A command line that can be obeyed. */
export interface CommandLine {
  /** What is asked for. */
  readonly command: Command;
  /** Its flags, the common ones among them. */
  readonly flags: FlagValues;
  /** What was no flag, the command's name left out. */
  readonly args: readonly string[];
}

/**
 * Reads a command line. `--help` or `-h`, wherever it stands, and `--version` without a command become the
 * commands `help` and `version`; an empty line is `help`.
 *
 * @param words The arguments, as in `Deno.args`.
 * @throws {UsageError} What is wrong and what to write.
 */
export function readCommandLine(words: readonly string[]): CommandLine {
  const found = findCommandWord(words);
  if (found === undefined) return withoutCommand(words);
  const command = findCommand(found.word);
  if (command === undefined) throw unknownCommand(found.word);
  const rest = words.toSpliced(found.at, 1);
  const specs = [...COMMON_FLAGS, ...command.flags];
  const { flags, args } = readWords(rest, specs, command.name);
  if (flags.has("help")) return special("help", flags, [command.name]);
  checkArguments(command, args);
  return { command, flags, args };
}

/** The first word that is neither a flag nor a common flag's value. */
function findCommandWord(words: readonly string[]): { at: number; word: string } | undefined {
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--") return undefined;
    if (!word.startsWith("-")) return { at, word };
    const takesNext = COMMON_FLAGS.some(({ name, value }) =>
      value !== undefined && word === `--${name}`
    );
    if (takesNext) at++;
  }
  return undefined;
}

function withoutCommand(words: readonly string[]): CommandLine {
  const { flags, args } = readWords(words, [...COMMON_FLAGS, VERSION_FLAG], undefined);
  if (flags.has("version")) return special("version", flags, []);
  if (args.length > 0) throw unknownCommand(args[0] ?? "");
  if (flags.has("help") || words.length === 0) return special("help", flags, []);
  throw new UsageError("A command is missing; boltctl help lists them");
}

function special(name: string, flags: FlagValues, args: readonly string[]): CommandLine {
  const command = findCommand(name);
  if (command === undefined) throw unknownCommand(name);
  return { command, flags, args };
}

type Read = Omit<CommandLine, "command">;

function readWords(
  words: readonly string[],
  specs: readonly FlagSpec[],
  command: string | undefined,
): Read {
  const names = (wanted: boolean) =>
    specs.filter(({ value }) => (value !== undefined) === wanted).map(({ name }) => name);
  const { given, on, args } = sortWords(words, {
    values: names(true),
    switches: names(false),
    shorts: SHORT_FLAGS,
    unknown: (flag) => unknownFlag(flag, command, specs),
  });
  for (const { name, value } of specs) {
    const text = given.get(name);
    if (text !== undefined && value !== undefined) parseValue(`--${name}`, text, value.kind);
  }
  return { flags: new FlagValues(given, on), args };
}

function checkArguments({ name, argument }: CommandSpec, args: readonly string[]): void {
  const spec: ArgumentSpec = argument ??
    { placeholder: "", min: 0, max: 0, kind: anyText };
  const hint = `; see boltctl help ${name}`;
  if (args.length < spec.min) {
    throw new UsageError(`boltctl ${name} needs ${withArticle(spec.placeholder)}${hint}`);
  }
  if (args.length > spec.max) {
    const extra = shown(args[spec.max] ?? "");
    throw new UsageError(`boltctl ${name} does not take the argument ${extra}${hint}`);
  }
  for (const arg of args) {
    if (arg === "") throw new UsageError(`An argument of boltctl ${name} is empty${hint}`);
    parseValue(`boltctl ${name}`, arg, spec.kind);
  }
}

const withArticle = (word: string) => `${/^[AEIOU]/.test(word) ? "an" : "a"} ${word}`;

/** A word as it may be shown: a URL without its query and user. */
function shown(text: string): string {
  const safe = text.includes("://") ? shownUrl(text) : text;
  return escapeUnsafe(safe.length > 80 ? `${safe.slice(0, 80)}...` : safe);
}

function unknownFlag(
  flag: string,
  command: string | undefined,
  specs: readonly FlagSpec[],
): UsageError {
  const help = command === undefined ? "boltctl help" : `boltctl help ${command}`;
  const meant = didYouMean(flag, specs.map(({ name }) => `--${name}`)) || ";";
  return new UsageError(`Unknown flag: ${shown(flag)}${meant} see ${help}`);
}

/** The error for a word that is no command. */
export function unknownCommand(word: string): UsageError {
  const meant = didYouMean(word, COMMANDS.map(({ name }) => name)) || ";";
  return new UsageError(`Unknown command: ${shown(word)}${meant} boltctl help lists all commands`);
}
