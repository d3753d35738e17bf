import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { StorageError } from "../base/errors.ts";
import type { DataFolder } from "./data_folder.ts";
import { denoFileSystem, type FileSystem } from "./file_system.ts";
import { Journal, MAX_PENDING_RECORDS } from "./journal.ts";
import {
  formatLine,
  isTransferRecord,
  MAX_DISPLAY_NAME,
  MAX_LINE_BYTES,
  type TransferRecord,
} from "./journal_record.ts";
import { receivedRecord } from "./testing/inbox_fixture.ts";
import { FaultyFileSystem } from "./testing/faulty_file_system.ts";
import { namesIn, swapFolder, TemporaryFolder } from "./testing/temporary_folder.ts";

/** Windows has no modes and, for most users, no links. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const FILE = "data/journal.ndjson";

const open = (folder: DataFolder, fs: FileSystem = denoFileSystem) => Journal.open(fs, folder);

/** What a fresh reader finds. */
async function reread(folder: DataFolder): Promise<TransferRecord[]> {
  using journal = await open(folder);
  return journal.list();
}

test("the journal gives back the last state of each transfer after a restart", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  using journal = await open(folder);
  await journal.record(receivedRecord(1));
  await journal.record(receivedRecord(2, { direction: "send" }));
  await journal.record(receivedRecord(1, { state: "completed", savedAs: "photo.jpg", bytes: 100 }));
  const expected = [
    receivedRecord(2, { direction: "send" }),
    receivedRecord(1, { state: "completed", savedAs: "photo.jpg", bytes: 100 }),
  ];
  assertEquals(journal.list(), expected);
  assertEquals(await reread(folder), expected);
  assertEquals(((await Deno.stat(dir.at(FILE))).mode ?? 0) & 0o777, 0o600);
});

Deno.test("transfers with one id of different peers or directions are told apart", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  using journal = await open(folder);
  await journal.record(receivedRecord(1));
  await journal.record(receivedRecord(1, { direction: "send" }));
  await journal.record(receivedRecord(1, { peer: "cd".repeat(32) }));
  assertEquals(
    journal.list().filter((one) => one.transferId === receivedRecord(1).transferId).length,
    3,
  );
});

Deno.test('"Journal writes MUST be atomic or use write-ahead": a change is synced before it is told', async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  using journal = await open(folder, dir.fs);
  dir.fs.calls.length = 0;
  const gate = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  dir.fs.inject({
    on: "sync",
    action: {
      before: () => {
        reached.resolve();
        return gate.promise;
      },
    },
  });
  const recorded = journal.record(receivedRecord(1));
  await reached.promise;
  assertEquals(journal.list(), []);
  gate.resolve();
  await recorded;
  assertEquals(journal.list().length, 1);
});

Deno.test("changes that wait for the disk together are one line, synced once: all or none of them are there", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const before = [receivedRecord(1), receivedRecord(2)];
  const together = [3, 4, 1, 3].map((n, i) => receivedRecord(n, { bytes: i }));
  {
    using journal = await open(folder, dir.fs);
    for (const record of before) await journal.record(record);
    const { size } = await Deno.stat(dir.at(FILE));
    dir.fs.calls.length = 0;
    await Promise.all(together.map((record) => journal.record(record)));
    assertEquals(dir.fs.calls.filter((call) => call.startsWith("sync ")).length, 1);
    const whole = await Deno.readFile(dir.at(FILE));
    const expected = [before[1], together[1], together[2], together[3]];
    assertEquals(journal.list(), expected);
    assertEquals(await reread(folder), expected);
    for (let length = size; length < whole.length; length++) {
      await Deno.writeFile(dir.at(FILE), whole.subarray(0, length));
      assertEquals(await reread(folder), before, `${length} bytes`);
    }
  }
  using journal = await open(folder);
  await journal.record(receivedRecord(5));
  assertEquals(await reread(folder), [...before, receivedRecord(5)]);
});

Deno.test("of changes that come together those that are refused hold up no other, and room is made as for one", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  using journal = await Journal.open(denoFileSystem, folder, { maxTransfers: 3 });
  const records = [
    receivedRecord(1, { state: "failed" }),
    receivedRecord(2),
    receivedRecord(2, { size: -1 }),
    receivedRecord(3),
    receivedRecord(4),
    receivedRecord(5),
    receivedRecord(2, { state: "completed" }),
    receivedRecord(6),
  ];
  const outcomes = await Promise.allSettled(records.map((record) => journal.record(record)));
  assertEquals(
    outcomes.map((one) => one.status === "fulfilled" ? one.value : one.reason.code),
    [[], [], "JOURNAL_INVALID", [], [records[0]], "STORE_FULL", [], [records[6]]],
  );
  const expected = [receivedRecord(3), receivedRecord(4), receivedRecord(6)];
  assertEquals(journal.list(), expected);
  assertEquals(await reread(folder), expected);
});

Deno.test("changes that wait for the disk are bounded, and a failure is told to each that waits", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  using journal = await open(folder, dir.fs);
  const change = (bytes: number) => journal.record(receivedRecord(1, { bytes }));
  dir.fs.inject({ on: "sync", times: 1, action: { fail: "EIO" } });
  const waiting = Array.from({ length: MAX_PENDING_RECORDS }, (_, i) => change(i));
  const refused = assertRejects(() => change(0), StorageError);
  const outcomes = await Promise.allSettled(waiting);
  assertEquals((await refused).code, "QUEUE_FULL");
  assertEquals(outcomes.map(({ status }) => status), waiting.map(() => "rejected"));
  await change(7);
  assertEquals(await reread(folder), [receivedRecord(1, { bytes: 7 })]);
});

Deno.test("a journal cut anywhere in its last line gives what was recorded before, and goes on", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  {
    using journal = await open(folder);
    await journal.record(receivedRecord(1));
  }
  const one = (await Deno.stat(dir.at(FILE))).size;
  {
    using journal = await open(folder);
    await journal.record(receivedRecord(2));
  }
  const whole = await Deno.readFile(dir.at(FILE));
  for (let length = one; length < whole.length; length++) {
    await Deno.writeFile(dir.at(FILE), whole.subarray(0, length));
    assertEquals(await reread(folder), [receivedRecord(1)], `cut at ${length}`);
  }
  // Zeros are what some file systems leave of a block that never got to the disk.
  await Deno.writeFile(dir.at(FILE), whole.slice().fill(0, one));
  using journal = await open(folder);
  await journal.record(receivedRecord(3));
  assertEquals(await reread(folder), [receivedRecord(1), receivedRecord(3)]);
});

Deno.test("a journal damaged before its last line is refused with advice and left alone", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  {
    using journal = await open(folder);
    for (let n = 1; n <= 4; n++) await journal.record(receivedRecord(n));
  }
  const whole = await Deno.readFile(dir.at(FILE));
  const lines = new TextDecoder().decode(whole).trimEnd().split("\n");
  const lastStart = whole.length - ((lines.at(-1)?.length ?? 0) + 1);
  const spoilt: Uint8Array[] = [
    ...Array.from({ length: 40 }, (_, i) => {
      const bytes = whole.slice();
      const at = Math.floor(i * lastStart / 40);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      return bytes;
    }),
    ...[
      lines.toSpliced(2, 1), // one lost
      [lines[0], lines[2], lines[1], ...lines.slice(3)], // two swapped
      lines.slice(1), // no header
      [...lines.slice(0, 2), lines[1], ...lines.slice(2)], // one twice
      [""],
      ["{}", ...lines],
    ].map((text) => new TextEncoder().encode(text.join("\n") + "\n")),
    new Uint8Array(),
  ];
  for (const bytes of spoilt) {
    await Deno.writeFile(dir.at(FILE), bytes);
    const error = await assertRejects(() => open(folder), StorageError);
    assertEquals(error.code, "JOURNAL_INVALID");
    assertStringIncludes(error.message, "move it away");
    assertEquals(await Deno.readFile(dir.at(FILE)), bytes);
  }
});

test("a journal that is too open or endless is refused", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  (await open(folder))[Symbol.dispose]();
  await Deno.chmod(dir.at(FILE), 0o640);
  assertEquals((await assertRejects(() => open(folder), StorageError)).code, "MODE_TOO_OPEN");
  await Deno.chmod(dir.at(FILE), 0o600);
  await Deno.truncate(dir.at(FILE), 2 ** 40);
  assertEquals((await assertRejects(() => open(folder), StorageError)).code, "JOURNAL_INVALID");
});

Deno.test("a journal stays bounded: old ended transfers go, the file is rewritten", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  using journal = await Journal.open(denoFileSystem, folder, { maxTransfers: 10 });
  await journal.record(receivedRecord(0, { state: "active" }));
  const dropped: TransferRecord[] = [];
  let longest = 0;
  for (let n = 1; n <= 300; n++) {
    dropped.push(...await journal.record(receivedRecord(n, { state: "failed", hasPart: true })));
    longest = Math.max(longest, (await Deno.stat(dir.at(FILE))).size);
  }
  assertEquals(journal.list().length, 10);
  assertEquals(
    journal.list()[0],
    receivedRecord(0, { state: "active" }),
    "one under way is never dropped",
  );
  assertEquals(dropped.length, 291, "whose parts are to be removed is told");
  assertLess(longest, 2 * 11 * MAX_LINE_BYTES + 1);
  using again = await Journal.open(denoFileSystem, folder, { maxTransfers: 10 });
  assertEquals(again.list(), journal.list());
});

Deno.test("changes of the same transfers don't let the file grow without end", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  using journal = await Journal.open(denoFileSystem, folder, { maxTransfers: 2 });
  const limit = 2 * 3 * MAX_LINE_BYTES;
  let rewrites = 0;
  let size = 0;
  for (let bytes = 0; bytes < 400; bytes++) {
    await journal.record(receivedRecord(1, { bytes }));
    const now = (await Deno.stat(dir.at(FILE))).size;
    if (now < size) rewrites++;
    size = now;
    assertLess(size, limit + 1);
  }
  assert(rewrites > 0);
  using again = await Journal.open(denoFileSystem, folder, { maxTransfers: 2 });
  assertEquals(again.list(), [receivedRecord(1, { bytes: 399 })]);
});

Deno.test("a journal full of transfers under way refuses another", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  using journal = await Journal.open(denoFileSystem, folder, { maxTransfers: 2 });
  await journal.record(receivedRecord(1));
  await journal.record(receivedRecord(2));
  const error = await assertRejects(() => journal.record(receivedRecord(3)), StorageError);
  assertEquals(error.code, "STORE_FULL");
  await journal.record(receivedRecord(2, { state: "completed" }));
  assertEquals(await journal.record(receivedRecord(3)), [
    receivedRecord(2, { state: "completed" }),
  ]);
});

const WRONG: readonly Partial<{ [K in keyof TransferRecord]: unknown }>[] = [
  { transferId: "../../x" },
  { transferId: "A".repeat(32) },
  { peer: "" },
  { displayName: "a\nb" },
  { displayName: "a\u202eb" },
  { displayName: "x".repeat(MAX_DISPLAY_NAME + 1) },
  { savedAs: "../x" },
  { savedAs: "" },
  { size: -1 },
  { size: 0.5 },
  { bytes: 2 ** 53 },
  { state: "done" },
  { error: "free text" },
  { hasPart: 1 },
  { extra: 1 } as object,
];

for (const change of WRONG) {
  Deno.test(`a record with ${JSON.stringify(change).slice(0, 60)} is neither written nor read`, async () => {
    await using dir = await TemporaryFolder.make();
    using folder = await dir.dataFolder();
    using journal = await open(folder);
    const wrong: unknown = { ...receivedRecord(1), ...change };
    assertEquals(isTransferRecord(wrong), false);
    const error = await assertRejects(() => journal.record(wrong as TransferRecord), StorageError);
    assertEquals(error.code, "JOURNAL_INVALID");
    assertEquals(await reread(folder), []);
  });
}

Deno.test("the longest allowed record fits a line", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  using journal = await open(folder);
  const before = (await Deno.stat(dir.at(FILE))).size;
  await journal.record(receivedRecord(1, {
    displayName: "文".repeat(MAX_DISPLAY_NAME),
    savedAs: "文".repeat(85),
    size: Number.MAX_SAFE_INTEGER,
    bytes: Number.MAX_SAFE_INTEGER,
    hash: "ab".repeat(32),
    error: "E".repeat(64),
    createdAt: Number.MAX_SAFE_INTEGER,
    updatedAt: Number.MAX_SAFE_INTEGER,
    state: "interrupted",
  }));
  assertLess((await Deno.stat(dir.at(FILE))).size - before, MAX_LINE_BYTES + 1);
});

for (const on of ["write", "sync", "truncate", "seek"] as const) {
  Deno.test(`a ${on} that fails leaves the old state, and the next record is good`, async () => {
    await using dir = await TemporaryFolder.make();
    using folder = await dir.dataFolder();
    using journal = await open(folder, dir.fs);
    await journal.record(receivedRecord(1));
    // It is opened again, with what a crash left in it.
    journal[Symbol.dispose]();
    await Deno.writeTextFile(dir.at(FILE), '{"sum":"', { append: true });
    // The write fails in the middle of a line.
    if (on === "write") dir.fs.inject({ on, times: 1, action: { shortWrite: 20 } });
    dir.fs.inject({ on, action: { fail: "ENOSPC" } });
    const error = await assertRejects(() => journal.record(receivedRecord(2)), StorageError);
    assertEquals(error.code, "DISK_FULL");
    assertEquals(journal.list(), [receivedRecord(1)]);
    assertEquals(await reread(folder), [receivedRecord(1)]);
    dir.fs.heal();
    await journal.record(receivedRecord(3));
    assertEquals(await reread(folder), [receivedRecord(1), receivedRecord(3)]);
  });
}

Deno.test("a rewrite that fails leaves the old state, and the next record is good", async () => {
  for (const on of ["open", "write", "sync", "rename", "syncFolder"] as const) {
    await using dir = await TemporaryFolder.make();
    using folder = await dir.dataFolder();
    using journal = await Journal.open(dir.fs, folder, { maxTransfers: 1 });
    await journal.record(receivedRecord(1, { state: "failed" }));
    dir.fs.inject({ on, action: { fail: "EIO" } });
    await assertRejects(() => journal.record(receivedRecord(2, { state: "failed" })), StorageError);
    assertEquals(journal.list(), [receivedRecord(1, { state: "failed" })]);
    dir.fs.heal();
    await journal.record(receivedRecord(3));
    assertEquals(await reread(folder), [receivedRecord(3)], on);
  }
});

Deno.test("after a rewrite of which the last sync failed, the next change is not written into the wrong file", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  using journal = await Journal.open(dir.fs, folder, { maxTransfers: 2 });
  for (const n of [1, 2]) await journal.record(receivedRecord(n, { state: "failed" }));
  dir.fs.inject({ on: "syncFolder", action: { fail: "EIO" } });
  await assertRejects(() => journal.record(receivedRecord(3)), StorageError);
  dir.fs.heal();
  await journal.record(receivedRecord(2, { state: "cancelled" }));
  assertEquals(await reread(folder), [
    receivedRecord(1, { state: "failed" }),
    receivedRecord(2, { state: "cancelled" }),
  ]);
});

Deno.test("a journal that was cut or taken away while open is written anew", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  {
    using journal = await open(folder);
    await journal.record(receivedRecord(1));
    await Deno.truncate(dir.at(FILE), 10);
    await journal.record(receivedRecord(2));
    assertEquals(await reread(folder), [receivedRecord(1), receivedRecord(2)]);
  }
  using journal = await open(folder);
  await Deno.remove(dir.at(FILE));
  await journal.record(receivedRecord(3));
  assertEquals(await reread(folder), [receivedRecord(1), receivedRecord(2), receivedRecord(3)]);
});

for (const crash of ["process", "power"] as const) {
  Deno.test(`a ${crash} crash at each call leaves a readable journal with all that was told`, async () => {
    for (let skip = 0;; skip++) {
      assertLess(skip, 200);
      await using dir = await TemporaryFolder.make();
      using folder = await dir.dataFolder();
      const fs = new FaultyFileSystem(denoFileSystem);
      fs.inject({ on: "write", action: { shortWrite: 100 } });
      fs.inject({ skip, action: { crash } });
      const told: TransferRecord[] = [];
      const run = async () => {
        using journal = await Journal.open(fs, folder, { maxTransfers: 3 });
        for (const n of [1, 2, 4]) {
          // The second and the third at once.
          const next = (n === 2 ? [2, 3] : [n]).map((n) =>
            receivedRecord(n, { state: "completed" })
          );
          await Promise.all(next.map((record) => journal.record(record)));
          told.push(...next);
        }
      };
      await run().catch(() => {});
      using journal = await Journal.open(denoFileSystem, folder, { maxTransfers: 3 });
      const found = journal.list().map(({ transferId }) => transferId);
      for (const { transferId } of told.slice(-2)) assert(found.includes(transferId));
      assertLess(found.length, Math.min(told.length + 2, 3) + 1);
      assertEquals(found.length === 2 && told.length === 1, false, "half of what came at once");
      assertEquals(
        (await namesIn(folder.path)).filter((name) => name === "journal.ndjson").length,
        1,
      );
      if (told.length === 4) break;
    }
  });
}

Deno.test("any bytes at all give a journal or a refusal, never another error", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  {
    using journal = await open(folder);
    for (let n = 1; n <= 3; n++) await journal.record(receivedRecord(n));
  }
  const whole = await Deno.readFile(dir.at(FILE));
  const edits = fc.array(
    fc.tuple(fc.nat(whole.length), fc.nat(30), fc.uint8Array({ maxLength: 30 })),
    { minLength: 1, maxLength: 3 },
  );
  await fc.assert(
    fc.asyncProperty(edits, async (list) => {
      let bytes = whole;
      for (const [at, cut, put] of list) {
        bytes = new Uint8Array([...bytes.subarray(0, at), ...put, ...bytes.subarray(at + cut)]);
      }
      await Deno.writeFile(dir.at(FILE), bytes);
      try {
        const found = await reread(folder);
        assert(found.every((one, i) => one.transferId === receivedRecord(i + 1).transferId));
      } catch (error) {
        assert(error instanceof StorageError && error.code === "JOURNAL_INVALID");
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("a journal whose folder was swapped for another is not written: FOLDER_CHANGED, and the other's files are left alone", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  using journal = await open(folder);
  await journal.record(receivedRecord(1));
  const putBack = await swapFolder(folder.path, ["journal.ndjson"]);
  const error = await assertRejects(() => journal.record(receivedRecord(2)), StorageError);
  assertEquals(error.code, "FOLDER_CHANGED");
  assertEquals(await Deno.readTextFile(dir.at(FILE)), "not ours");
  await putBack();
  await journal.record(receivedRecord(3));
  assertEquals(await reread(folder), [receivedRecord(1), receivedRecord(3)]);
});

for (const step of ["write", "sync"] as const) {
  Deno.test(`a journal whose folder is swapped during its ${step} says so`, async () => {
    await using dir = await TemporaryFolder.make();
    using folder = await dir.dataFolder();
    using journal = await open(folder, dir.fs);
    await journal.record(receivedRecord(1));
    let putBack: (() => Promise<void>) | undefined;
    dir.fs.inject({
      on: step,
      path: /journal/,
      times: 1,
      action: { before: async () => void (putBack = await swapFolder(folder.path)) },
    });
    const error = await assertRejects(() => journal.record(receivedRecord(2)), StorageError);
    assertEquals(error.code, "FOLDER_CHANGED");
    await putBack?.();
    assertEquals(await reread(folder), [receivedRecord(1)]);
  });
}

Deno.test("a journal that lost its name while it was open is written anew, whole", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  using journal = await open(folder);
  await journal.record(receivedRecord(1));
  for (const put of [() => Deno.remove(dir.at(FILE)), () => replaceBy("not ours")]) {
    await put();
    await journal.record(receivedRecord(2));
    assertEquals(await reread(folder), [receivedRecord(1), receivedRecord(2)]);
  }
  async function replaceBy(text: string): Promise<void> {
    await Deno.writeTextFile(dir.at("other"), text.repeat(1000));
    await Deno.rename(dir.at("other"), dir.at(FILE));
  }
});

test("a journal of the version before is read, and written anew before more is added", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const record = receivedRecord(1);
  const header = formatLine("", { version: 1 });
  const line = formatLine(header.sum, record);
  const before = await new Blob([header.bytes, line.bytes]).bytes();
  await Deno.writeFile(dir.at(FILE), before, { mode: 0o600 });
  const kept = { bytes: 1, hash: "ab".repeat(32), saveAs: "a", consented: true };
  const now = receivedRecord(2, { kept, hasPart: true });
  {
    using journal = await open(folder);
    assertEquals(journal.list(), [record]);
    await journal.record(now);
  }
  assertEquals(
    (await Deno.readTextFile(dir.at(FILE))).split("\n")[0]?.includes('"version":2'),
    true,
  );
  assertEquals(await reread(folder), [record, now]);
  await Deno.writeFile(dir.at(FILE), formatLine("", { version: 3 }).bytes, { mode: 0o600 });
  await assertRejects(() => open(folder), StorageError, "not a journal");
});

Deno.test("what a record says of a part, a path, a try and a place in the queue is checked", () => {
  const kept = { bytes: 1, hash: "ab".repeat(32), saveAs: "a", consented: true };
  const queue = { order: 0, priority: -1, expiresAt: 9, lifetimeMs: 9, mtimeMs: -5 };
  const good = receivedRecord(1, { kept, sourcePath: "/a/b", lastTry: "ab".repeat(16), queue });
  assert(isTransferRecord(good));
  const archive = { name: "a.tar", paths: ["/a", "/b"] };
  for (const right of [{ archive }, { unpack: "ready" }, { kept: { ...kept, unpack: true } }]) {
    assert(isTransferRecord({ ...good, ...right }), JSON.stringify(right));
  }
  assert(isTransferRecord({ ...good, queue: { ...queue, ino: 7 } }));
  const wrong = [
    { archive: { ...archive, name: "a/b.tar" } },
    { archive: { ...archive, paths: [] } },
    { archive: { ...archive, paths: ["/a", 1] } },
    { archive: { ...archive, paths: Array.from({ length: 100 }, () => `/${"a".repeat(50)}`) } },
    { archive: { ...archive, more: 1 } },
    { unpack: "later" },
    { kept: { ...kept, unpack: false } },
    { kept: { ...kept, bytes: -1 } },
    { kept: { ...kept, hash: "x" } },
    { kept: { ...kept, saveAs: "a/b" } },
    { kept: { ...kept, consented: 1 } },
    { kept: { ...kept, more: 1 } },
    { kept: null },
    { sourcePath: "" },
    { sourcePath: `/${"\u0001".repeat(1000)}` },
    { lastTry: "x" },
    { queue: null },
    { queue: { ...queue, order: -1 } },
    { queue: { ...queue, priority: 0.5 } },
    { queue: { ...queue, expiresAt: -1 } },
    { queue: { ...queue, lifetimeMs: "9" } },
    { queue: { ...queue, mtimeMs: NaN } },
    { queue: { ...queue, ino: null } },
    { queue: { ...queue, ino: 0.5 } },
    { queue: { ...queue, more: 1 } },
  ];
  for (const changes of wrong) {
    assert(!isTransferRecord({ ...good, ...changes }), JSON.stringify(changes));
  }
});
