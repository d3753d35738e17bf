/**
 * What docs/TRANSPORT.md promises is shown by the tests that it names; its files, timers and names are
 * those of the program.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import * as timing from "../../src/base/timing.ts";
import { fromFileUrl, join } from "../support/paths.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));
const PAGE = await Deno.readTextFile(join(ROOT, "docs", "TRANSPORT.md"));

/** Paths of all sources below a folder, by name. */
async function filesBelow(folder: string, found = new Map<string, string>()) {
  for await (const { name, isDirectory } of Deno.readDir(join(ROOT, folder))) {
    const path = `${folder}/${name}`;
    if (isDirectory) await filesBelow(path, found);
    else if (name.endsWith(".ts")) found.set(path, name);
  }
  return found;
}

const sources = await filesBelow("src/transport");
const tests = await filesBelow("tests", new Map(sources));

/** The text of the only file of a name. */
async function readTest(name: string): Promise<string> {
  // Of several of one name, such as those of both kinds of bad networks, any may show it.
  const paths = [...tests].filter(([, known]) => known === name).map(([path]) => path);
  assert(paths.length > 0, `there is no ${name}`);
  return (await Promise.all(paths.map((path) => Deno.readTextFile(join(ROOT, path))))).join("\n");
}

Deno.test("each test that TRANSPORT.md names is there, with a name that says so", async () => {
  const references = [
    ...PAGE.matchAll(/`(\w+\.ts)`: ([^;|`]+)(?=[;|])/g),
  ];
  const wrong: string[] = [];
  for (const [, file = "", words = ""] of references) {
    if (!(await readTest(file)).includes(words.trim())) wrong.push(`${file}: ${words.trim()}`);
  }
  assertEquals(wrong, []);
  assert(references.length > 50, `only ${references.length} were found`);
});

Deno.test("each promise of TRANSPORT.md has a test", () => {
  const section = PAGE.slice(PAGE.indexOf("## What is promised"), PAGE.indexOf("## ICE"));
  const rows = section.split("\n").filter((line) => line.startsWith("| ")).slice(2);
  assert(rows.length > 15);
  assertEquals(rows.filter((row) => !/`\w+\.ts`: /.test(row)), []);
});

Deno.test("files, timers and codes that TRANSPORT.md names are the program's", async () => {
  const paths = [...sources.keys()];
  const isFile = (name: string) => paths.some((path) => path.endsWith(`/${name}`));
  const files = [...PAGE.matchAll(/`((?:[\w]+\/)*\w+\.ts)`(?!:)/g)].map(([, name = ""]) => name);
  const elsewhere = files.filter((name) => !isFile(name) && !name.startsWith("tests/"));
  assertEquals(elsewhere.filter((name) => !name.startsWith("src/")), []);
  for (const path of elsewhere) await Deno.stat(join(ROOT, path));
  const timers = [...PAGE.matchAll(/`([A-Z_]+(?:_MS|_RETRY|_RETRANSMIT))`/g)]
    .map(([, name = ""]) => name).concat("DTLS_RETRANSMIT");
  assertEquals(timers.filter((name) => !(name in timing)), []);
  // All that the transport waits for.
  const source = await Deno.readTextFile(join(ROOT, "src/base/timing.ts"));
  const ofTransport = source.slice(source.indexOf("// Transport."), source.indexOf("// Protocol."));
  const names = [...ofTransport.matchAll(/^export const (\w+)/gm)].map(([, name = ""]) => name);
  assertEquals(names.filter((name) => !timers.includes(name)), []);
});

Deno.test("each module of the transport has its place in TRANSPORT.md", () => {
  const missing = [...sources.keys()]
    .filter((path) => path.startsWith("src/transport/webrtc/") && !path.endsWith("_test.ts"))
    .map((path) => path.slice(path.lastIndexOf("/") + 1, -".ts".length))
    .filter((name) => !new RegExp(`\\b${name}\\b`).test(PAGE));
  // Parts of what is named, of no interest by themselves.
  assertEquals(missing.sort(), ["dcep", "gap_ranges", "host_protocol", "lazy_timer", "udp_socket"]);
});
