/**
 * A program and all it imports as a few JavaScript files that need nothing else.
 *
 * Code splitting keeps what `import()` loads in files of its own: an argument error is answered
 * before the WebRTC library, and what it imports of Node's, is loaded.
 *
 * @module
 */
import type { Download } from "./programs.ts";
import { run } from "./subprocess.ts";

/** Files by name; no folders. `main.js` is the entry. */
export type Bundle = ReadonlyMap<string, string>;

/** The entry's name in every bundle. */
export const BUNDLE_ENTRY = "main.js";

/** Bundles the programs. The result depends on the sources and the lock file, and on nothing else. */
export async function bundleProgram({ entry }: Pick<Download, "entry">): Promise<Bundle> {
  const folder = await Deno.makeTempDir({ prefix: "bolt-build-" });
  try {
    const args = ["bundle", "--quiet", "--platform", "deno", "--minify", "--code-splitting"];
    await run(Deno.execPath(), [...args, "--outdir", folder, entry.href], {
      cwd: new URL(".", entry),
    });
    return withStableNames(await readTextFiles(folder), entryName(entry));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const entryName = (entry: URL): string =>
  (entry.pathname.split("/").at(-1) ?? "").replace(/\.ts$/, ".js");

async function readTextFiles(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for await (const { name } of Deno.readDir(folder)) {
    files.set(name, await Deno.readTextFile(`${folder}/${name}`));
  }
  return files;
}

/** What the bundler calls a file that is not the entry: a stem and a hash. */
const HASHED_NAME = /^(.+)-[0-9A-Z]{8}\.js$/;

/**
 * Names files by stem and number in place of the bundler's hash, which depends on the folders that
 * the sources and the package cache are in. Numbers follow the order of the contents.
 *
 * @param files What the bundler wrote.
 * @param entry The entry's name among them; {@linkcode BUNDLE_ENTRY} afterwards.
 */
export function withStableNames(files: ReadonlyMap<string, string>, entry: string): Bundle {
  const stems = new Map(
    [...files.keys()].filter((name) => name !== entry).map((name) => {
      const stem = HASHED_NAME.exec(name)?.[1];
      if (stem === undefined) throw new Error(`the bundler wrote an unexpected file: ${name}`);
      return [name, stem];
    }),
  );
  const masked = [...stems].map(([name, stem]) => ({
    name,
    stem,
    content: replaceNames(files.get(name) ?? "", stems),
  }));
  masked.sort((a, b) => compare(a.stem, b.stem) || compare(a.content, b.content));
  const stable = new Map(masked.map(({ name, stem }, i) => [name, `${stem}-${i + 1}.js`]));
  stable.set(entry, BUNDLE_ENTRY);
  return new Map(
    [...files].map(([name, content]): [string, string] => [
      stable.get(name) ?? name,
      replaceNames(content, stable),
    ]).toSorted(([a], [b]) => compare(a, b)),
  );
}

/** Replaces file names where a module names another one: `"./name"`. */
function replaceNames(content: string, names: ReadonlyMap<string, string>): string {
  return content.replace(
    /(["'])\.\/([\w.-]+\.js)\1/g,
    (whole, quote, name) => names.has(name) ? `${quote}./${names.get(name)}${quote}` : whole,
  );
}

/**
 * Hides from the runtime which files are imported late. It reads and parses each file whose name it
 * finds in an `import()`, at the start already: for the WebRTC library alone that takes 20 MiB, which
 * the process does not give back. It takes `--allow-read` of a program that loads one so; and `deno
 * compile` must find them, to embed them.
 */
export function deferImports(bundle: Bundle): Bundle {
  return new Map(
    [...bundle].map(([name, content]) => [
      name,
      content.replace(
        /\bimport\((["']\.\/[\w.-]+\.js["'])\)/g,
        (whole, file: string) =>
          bundle.has(file.slice(3, -1)) ? `import(new URL(${file},import.meta.url).href)` : whole,
      ),
    ]),
  );
}

const compare = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0;
