/**
 * The command line of the benches.
 *
 * @module
 */
import { parseArgs } from "@std/cli";

/** The parts that `deno task bench` can run, and what each measures. */
export const PARTS = {
  files: "a file between two daemons, by TCP and by UDP, against commit 022328f",
  small: "1,000 files of 1 KiB, against commit 022328f",
  others: "a file against libdatachannel, magic-wormhole, wormhole-william, Syncthing and scp",
  loss: "a file on paths that lose and delay packets",
  browser: "Chromium to us and to another Chromium, while the machine is busy",
  profile: "what each layer of sender and receiver costs of a file",
  transport: "the raw channel, against the library's and libdatachannel's",
  core: "the protocol core in memory",
  handshake: "what the proof of identity costs",
  memory: "what a daemon at rest holds of memory",
} as const;

/** A part of the bench. */
export type Part = keyof typeof PARTS;

/** What the parts are told. Each part has its own measure for what is left out. */
export interface BenchOptions {
  readonly rounds?: number;
  /** MiB of the file. */
  readonly mib?: number;
  /** Files of the part `small`. */
  readonly count?: number;
  /** Seconds after which a daemon counts as idle. */
  readonly idleSeconds?: number;
  /** Whether docs/BENCHMARKS.md is left as it is. */
  readonly dryRun: boolean;
}

const NUMBERS = {
  "rounds": "rounds",
  "mib": "mib",
  "count": "count",
  "idle-seconds": "idleSeconds",
};

/** What is wrong with a command line, in words for who typed it. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * Takes a command line apart.
 *
 * @returns The parts in the order of {@linkcode PARTS}, all of them when none is named.
 * @throws {UsageError} When it names a part or a flag that is not there, or a number that is none.
 */
export function parseBench(args: readonly string[]): { parts: Part[]; options: BenchOptions } {
  const flags = Object.keys(NUMBERS);
  const parsed = parseArgs([...args], {
    string: flags,
    boolean: ["dry-run"],
    unknown: (arg, key) => {
      if (key !== undefined) throw new UsageError(`there is no flag ${arg}\n${usage()}`);
    },
  });
  const names = parsed._.map(String);
  for (const name of names) {
    if (!Object.hasOwn(PARTS, name)) throw new UsageError(`there is no part ${name}\n${usage()}`);
  }
  const numbers = Object.entries(NUMBERS).flatMap(([flag, name]) => {
    const text = parsed[flag];
    if (text === undefined) return [];
    if (!/^[1-9]\d{0,5}$/.test(String(text))) {
      throw new UsageError(`--${flag} takes a whole number from 1 on\n${usage()}`);
    }
    return [[name, Number(text)] as const];
  });
  const all = Object.keys(PARTS) as Part[];
  return {
    parts: names.length === 0 ? all : all.filter((part) => names.includes(part)),
    options: { ...Object.fromEntries(numbers), dryRun: parsed["dry-run"] === true },
  };
}

/** What can be typed. */
export function usage(): string {
  const width = Math.max(...Object.keys(PARTS).map((part) => part.length));
  return [
    "Usage: deno task bench [PART...] [--rounds N] [--mib N] [--count N] [--idle-seconds N] [--dry-run]",
    "Parts (all of them when none is named):",
    ...Object.entries(PARTS).map(([part, what]) => `  ${part.padEnd(width)}  ${what}`),
  ].join("\n");
}
