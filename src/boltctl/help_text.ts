/**
 * Help, written from the table of commands. Pure.
 *
 * @module
 */
import { choicesOf } from "../vocabulary/value_kind.ts";
import type { ArgumentSpec, CommandSpec, FlagSpec } from "./command.ts";
import { COMMANDS, COMMON_FLAGS, VERSION_FLAG } from "./command_table.ts";
import { EXIT_MEANINGS } from "./exit_codes.ts";

/** Columns of help, whatever the terminal's. */
const COLUMNS = 88;

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
    ...command.details.flatMap(wrap),
    ...section("Flags:", rows(command.flags.map(flagRow))),
    ...section("Flags of every command:", rows(COMMON_FLAGS.map(flagRow))),
    ...section("Examples:", command.examples.map((example) => `  boltctl ${example}`)),
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

/** A paragraph in lines. */
const wrap = (paragraph: string): string[] => fill("", paragraph.split(" "), "");

/** Words in lines after a first word, each line but the first indented. */
function fill(first: string, words: readonly string[], indent: string): string[] {
  const lines: string[] = [];
  let line = first;
  for (const word of words) {
    if (line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line += line === "" ? word : ` ${word}`;
  }
  return [...lines, line];
}

function argumentWord({ placeholder, min, max }: ArgumentSpec): string {
  const word = max > 1 ? `${placeholder}...` : placeholder;
  return min === 0 ? `[${word}]` : word;
}

/** How a flag is written. */
export const flagWord = ({ name, value }: FlagSpec): string =>
  value === undefined ? `--${name}` : `--${name} ${value.placeholder}`;

function flagRow(flag: FlagSpec): readonly [string, string] {
  const words = flag.value === undefined ? undefined : choicesOf(flag.value.kind);
  if (words !== undefined && flagWord(flag).length > 36) {
    return [`--${flag.name} WORD`, `${flag.summary}: ${words.join(", ")}`];
  }
  return [flagWord(flag), flag.summary];
}

function rows(entries: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...entries.map(([word]) => word.length));
  return entries.map(([word, meaning]) => `  ${word.padEnd(width)}  ${meaning}`);
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ["", title, ...lines];
