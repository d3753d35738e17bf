/**
 * The command line that `compile` and `pack` share.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { hostTarget, type Target, TARGETS } from "./targets.ts";

/** What to build. */
export interface BuildOptions {
  /** The platforms. */
  readonly targets: readonly Target[];
  /** The folder to write to. */
  readonly out: string;
}

/**
 * Parses `[--target NAME]... | --all`, `[--out FOLDER]`.
 *
 * @param args The arguments.
 * @param defaultOut The folder to write to when none is given.
 * @throws {Error} When an argument is unknown or names nothing that can be built.
 */
export function parseBuildOptions(args: string[], defaultOut: string): BuildOptions {
  const flags = parseArgs(args, {
    string: ["target", "out"],
    boolean: ["all"],
    collect: ["target"],
    unknown: (arg) => {
      throw new Error(`Unknown argument: ${arg}`);
    },
  });
  const targets = named(flags["target"], TARGETS, "--target");
  if (flags["all"] === true && targets.length > 0) {
    throw new Error("--all builds every target: leave --target out");
  }
  const out = flags["out"] ?? defaultOut;
  if (typeof out !== "string" || out === "") throw new Error("--out takes a folder");
  return {
    targets: flags["all"] === true ? TARGETS : targets.length > 0 ? targets : [hostTarget()],
    out,
  };
}

function named<T extends { readonly name: string }>(
  given: unknown,
  known: readonly T[],
  flag: string,
): T[] {
  const names = new Set(Array.isArray(given) ? given.map(String) : []);
  return [...names].map((name) => {
    const found = known.find((item) => item.name === name);
    if (found !== undefined) return found;
    throw new Error(`${flag} takes ${known.map((item) => item.name).join(", ")}; got '${name}'`);
  });
}
