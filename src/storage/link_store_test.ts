import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { overriding } from "../../tests/support/overriding.ts";
import { StorageError } from "../base/errors.ts";
import { codes } from "../protocol/testing/peer_codes.ts";
import { denoFileSystem } from "./file_system.ts";
import { formatLinks, type Link, MAX_KEPT_LINKS, parseLinks } from "./link_file.ts";
import { LinkStore, readLinkFile } from "./link_store.ts";
import { FaultyFileSystem } from "./testing/faulty_file_system.ts";
import { namesIn, TemporaryFolder } from "./testing/temporary_folder.ts";

/** Windows has no modes and, for most users, no links. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const FILE = "data/pins/links.json";

/** A link to the n-th peer. */
function link(n: number, parts: Partial<Link> = {}): Link {
  return {
    name: `peer ${n}`,
    identity: (n + 16).toString(16).padStart(2, "0").repeat(32),
    role: "offerer",
    rendezvousUrl: "ws://192.168.1.10:3001/",
    room: "home",
    session: "1",
    codes: codes("alice", `bob${n}`),
    networkScope: "lan",
    phaseTimeoutSecs: 30,
    paused: false,
    ...parts,
  };
}

/** A link as people write it. */
const written = {
  name: "bob",
  identity: "b0".repeat(32),
  role: "answerer",
  rendezvousUrl: "wss://meet.example",
  room: "home",
  session: "1",
  peerId: "ali-ce",
  expectPeer: "bob",
};
const bytesOf = (value: unknown) =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const read = (...links: readonly unknown[]) => parseLinks(bytesOf({ version: 1, links }));

test("links are there after a restart, in a file that nobody else can read", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const before = await LinkStore.open(denoFileSystem, folder);
  assertEquals(before.list(), []);
  const second = link(2, {
    role: "answerer",
    networkScope: "overlay",
    transport: "tcp",
    paused: true,
  });
  await before.put(link(1));
  await before.put(second);
  await before.put(link(3));
  await before.remove(link(3).identity);
  await before.put(link(1, { phaseTimeoutSecs: 5 }));
  const after = await LinkStore.open(denoFileSystem, folder);
  assertEquals(after.list(), [link(1, { phaseTimeoutSecs: 5 }), second]);
  assertEquals(after.list(), before.list());
  assertEquals(((await Deno.stat(dir.at(FILE))).mode ?? 0) & 0o777, 0o600);
});

Deno.test("links are bounded: one too many is refused, one that is there can be changed", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const store = await LinkStore.open(denoFileSystem, folder);
  for (let n = 0; n < MAX_KEPT_LINKS; n++) await store.put(link(n));
  const error = await assertRejects(() => store.put(link(MAX_KEPT_LINKS)), StorageError);
  assertEquals(error.code, "STORE_FULL");
  await store.put(link(0, { paused: true }));
  assertEquals((await LinkStore.open(denoFileSystem, folder)).list().length, MAX_KEPT_LINKS);
});

Deno.test("the longest links that there may be fit into the file that is read", () => {
  const wide = (length: number) => "\u{1f600}".repeat(length);
  const longest = Array.from({ length: MAX_KEPT_LINKS }, (_, n) =>
    link(n, {
      name: `${n} ${"ä".repeat(60)}`,
      room: wide(256),
      session: wide(256),
      rendezvousUrl: `ws://h/${"x".repeat(2000)}`,
    }));
  assertEquals(parseLinks(formatLinks(longest)), longest);
});

for (const crash of ["process", "power"] as const) {
  Deno.test(`a ${crash} crash at each call of a change leaves the old or the new links, readable`, async () => {
    let completed = false;
    for (let skip = 0; !completed; skip++) {
      await using dir = await TemporaryFolder.make();
      {
        using folder = await dir.dataFolder();
        await (await LinkStore.open(denoFileSystem, folder)).put(link(1));
      }
      const fs = new FaultyFileSystem(denoFileSystem);
      {
        using folder = await dir.dataFolder();
        const store = await LinkStore.open(fs, folder);
        fs.inject({ skip, action: { crash } });
        completed = await store.put(link(2)).then(() => true, () => false);
      }
      using folder = await dir.dataFolder();
      const found = (await LinkStore.open(denoFileSystem, folder)).list();
      const [old, both] = [[link(1)], [link(1), link(2)]];
      assert([old, both].some((links) => JSON.stringify(links) === JSON.stringify(found)));
      if (completed) assertEquals(found, both);
      assertEquals(await namesIn(folder.pinsPath), ["links.json"]);
    }
  });
}

Deno.test("a change that can't be written is none", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const store = await LinkStore.open(dir.fs, folder);
  await store.put(link(1));
  dir.fs.inject({ on: "rename", action: { fail: "ENOSPC" } });
  const error = await assertRejects(() => store.remove(link(1).identity), StorageError);
  assertEquals(error.code, "DISK_FULL");
  assertEquals(store.list(), [link(1)]);
});

Deno.test("a link as people write it is read in its normal form, with the defaults of pair", () => {
  assertEquals(read(written), [{
    name: "bob",
    identity: "b0".repeat(32),
    role: "answerer",
    rendezvousUrl: "wss://meet.example/",
    room: "home",
    session: "1",
    codes: codes("alice", "bob"),
    networkScope: "lan",
    phaseTimeoutSecs: 30,
    paused: false,
  }]);
  for (const transport of ["auto", "udp", "tcp"] as const) {
    const [one] = read({ ...written, transport });
    assertEquals(typeof one === "object" ? one.transport : one, transport);
  }
});

const { expectPeer: _, ...offerer } = { ...written, role: "offerer", to: "bob" };
const REFUSED: readonly (readonly [unknown, string])[] = [
  ["", "is not JSON, at line 1, column 1"],
  ['{\n "version": 1,\n "links": [,]\n}', "is not JSON, at line 3, column 12"],
  ['{"version":1,"links":[', "is not JSON, at line 1, column 23"],
  ["[]", "is not a JSON object"],
  [{ links: [] }, "has no version"],
  [{ version: 2, links: [] }, "has an unknown version (1 is known)"],
  [{ version: 1, links: {} }, "has links that are no list"],
  [{ version: 1, links: [], more: 1 }, 'has "more", which is unknown'],
  ['{"version":1,"links":[],"links":[]}', 'has "links" twice'],
  [{ version: 1, links: [7] }, "has links[0] that is no JSON object"],
  [
    { version: 1, links: [{ ...written, via: "tcp" }] },
    'links[0]."via", which is unknown',
  ],
  [{ version: 1, links: [{ ...written, transport: "sctp" }] }, "links[0].transport wrong: it tak"],
  [{ version: 1, links: [{ ...written, transport: null }] }, "has links[0].transport wrong"],
  [
    `{"version":1,"links":[${
      JSON.stringify({ ...written, transport: "udp" }).replace("{", '{"transport":"tcp",')
    }]}`,
    'has "transport" twice',
  ],
  [{ version: 1, links: [{ ...written, to: "bob" }] }, 'links[0]."to", which is unknown'],
  [{ version: 1, links: [{ ...offerer, to: undefined }] }, "has no links[0].to"],
  [{ version: 1, links: [{ ...written, peerId: undefined }] }, "has no links[0].peerId"],
  [{ version: 1, links: [written, { ...written, name: "BOB" }] }, "has links[1].name twice"],
  [{ version: 1, links: [written, { ...written, name: "b" }] }, "has links[1].identity twice"],
  [
    { version: 1, links: [{ ...written, identity: "b0" }] },
    "links[0].identity wrong: it takes a wh",
  ],
  [
    { version: 1, links: [{ ...written, identity: "00".repeat(32) }] },
    "no key that anybody can hold",
  ],
  [{ version: 1, links: [{ ...written, name: "\u202ebob" }] }, "has links[0].name wrong: it takes"],
  [{ version: 1, links: [{ ...written, name: written.identity }] }, "has links[0].name wrong"],
  [{ version: 1, links: [{ ...written, role: "both" }] }, "links[0].role wrong: it takes one of"],
  [
    { version: 1, links: [{ ...written, rendezvousUrl: "http://x" }] },
    "links[0].rendezvousUrl wrong",
  ],
  [{ version: 1, links: [{ ...written, room: "" }] }, "has links[0].room wrong"],
  [{ version: 1, links: [{ ...written, peerId: "bob" }] }, "has links[0].peerId that is also the"],
  [
    { version: 1, links: [{ ...written, phaseTimeoutSecs: "30" }] },
    "links[0].phaseTimeoutSecs wrong",
  ],
  [
    { version: 1, links: [{ ...written, phaseTimeoutSecs: 0 }] },
    "has links[0].phaseTimeoutSecs wrong",
  ],
  [{ version: 1, links: [{ ...written, networkScope: "wan" }] }, "has links[0].networkScope wrong"],
  [
    { version: 1, links: [{ ...written, paused: "no" }] },
    "links[0].paused that is not true or false",
  ],
  [
    `{"version":1,"links":[${JSON.stringify(written).replace("{", '{"name":"eve",')}]}`,
    'has "name" twice',
  ],
  [
    `{"version":1,"links":[${JSON.stringify(written).replace("{", '{"\\u0072oom":"other",')}]}`,
    'has "room" twice',
  ],
  ['{"version":1,"links":[],"l\\u0069nks":[]}', 'has "links" twice'],
  [
    {
      version: 1,
      links: Array.from({ length: MAX_KEPT_LINKS + 1 }, () => written),
    },
    "has more than 64 links",
  ],
];

for (const [value, says] of REFUSED) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  Deno.test(`a file of links is refused, and what is wrong is named: ${says}, ${text.slice(0, 60)}`, () => {
    const found = parseLinks(bytesOf(value));
    assert(typeof found === "string");
    assertStringIncludes(found, says);
    assert(!/SyntaxError|Unexpected|Expected/.test(found), found);
  });
}

Deno.test("bytes that are no UTF-8 are no links, and text that looks like a member is none", () => {
  assertEquals(parseLinks(new Uint8Array([0xff, 0xfe])), "is not UTF-8");
  assert(typeof read({ ...written, room: '"name":"eve"', session: '\\"name":' }) !== "string");
});

test("a bad file of kept links is refused with advice and left alone", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  await Deno.writeTextFile(dir.at(FILE), '{"version":1}', { mode: 0o600 });
  const error = await assertRejects(() => LinkStore.open(denoFileSystem, folder), StorageError);
  assertEquals(error.code, "LINKS_INVALID");
  assertStringIncludes(error.message, "has no links: put back a copy of it");
  assertEquals(await Deno.readTextFile(dir.at(FILE)), '{"version":1}');
  await Deno.chmod(dir.at(FILE), 0o644);
  const open = await assertRejects(() => LinkStore.open(denoFileSystem, folder), StorageError);
  assertEquals(open.code, "MODE_TOO_OPEN");
});

test("the file of --links may be read by others and written by nobody else", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const path = dir.at("links.json");
  const readIt = () => readLinkFile(denoFileSystem, path, folder.uid);
  const refused = async (code: string, says: string) => {
    const error = await assertRejects(readIt, StorageError);
    assertEquals(error.code, code);
    assertStringIncludes(error.message, says);
  };
  await refused("LINKS_INVALID", "is not there: make it, or leave --links out");
  await Deno.writeTextFile(path, JSON.stringify({ version: 1, links: [written] }));
  await Deno.chmod(path, 0o644);
  assertEquals((await readIt()).length, 1);
  await Deno.chmod(path, 0o664);
  await refused("MODE_TOO_OPEN", "chmod go-w");
  await Deno.chmod(path, 0o644);
  // Another user's file, seen by a daemon that runs as somebody else again; root's is fine.
  const seen = await Deno.stat(path);
  const others = overriding(denoFileSystem, {
    open: async (path, mode) => {
      const file = await denoFileSystem.open(path, mode);
      return overriding(file, { status: async () => ({ ...await file.status(), uid: 4711 }) });
    },
  });
  const foreign = await assertRejects(() => readLinkFile(others, path, seen.uid), StorageError);
  assertEquals(foreign.code, "OWNER_FOREIGN");
  await Deno.writeTextFile(path, '{"version":1,"links":[{}]}');
  await refused("LINKS_INVALID", `${path} has links[0].role missing: it is one of`);
  await Deno.remove(path);
  await Deno.symlink("/etc/hostname", path);
  await refused("LINKS_INVALID", "is not a regular file");
});
