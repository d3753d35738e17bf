/**
 * Help, written from the table of commands. Pure.
 *
 * @module
 */
import { commandLine, fill, rows, wrap } from "../cli/help_layout.ts";
import { choicesOf } from "../vocabulary/value_kind.ts";
import type { ArgumentSpec, CommandSpec, FlagSpec, ValueSpec } from "./command.ts";
import { COMMANDS, COMMON_FLAGS, VERSION_FLAG } from "./command_table.ts";
import { EXIT_MEANINGS } from "./exit_codes.ts";

/** Lines of `boltctl help`. */
export function overview(): string[] {
  return [
    "boltctl: the command-line client of bolt-daemon",
    "",
    "Usage: boltctl COMMAND [FLAGS] [ARGUMENTS]",
    "",
    "Commands:",
    ...rows(COMMANDS.map(({ name, summary }) => [name, summary])),
    "",
    "Flags of every command:",
    ...rows(COMMON_FLAGS.map(flagRow)),
    "",
    "Without a command:",
    ...rows([flagRow(VERSION_FLAG)]),
    "",
    "Exit codes:",
    ...rows(EXIT_MEANINGS.map(([code, meaning]) => [String(code), meaning])),
    "",
    "boltctl help COMMAND explains a command.",
  ];
}

/** Lines of `boltctl help COMMAND`. */
export function commandHelp(command: CommandSpec): string[] {
  return [
    `${command.summary}.`,
    "",
    ...usage(command),
    "",
    ...command.details.flatMap((paragraph) => wrap(paragraph)),
    ...section("Flags:", rows(command.flags.map(flagRow))),
    ...section("Flags of every command:", rows(COMMON_FLAGS.map(flagRow))),
    ...section(
      "Examples:",
      command.examples.flatMap((example) => commandLine(`boltctl ${example}`)),
    ),
  ];
}

/** A command, for programs. */
export function helpObject({ name, summary, argument, flags }: CommandSpec): unknown {
  return {
    name,
    summary,
    ...(argument === undefined ? {} : {
      argument: { placeholder: argument.placeholder, min: argument.min, max: argument.max },
    }),
    flags: [...flags, ...COMMON_FLAGS].map(({ name, summary, value }) => ({
      name,
      summary,
      ...(value === undefined ? {} : { value: value.placeholder }),
    })),
  };
}

/** `Usage: boltctl ...`, wrapped and indented. */
function usage({ name, flags, argument }: CommandSpec): string[] {
  const first = `Usage: boltctl ${name}`;
  const words = flags.map((flag) => `[${flagWord(flag)}]`);
  if (argument !== undefined) words.push(argumentWord(argument));
  return fill(first, words, " ".repeat(first.length + 1));
}

function argumentWord({ placeholder, min, max }: ArgumentSpec): string {
  const word = max > 1 ? `${placeholder}...` : placeholder;
  return min === 0 ? `[${word}]` : word;
}

/** Longest that a flag is written with all words that it takes. */
const LONGEST_FLAG = 36;

/** How a flag is written; `WORD` stands for words that are too many. */
export function flagWord({ name, value }: FlagSpec): string {
  if (value === undefined) return `--${name}`;
  const whole = `--${name} ${value.placeholder}`;
  return isTooLong(whole, value) ? `--${name} WORD` : whole;
}

const isTooLong = (whole: string, { kind }: ValueSpec): boolean =>
  choicesOf(kind) !== undefined && whole.length > LONGEST_FLAG;

function flagRow(flag: FlagSpec): readonly [string, string] {
  const { name, value, summary } = flag;
  const word = flagWord(flag);
  if (value === undefined || !isTooLong(`--${name} ${value.placeholder}`, value)) {
    return [word, summary];
  }
  return [word, `${summary}: ${choicesOf(value.kind)?.join(", ")}`];
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ["", title, ...lines];
