/**
 * Help of `bolt-daemon serve`, written from the table of its flags. Pure.
 *
 * @module
 */
import { SERVE_FLAGS } from "../app/daemon/options.ts";
import { type DescribedFlag, flagName } from "../vocabulary/flag_table.ts";
import { choicesOf } from "../vocabulary/value_kind.ts";
import { rows, wrap } from "./help_layout.ts";
import { SERVE_USAGE } from "./serve_options.ts";

/** What is asked for before `--`, if anything, instead of serving. */
export function askedOfServe(words: readonly string[]): "help" | "version" | undefined {
  const end = words.indexOf("--");
  const flags = end < 0 ? words : words.slice(0, end);
  if (flags.includes("--help") || flags.includes("-h")) return "help";
  return flags.includes("--version") ? "version" : undefined;
}

/** Lines of `bolt-daemon serve --help`. */
export function serveHelp(): string[] {
  return [
    SERVE_USAGE,
    "",
    ...wrap(
      "Serves until SIGINT, SIGTERM or SIGHUP, or until boltctl shutdown: keeps this machine's " +
        "identity, sessions with peers and transfers, and takes orders at its socket, which " +
        "boltctl and other programs speak to.",
    ),
    "",
    "Flags:",
    ...rows([
      ...Object.entries<DescribedFlag>(SERVE_FLAGS).map(flagRow),
      ["--help, -h", "Explain this and do nothing"],
      ["--version", "Print the version and do nothing"],
    ]),
    "",
    "Exit codes:",
    ...rows([
      ["0", "the daemon has stopped in order"],
      ["1", "anything else; the last line on stderr says why"],
    ]),
  ];
}

function flagRow([option, { about, placeholder, ...flag }]: [string, DescribedFlag]): readonly [
  word: string,
  meaning: string,
] {
  const value = placeholder ?? choicesOf(flag.kind)?.join("|") ?? "VALUE";
  const facts = [
    flag.required === undefined ? undefined : "required",
    flag.repeats === undefined ? undefined : "may be repeated",
    flag.default === undefined ? undefined : `default: ${flag.default}`,
  ].filter((fact) => fact !== undefined);
  const told = facts.length === 0 ? "" : ` (${facts.join(", ")})`;
  return [`--${flagName(option)} ${value}`, about + told];
}
