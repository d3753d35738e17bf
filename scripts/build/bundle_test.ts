import { assert, assertEquals, assertThrows } from "@std/assert";
import { bundleProgram, deferImports, withStableNames } from "./bundle.ts";

const bundled = (first: string, second: string): Map<string, string> =>
  new Map([
    [
      "entry.js",
      `import "./chunk-${first}.js"; import('./lib-${second}.js'); "./other-AAAAAAAA.js"`,
    ],
    [`chunk-${first}.js`, "1"],
    [`lib-${second}.js`, `import "./chunk-${first}.js"`],
  ]);

Deno.test("files are named by stem and number, and imports follow", () => {
  assertEquals(
    [...withStableNames(bundled("ABCDEFGH", "23456789"), "entry.js")],
    [
      ["chunk-1.js", "1"],
      ["lib-2.js", `import "./chunk-1.js"`],
      ["main.js", `import "./chunk-1.js"; import('./lib-2.js'); "./other-AAAAAAAA.js"`],
    ],
  );
});

Deno.test("files of one stem are numbered by content, not by the bundler's hash", () => {
  const named = (one: string, two: string) =>
    withStableNames(
      new Map([
        ["entry.js", `import "./chunk-${one}.js"; import "./chunk-${two}.js"`],
        [`chunk-${one}.js`, "one"],
        [`chunk-${two}.js`, "two"],
      ]),
      "entry.js",
    );
  assertEquals(named("AAAAAAAA", "ZZZZZZZZ"), named("ZZZZZZZZ", "AAAAAAAA"));
});

Deno.test("a file that the bundler is not known to write is refused", () => {
  const files = new Map([["main.js", ""], ["main.css", ""]]);
  assertThrows(() => withStableNames(files, "main.js"), Error, "unexpected file: main.css");
});

Deno.test("a bundle does not depend on where the sources are, and loads lazily what is imported so", async () => {
  const bundles: string[] = [];
  for (const depth of ["a", "b/c/d"]) {
    const folder = await Deno.makeTempDir();
    try {
      const sources = `${folder}/${depth}`;
      await Deno.mkdir(sources, { recursive: true });
      await Deno.writeTextFile(`${sources}/lazy.ts`, `export const late: string = "late";`);
      await Deno.writeTextFile(
        `${sources}/start.ts`,
        `if (Deno.args.length > 0) console.log((await import("./lazy.ts")).late);`,
      );
      const entry = new URL(`file://${sources}/start.ts`);
      const bundle = await bundleProgram({ entry });
      assert(!bundle.get("main.js")?.includes(`"late"`));
      bundles.push(JSON.stringify([...bundle]));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
  assertEquals(bundles[0], bundles[1]);
  assert(bundles[0]?.includes("lazy-1.js"), bundles[0]);
});

Deno.test("what a deferred bundle loads late is not read at its start, and is found when it is needed", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/lazy.ts`, `export const late: string = "was loaded late";`);
    await Deno.writeTextFile(
      `${folder}/start.ts`,
      `if (Deno.args.length > 0) console.log((await import("./lazy.ts")).late);`,
    );
    const bundle = await bundleProgram({ entry: new URL(`file://${folder}/start.ts`) });
    for (const [name, files] of [["plain", bundle], ["deferred", deferImports(bundle)]] as const) {
      await Deno.mkdir(`${folder}/${name}`);
      for (const [file, text] of files) await Deno.writeTextFile(`${folder}/${name}/${file}`, text);
    }
    const read = async (name: string) =>
      (await deno(["info", "--json", `${folder}/${name}/main.js`])).includes("lazy-1.js");
    assertEquals([await read("plain"), await read("deferred")], [true, false]);
    // What is not known at the start takes the permission, which the packed programs have.
    const late = await deno([
      "run",
      "--no-prompt",
      "--allow-read",
      `${folder}/deferred/main.js`,
      "x",
    ]);
    assertEquals(late, "was loaded late\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function deno(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
