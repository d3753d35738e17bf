import { assert, assertEquals, assertRejects } from "@std/assert";
import { StorageError } from "../../base/errors.ts";
import { seededRandom } from "../../protocol/testing/seeded_random.ts";
import { openInbox, sha256, transferId } from "../testing/inbox_fixture.ts";
import { namesIn, TemporaryFolder } from "../testing/temporary_folder.ts";
import { IncomingFile } from "./incoming_file.ts";
import { cutPart, KeptFile, type KeptPrefix } from "./kept_file.ts";
import type { Inbox } from "./inbox.ts";

/** Windows has no modes and, for most users, no links. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const CONTENT = seededRandom("kept")(700_000);
const [OLD, NEW] = [transferId(1), transferId(2)];
const KEPT = 600_000;
const FROM = 500_000;

const prefixOf = (bytes: number): KeptPrefix => ({
  bytes,
  hash: sha256(CONTENT.subarray(0, bytes)),
});

const signal = () => new AbortController().signal;

/** An inbox with the part of a transfer that was lost, `extra` bytes longer than is known of it. */
async function withPart(dir: TemporaryFolder, extra = 0): Promise<Inbox> {
  const inbox = await openInbox(dir);
  await using file = await IncomingFile.create(inbox, {
    transferId: OLD,
    size: CONTENT.length,
    onAbort: "keep",
  });
  await file.write(CONTENT.subarray(0, KEPT + extra));
  return inbox;
}

const open = (inbox: Inbox, kept = prefixOf(KEPT), goesOnAt = FROM) =>
  KeptFile.open(inbox, OLD, kept, { goesOnAt, signal: signal() });

const options = { transferId: NEW, size: CONTENT.length };

Deno.test("what was kept goes on under the next transfer's id, cut to where it goes on, and becomes the file", async () => {
  for (const goesOnAt of [0, 1, FROM, KEPT]) {
    await using dir = await TemporaryFolder.make();
    const inbox = await withPart(dir, 1000);
    const kept = await open(inbox, prefixOf(KEPT), goesOnAt);
    assert(kept !== undefined);
    assertEquals(kept.prefix, prefixOf(goesOnAt));
    await using file = await IncomingFile.resume(inbox, options, kept);
    assertEquals(await namesIn(inbox.path), [`.${NEW}.part`]);
    assertEquals([file.received, (await Deno.stat(inbox.partPath(NEW))).size], [
      goesOnAt,
      goesOnAt,
    ]);
    await file.write(CONTENT.subarray(goesOnAt));
    const { hash } = await file.finish({
      name: "f",
      expectedHash: sha256(CONTENT),
      onPublishing: () => Promise.resolve(),
    });
    assertEquals(hash, sha256(CONTENT));
    assertEquals(await Deno.readFile(inbox.pathOf("f")), CONTENT);
  }
});

Deno.test("one descriptor is held from the second hash to the name: nothing is opened in between", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await withPart(dir);
  dir.fs.calls.length = 0;
  const kept = await open(inbox);
  assert(kept !== undefined);
  await using file = await IncomingFile.resume(inbox, options, kept);
  await file.write(CONTENT.subarray(FROM));
  await file.finish({
    name: "f",
    expectedHash: sha256(CONTENT),
    onPublishing: () => Promise.resolve(),
  });
  assertEquals(dir.fs.calls.filter((call) => call.startsWith("open ")).length, 1);
});

for (
  const [what, spoil] of [
    ["is gone", (path: string) => Deno.remove(path)],
    ["is a link", async (path: string) => {
      await Deno.rename(path, `${path}.x`);
      await Deno.symlink(`${path}.x`, path);
    }],
    ["is a folder", async (path: string) => {
      await Deno.remove(path);
      await Deno.mkdir(path);
    }],
    ["has another name too", (path: string) => Deno.link(path, `${path}.x`)],
    ["is shorter than what is known", (path: string) => Deno.truncate(path, KEPT - 1)],
    ["begins otherwise", (path: string) => Deno.writeFile(path, new Uint8Array(KEPT))],
    ["is another after where it would go on", async (path: string) => {
      using file = await Deno.open(path, { write: true });
      await file.seek(KEPT - 1, Deno.SeekMode.Start);
      await file.write(new Uint8Array([(CONTENT[KEPT - 1] ?? 0) ^ 1]));
    }],
  ] as const
) {
  Deno.test(`a part that ${what} is not gone on with, and left alone`, async () => {
    await using dir = await TemporaryFolder.make();
    const inbox = await withPart(dir);
    await spoil(inbox.partPath(OLD));
    const before = await namesIn(inbox.path);
    assertEquals(await open(inbox), undefined);
    assertEquals(await namesIn(inbox.path), before);
  });
}

Deno.test("a part that is replaced while it is opened, or that is another user's, is not gone on with", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await withPart(dir);
  const path = inbox.partPath(OLD);
  dir.fs.inject({
    on: "open",
    times: 1,
    action: {
      before: async () => {
        await Deno.rename(path, `${path}.x`);
        await Deno.writeFile(path, CONTENT);
      },
    },
  });
  assertEquals(await open(inbox), undefined);
  await Deno.rename(`${path}.x`, path);
  const foreign = { fs: inbox.fs, uid: 12_345, partPath: () => path };
  assertEquals(await open(foreign as unknown as Inbox), undefined);
  const own = await open(inbox);
  assert(own !== undefined);
  own[Symbol.dispose]();
});

Deno.test("hashing ends when it is to end, and closes the part", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await withPart(dir);
  const stop = new AbortController();
  dir.fs.inject({ on: "read", skip: 1, action: { before: () => stop.abort(new Error("enough")) } });
  const opening = KeptFile.open(inbox, OLD, prefixOf(KEPT), {
    goesOnAt: FROM,
    signal: stop.signal,
  });
  await assertRejects(() => opening, Error, "enough");
  assertEquals(dir.fs.openFiles, 0);
});

Deno.test("short reads change nothing", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await withPart(dir);
  dir.fs.inject({ on: "read", action: { shortRead: 70_001 } });
  using kept = await open(inbox);
  assertEquals(kept?.prefix, prefixOf(FROM));
});

Deno.test("where the next transfer has a part already, or there is no room for the rest, the part stays as it was", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await withPart(dir);
  await Deno.writeTextFile(inbox.partPath(NEW), "planted");
  const taken = await open(inbox);
  assert(taken !== undefined);
  await assertRejects(
    () => IncomingFile.resume(inbox, options, taken),
    StorageError,
    "have the file sent anew",
  );
  await Deno.remove(inbox.partPath(NEW));
  dir.fs.inject({ on: "freeSpace", times: 1, action: { free: { known: true, bytes: 0 } } });
  const full = await open(inbox);
  assert(full !== undefined);
  await assertRejects(() => IncomingFile.resume(inbox, options, full), StorageError, "free space");
  assertEquals(dir.fs.openFiles, 0);
  assertEquals(await Deno.readFile(inbox.partPath(OLD)), CONTENT.subarray(0, KEPT));
  // Only the rest needs room.
  const rest = CONTENT.length - FROM;
  dir.fs.inject({
    on: "freeSpace",
    action: { free: { known: true, bytes: rest + 16 * 1024 ** 2 } },
  });
  const kept = await open(inbox);
  assert(kept !== undefined);
  await using _file = await IncomingFile.resume(inbox, options, kept);
});

Deno.test("what was received is durable each so many bytes, and what is known of it fits", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await openInbox(dir);
  await using file = await IncomingFile.create(inbox, { ...options, syncBytes: 1000 });
  const synced: number[] = [];
  for (let at = 0; at < 5000; at += 300) {
    await file.write(CONTENT.subarray(at, at + 300));
    dir.fs.calls.length = 0;
    const prefix = await file.synced();
    const calls = dir.fs.calls.map((call) => call.split(" ")[0]);
    assertEquals(calls, prefix === undefined ? [] : ["sync"]);
    if (prefix === undefined) continue;
    assertEquals(prefix, prefixOf(at + 300));
    synced.push(prefix.bytes);
  }
  assertEquals(synced, [1200, 2400, 3600, 4800]);
});

test("what a crash left beyond what is known is cut off; what is less, or no part, is told", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await withPart(dir, 1000);
  assertEquals(await cutPart(inbox, OLD, KEPT), true);
  assertEquals((await Deno.stat(inbox.partPath(OLD))).size, KEPT);
  assertEquals(await cutPart(inbox, OLD, KEPT + 1), false);
  assertEquals(await cutPart(inbox, NEW, 0), false);
  await Deno.symlink(inbox.partPath(OLD), inbox.partPath(NEW));
  assertEquals(await cutPart(inbox, NEW, 1), false);
  assertEquals((await Deno.stat(inbox.partPath(OLD))).size, KEPT);
});
