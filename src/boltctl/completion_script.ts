/**
 * Completion scripts for shells, written from the table of commands. Pure.
 *
 * Peers and transfers are asked of the daemon when a key is pressed (`boltctl completion LIST`): a
 * word and what is said of it on a line, with a tab between them. Peers choose such words, so no
 * shell evaluates one: each is quoted by the shell itself.
 *
 * @module
 */
import { choicesOf, path, type ValueKind } from "../vocabulary/value_kind.ts";
import type { FlagSpec, ValueSpec } from "./command.ts";
import {
  type Command,
  COMMANDS,
  COMMON_FLAGS,
  type ListedKind,
  type SHELLS,
  VERSION_FLAG,
  type WordList,
} from "./command_table.ts";

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
const listOf = (kind: ValueKind<unknown> | undefined): WordList | undefined =>
  kind !== undefined && "list" in kind ? (kind as ListedKind).list : undefined;
const takesPaths = (command: Command): boolean => command.argument?.kind === path;

/** Flags that say where the daemon is: the scripts hand them on when they ask it. */
const REACH = ["--socket", "--api"] as const;

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
    ...BASH_LIST,
    "_boltctl() {",
    "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}",
    "  local command= word skip=",
    "  local -a reach=()",
    '  for word in "${!COMP_WORDS[@]}"; do',
    `    case \${COMP_WORDS[word]} in ${REACH.join("|")})`,
    '      reach=("${COMP_WORDS[word]}" "${COMP_WORDS[word+1]}") ;;',
    "    esac",
    "  done",
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
    "  case $command:$previous in",
    ...listedFlags().map(([command, flag, list]) =>
      `    ${command}:--${flag}) _boltctl_list ${list}; return ;;`
    ),
    "  esac",
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
      const list = listOf(command.argument?.kind);
      const others = takesPaths(command) ? BASH_FILES : list && `_boltctl_list ${list}`;
      const reply = others === undefined
        ? plain
        : `if [[ $current == -* ]]; then ${bashReply(flags)}; else ${others}; fi`;
      return `    ${command.name}) ${reply} ;;`;
    }),
    "  esac",
    "}",
    "complete -o filenames -F _boltctl boltctl",
  ];
}

/** Each flag of a command whose values the daemon knows, and the list that they are in. */
function listedFlags(): (readonly [command: string, flag: string, list: WordList])[] {
  return COMMANDS.flatMap(({ name, flags }) =>
    flags.flatMap((flag): [string, string, WordList][] => {
      const list = listOf(flag.value?.kind);
      return list === undefined ? [] : [[name, flag.name, list]];
    })
  );
}

// Words are quoted here, and offered where no quotation mark is open, whose rules would be others.
// What is typed already is compared without its backslashes.
const BASH_LIST: readonly string[] = [
  "_boltctl_list() {",
  "  local word about typed=${current//\\\\/}",
  "  COMPREPLY=()",
  "  compopt +o filenames 2>/dev/null",
  "  case $current in [\\\"\\']*) return ;; esac",
  "  while IFS=$'\\t' read -r word about; do",
  '    [[ $word == "$typed"* ]] && COMPREPLY+=("$(printf %q "$word")")',
  '  done < <(command boltctl completion "$1" "${reach[@]}" 2>/dev/null </dev/null)',
  "}",
];

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
  const action = ({ kind }: ValueSpec) => {
    const list = listOf(kind);
    if (kind === path) return "_files";
    if (list !== undefined) return ` _boltctl_list ${list}`; // the blank keeps zsh from adding words
    return words(kind).length > 0 ? `(${words(kind).join(" ")})` : " ";
  };
  const argument = (command: Command): string[] => {
    const list = argumentWords(command);
    if (list.length > 0) return [quoted(`1:argument:(${list.join(" ")})`)];
    if (takesPaths(command)) return [quoted("*:file:_files")];
    const asked = listOf(command.argument?.kind);
    if (asked !== undefined) return [quoted(`*:argument: _boltctl_list ${asked}`)];
    return command.argument === undefined ? [] : [quoted("*:argument: ")];
  };
  return [
    "#compdef boltctl",
    "# Completion of boltctl for zsh.",
    ...ZSH_LIST,
    "_boltctl() {",
    '  local -a line_words=("${words[@]}")',
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

// compadd quotes what it inserts, and shows what is said of it as it is.
const ZSH_LIST: readonly string[] = [
  "_boltctl_list() {",
  "  local word about; local -a found shown reach; local -i at",
  "  for (( at = 1; at < ${#line_words}; at++ )); do",
  `    [[ $line_words[at] == (${REACH.join("|")}) ]] &&`,
  '      reach=("$line_words[at]" "${(Q)line_words[at+1]}")',
  "  done",
  "  while IFS=$'\\t' read -r word about; do",
  '    found+=("$word"); shown+=("$word  $about")',
  '  done < <(command boltctl completion "$1" "${reach[@]}" 2>/dev/null </dev/null)',
  "  compadd -l -d shown -a found",
  "}",
];

// fish quotes what it inserts, and shows what stands behind the tab beside it.
const FISH_LIST: readonly string[] = [
  "function __boltctl_list",
  "    set -l words (commandline -opc)",
  "    set -l reach",
  `    for name in ${REACH.join(" ")}`,
  "        if set -l at (contains -i -- $name $words)",
  "            set reach $name $words[(math $at + 1)]",
  "        end",
  "    end",
  "    command boltctl completion $argv[1] $reach 2>/dev/null </dev/null",
  "end",
];

function fish(): string[] {
  const none = "not __fish_seen_subcommand_from $boltctl_commands";
  const flag = (when: string | undefined, { name, summary, value }: FlagSpec): string => {
    const condition = when === undefined ? "" : ` -n ${quoted(when)}`;
    const list = listOf(value?.kind);
    const takes = value === undefined
      ? ""
      : list !== undefined
      ? ` -x -a ${quoted(`(__boltctl_list ${list})`)}`
      : value.kind === path
      ? " -r -F"
      : words(value.kind).length > 0
      ? ` -x -a ${quoted(words(value.kind).join(" "))}`
      : " -x";
    return `complete -c boltctl${condition} -l ${name}${takes} -d ${quoted(summary)}`;
  };
  return [
    "# Completion of boltctl for fish.",
    ...FISH_LIST,
    `set -l boltctl_commands ${COMMANDS.map(({ name }) => name).join(" ")}`,
    "complete -c boltctl -f",
    ...COMMON_FLAGS.map((one) => flag(undefined, one)),
    ...COMMANDS.map(({ name, summary }) =>
      `complete -c boltctl -n "${none}" -a ${name} -d ${quoted(summary)}`
    ),
    ...COMMANDS.flatMap((command) => {
      const when = `__fish_seen_subcommand_from ${command.name}`;
      const asked = listOf(command.argument?.kind);
      const list = asked === undefined ? argumentWords(command) : [`(__boltctl_list ${asked})`];
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
