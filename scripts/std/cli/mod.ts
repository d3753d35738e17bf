/**
 * Stand-in for `jsr:@std/cli`: `parseArgs` over `node:util`, for the options this project uses.
 *
 * @module
 */
import { parseArgs as nodeParseArgs } from "node:util";

/** The part of `ParseOptions` of `@std/cli` that this project uses. */
export interface ParseOptions {
  /** Flags that always take a string. */
  string?: readonly string[];
  /** Flags that are true when present. */
  boolean?: readonly string[];
  /** Flags that may repeat; their values are gathered in an array. */
  collect?: readonly string[];
  /** Called with each argument that no option names; `false` drops it. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** Parsed flags by name; `_` holds what was no flag. */
export interface Args {
  [name: string]: unknown;
  /** Positional arguments. */
  _: (string | number)[];
}

/**
 * Parses command line arguments.
 *
 * @param args The arguments, as in `Deno.args`.
 * @param options Which flags exist and how they are read.
 * @returns The flags by name.
 */
export function parseArgs(args: string[], options: ParseOptions = {}): Args {
  const { string = [], boolean = [], collect = [], unknown } = options;
  const spec: Record<string, { type: "string" | "boolean" }> = {};
  for (const name of string) spec[name] = { type: "string" };
  for (const name of boolean) spec[name] = { type: "boolean" };
  const { tokens } = nodeParseArgs({
    args,
    options: spec,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const out: Args = { _: [] };
  for (const name of collect) out[name] = [];
  for (const name of boolean) if (!collect.includes(name)) out[name] = false;
  for (const token of tokens) {
    if (token.kind === "positional") {
      if (unknown?.(token.value) !== false) out._.push(token.value);
    } else if (token.kind === "option") {
      const value = token.value ?? (spec[token.name]?.type === "string" ? "" : true);
      if (!Object.hasOwn(spec, token.name)) {
        const arg = args[token.index] ?? token.rawName;
        if (unknown?.(arg, token.name, value) === false) continue;
      }
      const held = out[token.name];
      if (Array.isArray(held)) held.push(value);
      else out[token.name] = value;
    }
  }
  return out;
}
