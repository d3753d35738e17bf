/**
 * What a newcomer is told of the tree is so: names are where the documents say, and what is to be
 * opened for an answer or a change stays little.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";

const REPOSITORY = new URL("../../", import.meta.url);
const read = (path: string) => Deno.readTextFileSync(new URL(path, REPOSITORY));
const ARCHITECTURE = read("docs/ARCHITECTURE.md");

/** The text under a heading, to the next one of its depth or above. */
function section(heading: string): string {
  const [marks = ""] = heading.split(" ");
  const from = ARCHITECTURE.indexOf(`\n${heading}\n`);
  assert(from >= 0, `ARCHITECTURE.md has no "${heading}"`);
  const rest = ARCHITECTURE.slice(from + heading.length + 2);
  const end = rest.search(new RegExp(`^#{1,${marks.length}} `, "m"));
  return end < 0 ? rest : rest.slice(0, end);
}

Deno.test("each name that ARCHITECTURE.md says a file has is in that file", () => {
  const wrong: string[] = [];
  let seen = 0;
  for (
    const [, first = "", second, path = ""] of ARCHITECTURE.matchAll(
      /`([^`\s]+)`(?: and `([^`\s]+)`)? (?:in|of)\s+`(src\/[^`]+\.ts)`/g,
    )
  ) {
    const text = read(path).replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, ""); // a comment is not a name
    for (const name of second === undefined ? [first] : [first, second]) {
      seen++;
      const word = new RegExp(`(?<![\\w#])${name}(?!\\w)`);
      if (!word.test(text)) wrong.push(`${name} in ${path}`);
    }
  }
  assertEquals(wrong, []);
  assert(seen > 15, `only ${seen} names were found`);
});

Deno.test("each file on the way of a file is where the list says", () => {
  let folder = "";
  let seen = 0;
  for (const [, path = ""] of section("## The way of a file").matchAll(/`([\w./]+\.ts)`/g)) {
    if (path.includes("/")) folder = path.slice(0, path.lastIndexOf("/") + 1);
    read(path.includes("/") ? path : folder + path);
    seen++;
  }
  assert(seen > 25, `only ${seen} files were found`);
});

Deno.test("a newcomer's question is answered by three files at most", () => {
  const rows = section("### Where is it decided?").split("\n")
    .filter((line) => line.startsWith("| ")).slice(2);
  assert(rows.length >= 5);
  for (const row of rows) {
    const files = new Set([...row.matchAll(/`((?:src|docs)\/[^`]+)`/g)].map(([, path]) => path));
    assert(files.size >= 1 && files.size <= 3, `${files.size} files: ${row}`);
  }
});

/** How many places each change may take. */
const MOST_PLACES: { readonly [change: string]: number } = {
  "### An operation of the API": 4,
  "### A command of boltctl": 3,
  "### A flag of serve": 3,
  "### A kind of value": 2,
  "### A field of a message": 3,
  "### A timer": 3,
};

for (const [heading, most] of Object.entries(MOST_PLACES)) {
  Deno.test(`${heading.slice(4)} is added in ${most} places at most`, () => {
    const places = section(heading).split("\n").filter((line) => /^\d+\. /.test(line));
    assert(places.length >= 1 && places.length <= most, places.join("\n"));
  });
}

Deno.test("PROTOCOL.md's table has every part of the protocol core, and no other", () => {
  const [, rows = ""] = /\| Part [^]*?\n\|[ -|]+\n([^]*?)\n\n/.exec(read("docs/PROTOCOL.md")) ?? [];
  const parts = rows.split("\n").map((row) => /^\| `([^`]+)`/.exec(row)?.[1]);
  const there = [...Deno.readDirSync(new URL("src/protocol/", REPOSITORY))]
    .filter(({ name }) => !name.endsWith("_test.ts"))
    .map(({ name, isDirectory }) => isDirectory ? `${name}/` : name);
  assertEquals(parts.toSorted(), there.toSorted());
});

Deno.test("ARCHITECTURE.md's table has every folder and entry of src", () => {
  const told = [...ARCHITECTURE.matchAll(/^\| `src\/([^`]+)`/gm)].map(([, name]) => name);
  const there = [...Deno.readDirSync(new URL("src/", REPOSITORY))]
    .filter(({ name }) => name !== "boltctl.ts") // told with its folder
    .map(({ name, isDirectory }) => isDirectory ? `${name}/` : name);
  assertEquals(told.toSorted(), there.toSorted());
});

Deno.test("the README names every document", () => {
  const readme = read("README.md");
  for (const folder of ["docs/", "docs/guides/"]) {
    for (const { name } of Deno.readDirSync(new URL(folder, REPOSITORY))) {
      if (name.endsWith(".md")) assert(readme.includes(`](${folder}${name})`), folder + name);
    }
  }
});
