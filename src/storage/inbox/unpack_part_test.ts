import { assert, assertEquals, assertLess } from "@std/assert";
import { denoFileSystem, type FileSystem } from "../file_system.ts";
import type { TransferRecord } from "../journal_record.ts";
import { arrivalOf } from "../received_files.ts";
import { openStorage, type Storage } from "../storage.ts";
import { type Fault, FaultyFileSystem } from "../testing/faulty_file_system.ts";
import { receivedRecord, sha256 } from "../testing/inbox_fixture.ts";
import { archiveOf, treeOf } from "../testing/tar_blocks.ts";
import { namesIn, TemporaryFolder } from "../testing/temporary_folder.ts";
import { IncomingFile } from "./incoming_file.ts";
import { folderNameOf, isArchiveName } from "./unpack_part.ts";

const folder = (name: string) => ({ name, fields: { type: "5", mode: "0000755\0" } });
const ARCHIVE = archiveOf(
  folder("work/"),
  folder("work/docs/"),
  { name: "work/docs/a.txt", content: "first" },
  { name: "work/b.txt", content: "second" },
);
const HASH = sha256(ARCHIVE);
const TREE = {
  "/docs": "folder 755 1000",
  "/docs/a.txt": "file 644 1000 first",
  "/b.txt": "file 644 1000 second",
};

const open = (dir: TemporaryFolder, fs: FileSystem = denoFileSystem) =>
  openStorage({ dataDir: dir.at("data"), keepFreeBytes: 0, now: () => 42, fs });

/** Receives an archive and has it unpacked, as the daemon does; the name of what it became. */
async function receive(
  storage: Storage,
  n: number,
  bytes: Uint8Array = ARCHIVE,
  collision: "number" | "refuse" = "number",
): Promise<{ readonly savedAs: string; readonly failure?: string }> {
  const hash = sha256(bytes);
  const base = receivedRecord(n, { hash, displayName: "work.tar", size: bytes.length });
  const journal = async (changes: Partial<TransferRecord>) =>
    void await storage.journal.record({ ...base, hasPart: true, ...changes });
  await journal({});
  const { transferId } = base;
  await using file = await IncomingFile.create(storage.inbox, { transferId, size: bytes.length });
  await file.write(bytes);
  const publishing = { state: "publishing" } as const;
  const { savedAs, unpacking } = await file.finish({
    name: "work.tar",
    expectedHash: hash,
    collision,
    onPublishing: (savedAs) => journal({ ...publishing, savedAs }),
    unpack: {
      name: folderNameOf("work.tar"),
      onUnpacking: () => journal({ ...publishing, savedAs: "work.tar", unpack: "pending" }),
      onPublishing: (savedAs) => journal({ ...publishing, savedAs, unpack: "ready" }),
    },
  });
  const failure = unpacking !== undefined && "failure" in unpacking ? unpacking.failure : undefined;
  const completed = {
    state: "completed",
    savedAs,
    hasPart: false,
    bytes: bytes.length,
    ...(failure === undefined ? { unpack: "done" as const } : {}),
  } as const;
  const arrival = arrivalOf({ ...base, ...completed }, (name) => storage.inbox.pathOf(name));
  if (arrival !== undefined) await storage.received.record(arrival);
  await journal(completed);
  return { savedAs, ...(failure === undefined ? {} : { failure: failure.code }) };
}

/** The names of all that is recorded as arrived. */
async function arrived({ received }: Storage): Promise<string[]> {
  return (await received.after(undefined)).files.map(({ path }) => path.split("/").at(-1) ?? "");
}

async function assertTree(storage: Storage, name: string): Promise<void> {
  assertEquals(await treeOf(storage.inbox.pathOf(name)), TREE);
}

Deno.test("an archive becomes a folder of its name, with what its only folder has in it", async () => {
  await using dir = await TemporaryFolder.make();
  using storage = await open(dir);
  assertEquals(await receive(storage, 1), { savedAs: "work" });
  assertEquals(await receive(storage, 2), { savedAs: "work (1)" });
  assertEquals(await namesIn(storage.inbox.path), ["work", "work (1)"]);
  await assertTree(storage, "work");
  await assertTree(storage, "work (1)");
  assertEquals((await Deno.lstat(storage.inbox.pathOf("work"))).mtime?.getTime(), 1_000_000);
  const loose = archiveOf({ name: "one", content: "1" }, { name: "two/three", content: "2" });
  assertEquals(await receive(storage, 3, loose), { savedAs: "work (2)" });
  assertEquals(await namesIn(storage.inbox.pathOf("work (2)")), ["one", "two"]);
  const alone = archiveOf({ name: "work", content: "a file" });
  assertEquals(await receive(storage, 4, alone), { savedAs: "work (3)" });
  assertEquals(await namesIn(storage.inbox.pathOf("work (3)")), ["work"]);
});

Deno.test("names that end in .tar are unpacked, to a name that is safe without that", () => {
  assertEquals(["a.tar", "a.TAR", "a.tar.gz", "tar"].map(isArchiveName), [
    true,
    true,
    false,
    false,
  ]);
  assertEquals(["work.tar", "con.tar", "a. .tar", "mine", "_.tar"].map(folderNameOf), [
    "work",
    "_con",
    "a",
    "mine",
    "_",
  ]);
});

Deno.test("what can't be unpacked stays the file that arrived, and nothing of it is left beside", async (t) => {
  const hostile = archiveOf({ name: "fine", content: "x" }, { name: "../out", content: "x" });
  const cases:
    readonly (readonly [what: string, code: string, bytes: Uint8Array, fault?: Fault])[] = [
      ["a path that leads out", "ARCHIVE_REFUSED", hostile],
      ["no archive", "ARCHIVE_REFUSED", new TextEncoder().encode("no archive".repeat(100))],
      ["no space", "DISK_FULL", ARCHIVE, {
        on: "freeSpace",
        skip: 1,
        action: { free: { known: true, bytes: 100 } },
      }],
      ["a full disk", "DISK_FULL", ARCHIVE, {
        on: "write",
        path: /unpack/,
        action: { fail: "ENOSPC" },
      }],
    ];
  for (const [what, code, bytes, fault] of cases) {
    await t.step(what, async () => {
      await using dir = await TemporaryFolder.make();
      if (fault !== undefined) dir.fs.inject(fault);
      using storage = await open(dir, dir.fs);
      assertEquals(await receive(storage, 1, bytes), { savedAs: "work.tar", failure: code });
      assertEquals(await namesIn(storage.inbox.path), ["work.tar"]);
      assertEquals(await Deno.readFile(storage.inbox.pathOf("work.tar")), bytes);
    });
  }
});

Deno.test("a folder whose name is taken stays an archive where names are not numbered", async () => {
  await using dir = await TemporaryFolder.make();
  using storage = await open(dir);
  await Deno.mkdir(storage.inbox.pathOf("Work"));
  assertEquals(await receive(storage, 1, ARCHIVE, "refuse"), {
    savedAs: "work.tar",
    failure: "NAME_TAKEN",
  });
  assertEquals(await namesIn(storage.inbox.path), ["Work", "work.tar"]);
});

/** Calls of a start before the inbox is looked at: what a crash does there is not ours. */
async function callsToOpen(): Promise<number> {
  await using dir = await TemporaryFolder.make();
  (await open(dir))[Symbol.dispose]();
  const fs = new FaultyFileSystem(denoFileSystem);
  (await open(dir, fs))[Symbol.dispose]();
  return fs.calls.findIndex((call) => /inbox$/.test(call));
}

for (const crash of ["process", "power"] as const) {
  Deno.test(`a ${crash} crash at each call: the whole folder once, or nothing; never half, never the archive beside it`, async () => {
    const seen = { nothing: 0, recovered: 0 };
    for (let skip = await callsToOpen();; skip++) {
      assertLess(skip, 600);
      await using dir = await TemporaryFolder.make();
      const fs = new FaultyFileSystem(denoFileSystem);
      fs.inject({ skip, action: { crash } });
      let finished = false;
      const run = async () => {
        using storage = await open(dir, fs);
        await receive(storage, 1);
        finished = true;
      };
      await run().catch(() => {});
      using storage = await open(dir);
      const names = await namesIn(storage.inbox.path);
      if (names.length > 0) {
        assertEquals(names, ["work"], `call ${skip}: ${fs.calls.at(-1)}`);
        await assertTree(storage, "work");
      }
      const [record] = storage.journal.list();
      const isDone = record?.state === "completed";
      assertEquals(isDone ? [record.savedAs, record.unpack] : [], isDone ? ["work", "done"] : []);
      assertEquals([isDone ? ["work"] : [], await arrived(storage)], [names, names], String(skip));
      if (finished) {
        assertEquals(names, ["work"]);
        break;
      }
      seen[names.length === 0 ? "nothing" : "recovered"]++;
    }
    assert(seen.nothing > 5 && seen.recovered > 20, JSON.stringify(seen));
  });
}

Deno.test("a crash at each call of the start after it, too", async () => {
  for (const state of ["pending", "ready"] as const) {
    let crashes = 0;
    for (let skip = await callsToOpen();; skip++) {
      assertLess(skip, 600);
      await using dir = await TemporaryFolder.make();
      {
        using storage = await open(dir);
        const { inbox } = storage;
        const savedAs = state === "pending" ? "work.tar" : "work";
        const record = receivedRecord(1, { hash: HASH, size: ARCHIVE.length, hasPart: true });
        await storage.journal.record({ ...record, state: "publishing", savedAs, unpack: state });
        await Deno.writeFile(inbox.partPath(record.transferId), ARCHIVE);
        await Deno.mkdir(`${inbox.stagePath(record.transferId)}/folder/half`, { recursive: true });
        // Its reservation.
        if (state === "ready") await Deno.mkdir(inbox.pathOf("work"));
      }
      const fs = new FaultyFileSystem(denoFileSystem);
      fs.inject({ skip, action: { crash: "process" } });
      const started = await open(dir, fs).then(
        (storage) => storage[Symbol.dispose](),
        () => crashes++,
      );
      using storage = await open(dir);
      assertEquals(await namesIn(storage.inbox.path), ["work"], `${skip}: ${fs.calls.at(-1)}`);
      await assertTree(storage, "work");
      assertEquals(await arrived(storage), ["work"]);
      if (started === undefined) break;
    }
    assert(crashes > 40, String(crashes));
  }
});

Deno.test("a folder of somebody else under that name is left alone by the start after a crash", async () => {
  await using dir = await TemporaryFolder.make();
  {
    using storage = await open(dir);
    const { inbox } = storage;
    const record = receivedRecord(1, { hash: HASH, size: ARCHIVE.length, hasPart: true });
    await storage.journal.record({
      ...record,
      state: "publishing",
      savedAs: "work",
      unpack: "ready",
    });
    await Deno.writeFile(inbox.partPath(record.transferId), ARCHIVE);
    await Deno.mkdir(inbox.unpackedPath(record.transferId), { recursive: true });
    await Deno.mkdir(`${inbox.pathOf("work")}/theirs`, { recursive: true });
  }
  using storage = await open(dir);
  assertEquals(await namesIn(storage.inbox.path), ["work", "work (1)"]);
  assertEquals(await namesIn(storage.inbox.pathOf("work")), ["theirs"]);
  await assertTree(storage, "work (1)");
});
