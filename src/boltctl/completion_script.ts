/**
 * Completion scripts for shells, written from the table of commands. Pure.
 *
 * @module
 */
import { choicesOf, path, type ValueKind } from "../vocabulary/value_kind.ts";
import type { FlagSpec, ValueSpec } from "./command.ts";
import { type Command, COMMANDS, COMMON_FLAGS, VERSION_FLAG } from "./command_table.ts";

/** Shells that are written for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
/** One of {@linkcode SHELLS}. */
export type Shell = typeof SHELLS[number];

/** The completion script of a shell. It holds no text but the table's, which needs no escapes. */
export function completionScript(shell: Shell): string {
  return { bash, zsh, fish }[shell]().join("\n") + "\n";
}

const flagsOf = (command: Command): readonly FlagSpec[] => [...command.flags, ...COMMON_FLAGS];
const words = (kind: ValueKind<unknown> | undefined): readonly string[] =>
  kind === undefined ? [] : choicesOf(kind) ?? [];
const argumentWords = (command: Command): readonly string[] =>
  command.name === "help" ? COMMANDS.map(({ name }) => name) : words(command.argument?.kind);
const takesPaths = (command: Command): boolean => command.argument?.kind === path;

/** Text between single quotes of a POSIX shell, or of fish. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Each flag that takes a value, once for all commands: what it means never differs. */
function valueFlags(): FlagSpec[] {
  const seen = new Map<string, FlagSpec>();
  for (const flag of [...COMMON_FLAGS, ...COMMANDS.flatMap((command) => command.flags)]) {
    if (flag.value !== undefined) seen.set(flag.name, flag);
  }
  return [...seen.values()];
}

function bash(): string[] {
  const values = valueFlags();
  const pathFlags = values.filter(({ value }) => value?.kind === path).map(dashed);
  const choices = values.filter(({ value }) => words(value?.kind).length > 0);
  const others = values.filter((flag) => !pathFlags.includes(dashed(flag)))
    .filter((flag) => !choices.includes(flag)).map(dashed);
  return [
    "# Completion of boltctl for bash.",
    "_boltctl() {",
    "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}",
    "  local command= word skip=",
    '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    '    if [ -n "$skip" ]; then skip=; continue; fi',
    "    case $word in",
    `      ${
      COMMON_FLAGS.filter(({ value }) => value !== undefined).map(dashed).join("|")
    }) skip=1 ;;`,
    "      -*) ;;",
    "      *) command=$word; break ;;",
    "    esac",
    "  done",
    "  case $previous in",
    `    ${pathFlags.join("|")}) ${BASH_FILES}; return ;;`,
    ...choices.map((flag) =>
      `    ${dashed(flag)}) ${bashReply(words(flag.value?.kind))}; return ;;`
    ),
    `    ${others.join("|")}) COMPREPLY=(); return ;;`,
    "  esac",
    "  case $command in",
    `    "") ${
      bashReply([
        ...COMMANDS.map(({ name }) => name),
        ...[...COMMON_FLAGS, VERSION_FLAG].map(dashed),
      ])
    } ;;`,
    ...COMMANDS.map((command) => {
      const flags = flagsOf(command).map(dashed);
      const plain = bashReply([...argumentWords(command), ...flags]);
      const reply = takesPaths(command)
        ? `if [[ $current == -* ]]; then ${bashReply(flags)}; else ${BASH_FILES}; fi`
        : plain;
      return `    ${command.name}) ${reply} ;;`;
    }),
    "  esac",
    "}",
    "complete -o filenames -F _boltctl boltctl",
  ];
}

// Names of files may hold spaces, words of the table don't.
const BASH_FILES = "local IFS=$'\\n'; COMPREPLY=($(compgen -f -- \"$current\"))";
const dashed = ({ name }: FlagSpec): string => `--${name}`;
const bashReply = (list: readonly string[]): string =>
  `COMPREPLY=($(compgen -W ${quoted(list.join(" "))} -- "$current"))`;

function zsh(): string[] {
  const spec = ({ name, summary, value }: FlagSpec) => {
    const about = `--${name}[${summary.replace(/[[\]:]/g, "\\$&")}]`;
    return quoted(value === undefined ? about : `${about}:${value.placeholder}:${action(value)}`);
  };
  const action = ({ kind }: ValueSpec) =>
    kind === path ? "_files" : words(kind).length > 0 ? `(${words(kind).join(" ")})` : " ";
  const argument = (command: Command): string[] => {
    const list = argumentWords(command);
    if (list.length > 0) return [quoted(`1:argument:(${list.join(" ")})`)];
    if (takesPaths(command)) return [quoted("*:file:_files")];
    return command.argument === undefined ? [] : [quoted("*:argument: ")];
  };
  return [
    "#compdef boltctl",
    "# Completion of boltctl for zsh.",
    "_boltctl() {",
    "  local context state line",
    "  local -a commands",
    "  commands=(",
    ...COMMANDS.map(({ name, summary }) =>
      `    ${quoted(`${name}:${summary.replaceAll(":", "\\:")}`)}`
    ),
    "  )",
    "  _arguments -C \\",
    ...COMMON_FLAGS.map((flag) => `    ${spec(flag)} \\`),
    "    '1: :->command' '*:: :->rest'",
    "  case $state in",
    "    command) _describe command commands ;;",
    "    rest)",
    "      case $words[1] in",
    ...COMMANDS.flatMap((command) => [
      `        ${command.name})`,
      "          _arguments \\",
      [...flagsOf(command).map(spec), ...argument(command)]
        .map((text) => `            ${text}`).join(" \\\n"),
      "          ;;",
    ]),
    "      esac",
    "      ;;",
    "  esac",
    "}",
    'if [ "$funcstack[1]" = _boltctl ]; then _boltctl "$@"; else compdef _boltctl boltctl; fi',
  ];
}

function fish(): string[] {
  const none = "not __fish_seen_subcommand_from $boltctl_commands";
  const flag = (when: string | undefined, { name, summary, value }: FlagSpec): string => {
    const condition = when === undefined ? "" : ` -n ${quoted(when)}`;
    const takes = value === undefined
      ? ""
      : value.kind === path
      ? " -r -F"
      : words(value.kind).length > 0
      ? ` -x -a ${quoted(words(value.kind).join(" "))}`
      : " -x";
    return `complete -c boltctl${condition} -l ${name}${takes} -d ${quoted(summary)}`;
  };
  return [
    "# Completion of boltctl for fish.",
    `set -l boltctl_commands ${COMMANDS.map(({ name }) => name).join(" ")}`,
    "complete -c boltctl -f",
    ...COMMON_FLAGS.map((one) => flag(undefined, one)),
    ...COMMANDS.map(({ name, summary }) =>
      `complete -c boltctl -n "${none}" -a ${name} -d ${quoted(summary)}`
    ),
    ...COMMANDS.flatMap((command) => {
      const when = `__fish_seen_subcommand_from ${command.name}`;
      const list = argumentWords(command);
      return [
        ...command.flags.map((one) => flag(when, one)),
        ...(list.length > 0
          ? [`complete -c boltctl -n ${quoted(when)} -a ${quoted(list.join(" "))}`]
          : []),
        ...(takesPaths(command) ? [`complete -c boltctl -n ${quoted(when)} -F`] : []),
      ];
    }),
  ];
}
