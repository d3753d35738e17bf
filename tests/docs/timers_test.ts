/**
 * The table of timers in ARCHITECTURE.md is that of `src/base/timing.ts`, and there are no others.
 *
 * `deno test -A tests/docs/timers_test.ts -- --update` writes the table.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import * as timing from "../../src/base/timing.ts";
import { fromFileUrl, join, relative } from "../support/paths.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));
const TIMING = join(ROOT, "src", "base", "timing.ts");
const PAGE = join(ROOT, "docs", "ARCHITECTURE.md");
const BEGIN = "<!-- timers: made from src/base/timing.ts -->\n";
const END = "<!-- end of timers -->\n";

const VALUES = new Map<string, number | { readonly firstMs: number; readonly longestMs: number }>(
  Object.entries(timing),
);

/** A time as people write it: 20 ms, 5 s, 20 min, 1 h. */
function written(ms: number): string {
  for (const [unit, size] of [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000]] as const) {
    if (ms > size && ms % size !== 0 && ms > 100 * size) return `${Math.round(ms / size)} ${unit}`;
    if (ms >= size && ms % size === 0) return `${ms / size} ${unit}`;
  }
  return ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`;
}

/** A row for each constant, a heading for each `// Section.` of the module. */
function tables(source: string): { readonly text: string; readonly names: readonly string[] } {
  const names: string[] = [];
  let text = "";
  const parts = /^\/\/ (.+)\.$|^\/\*\*((?:(?!\*\/)[^])*)\*\/\nexport const (\w+)/gm;
  for (const [, section, comment = "", name = ""] of source.matchAll(parts)) {
    if (section !== undefined) {
      text += `\n**${section}**\n\n| Timer | Wait | For what, and why |\n| --- | --- | --- |\n`;
      continue;
    }
    const value = VALUES.get(name);
    assert(value !== undefined, name);
    const reason = comment.replace(/\n \* ?/g, " ").trim().replaceAll("|", "\\|");
    const wait = typeof value === "number"
      ? written(value)
      : `${written(value.firstMs)} to ${written(value.longestMs)}`;
    text += `| \`${name}\` | ${wait} | ${reason} |\n`;
    names.push(name);
  }
  return { text, names };
}

/** A table without the spaces that align its columns. */
const unaligned = (text: string) => text.replace(/-{3,}/g, "---").replace(/ +\|/g, " |").trim();

Deno.test("ARCHITECTURE.md shows every timer with its wait and its reason", async () => {
  const { text, names } = tables(await Deno.readTextFile(TIMING));
  assertEquals(names, [...VALUES.keys()].toSorted((a, b) => names.indexOf(a) - names.indexOf(b)));
  const page = (await Deno.readTextFile(PAGE)).replaceAll("\r\n", "\n");
  const [from, to] = [page.indexOf(BEGIN) + BEGIN.length, page.indexOf(END)];
  assert(page.includes(BEGIN) && to >= from, `${PAGE} has no place for the timers`);
  if (Deno.args.includes("--update")) {
    return await Deno.writeTextFile(PAGE, page.slice(0, from) + text + "\n" + page.slice(to));
  }
  assertEquals(unaligned(page.slice(from, to)), unaligned(text));
});

/** A wait that is written where it is used: `FOO_MS = 5`, `fooMs: 5`, `fooMs ?? 5`, `setTimeout(f, 5)`. */
const LITERAL =
  /\b(?:[A-Z_]*(?:_MS|_SECS|_SECONDS)(?:: number)? = (?=[\d{])|\w+M[sS](?:: |\s*\?\?\s*)(?=\d)|Deadline\((?=\d)|AbortSignal\.timeout\((?=\d)|(?:setTimeout|setInterval)\([^;]*, (?=\d))/g;

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) {
      if (entry.name !== "testing") yield* sources(path);
    } else if (path.endsWith(".ts") && !/(_test|testing)\.ts$/.test(path)) yield path;
  }
}

Deno.test("no timer has its length anywhere else", async () => {
  const found: string[] = [];
  for await (const path of sources(join(ROOT, "src"))) {
    if (path === TIMING) continue;
    const text = (await Deno.readTextFile(path)).replace(/\/\*\*[^]*?\*\//g, "");
    for (const [hit] of text.matchAll(LITERAL)) found.push(`${relative(ROOT, path)}: ${hit}`);
  }
  assertEquals(found, []);
});
