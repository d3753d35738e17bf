/**
 * The version is told in `deno.json` and nowhere else: programs, API, builds and documents take it
 * from there.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import manifest from "../deno.json" with { type: "json" };
import { openApiDocument } from "../src/ipc/server/openapi.ts";
import { BEHAVIOURS } from "./rendezvous/room.ts";

const REPOSITORY = new URL("../", import.meta.url);
/** What a clone does not have, and what has versions of its own. */
const LEFT_OUT = [".git", "coverage", "dist", "node_modules", "scripts/std", "deno.lock"];
/** Where versions are history: a release's heading is written once and stays. */
const HISTORY = ["docs/CHANGELOG.md"];

async function* filesOf(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(new URL(folder, REPOSITORY))) {
    const path = `${folder}${name}`;
    if (LEFT_OUT.includes(path)) continue;
    if (isDirectory) yield* filesOf(`${path}/`);
    else if (isFile) yield path;
  }
}

/** The version with nothing beside it that would make it another one. */
const stated = new RegExp(`(?<![\\d.])${RegExp.escape(manifest.version)}(?![\\d.]*\\d)`);

Deno.test("no file but deno.json states the version", async () => {
  const stating: string[] = [];
  for await (const path of filesOf("")) {
    if (HISTORY.includes(path)) continue;
    if (stated.test(await Deno.readTextFile(new URL(path, REPOSITORY)))) stating.push(path);
  }
  assertEquals(stating, ["deno.json"]);
});

Deno.test("a version is a version of its own: it is not found inside a longer one", () => {
  const { version } = manifest;
  assert(stated.test(`v${version}, released`));
  for (const other of [`1${version}`, `2.${version}`, `${version}1`, `${version}.1`]) {
    assert(!stated.test(other), other);
  }
});

Deno.test("the API's description carries the version it is given", () => {
  const { info } = JSON.parse(JSON.stringify(openApiDocument("9.8.7")));
  assertEquals(info.version, "9.8.7");
});

Deno.test("docs/COMPATIBILITY.md has a row for this version's series", async () => {
  const text = await Deno.readTextFile(new URL("docs/COMPATIBILITY.md", REPOSITORY));
  const series = manifest.version.split(".").slice(0, 2).join(".");
  assert(text.includes(`\n| ${series} `), `no row for ${series}`);
});

Deno.test("docs/COMPATIBILITY.md has one matrix of servers, with a row for each behaviour that is played", async () => {
  const text = await Deno.readTextFile(new URL("docs/COMPATIBILITY.md", REPOSITORY));
  assertEquals(text.match(/^## Rendezvous server/gm)?.length, 1);
  const series = manifest.version.split(".").slice(0, 2).join(".");
  for (const behaviour of BEHAVIOURS) {
    const row = new RegExp(
      `^\\| ${series} +\\| development server[^|]*\`${behaviour}\` +\\| Run: `,
      "m",
    );
    assert(row.test(text), `no row for ${behaviour}`);
  }
});
