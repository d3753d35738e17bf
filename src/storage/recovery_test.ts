import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { StorageError } from "../base/errors.ts";
import { denoFileSystem, type FileSystem } from "./file_system.ts";
import { IncomingFile } from "./inbox/incoming_file.ts";
import type { TransferRecord } from "./journal_record.ts";
import { arrivalOf } from "./received_files.ts";
import { openStorage, type Storage } from "./storage.ts";
import { FaultyFileSystem } from "./testing/faulty_file_system.ts";
import { receivedRecord, sha256, transferId } from "./testing/inbox_fixture.ts";
import { namesIn, TemporaryFolder } from "./testing/temporary_folder.ts";

/** Windows has no modes and, for most users, no links. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const CONTENT = crypto.getRandomValues(new Uint8Array(100));
const HASH = sha256(CONTENT);
const PART = `.${transferId(1)}.part`;

interface Rest {
  readonly fs?: FileSystem;
  readonly onAbort?: "remove" | "keep";
}

const open = (dir: TemporaryFolder, rest: Rest = {}) =>
  openStorage({ dataDir: dir.at("data"), keepFreeBytes: 0, now: () => 42, ...rest });

/** Receives a file as the daemon does: journal first, then the part, then the name. */
async function receive(storage: Storage, n: number, name: string): Promise<string> {
  const base = receivedRecord(n, { hash: HASH, displayName: name });
  const journal = (changes: Partial<TransferRecord>) =>
    storage.journal.record({ ...base, hasPart: true, ...changes });
  await journal({});
  await using file = await IncomingFile.create(storage.inbox, {
    transferId: base.transferId,
    size: CONTENT.length,
  });
  await file.write(CONTENT.subarray(0, 60));
  await file.write(CONTENT.subarray(60));
  const { savedAs } = await file.finish({
    name,
    expectedHash: HASH,
    onPublishing: async (name) => void await journal({ state: "publishing", savedAs: name }),
  });
  const completed = { state: "completed", savedAs, hasPart: false, bytes: CONTENT.length } as const;
  const pathOf = (name: string) => storage.inbox.pathOf(name);
  const arrival = arrivalOf({ ...base, ...completed }, pathOf);
  if (arrival !== undefined) await storage.received.record(arrival);
  await journal(completed);
  return savedAs;
}

/** The names of all files that are recorded as arrived. */
async function arrived({ received }: Storage): Promise<string[]> {
  return (await received.after(undefined)).files.map(({ path }) => path.split("/").at(-1) ?? "");
}

Deno.test("transfers of the last run are interrupted, ended ones stay as they ended", async () => {
  await using dir = await TemporaryFolder.make();
  {
    using storage = await open(dir);
    assertEquals(storage.recovered, []);
    let n = 1;
    for (const state of ["queued", "offered", "active", "paused", "failed", "completed"] as const) {
      await storage.journal.record(receivedRecord(n++, { state, direction: "send" }));
    }
  }
  using storage = await open(dir);
  const states = storage.journal.list()
    .toSorted((a, b) => a.transferId < b.transferId ? -1 : 1)
    .map(({ state, updatedAt }) => `${state} ${updatedAt}`);
  const interrupted = Array.from({ length: 4 }, () => "interrupted 42");
  assertEquals(states, [...interrupted, "failed 1", "completed 1"]);
  assertEquals(storage.recovered.length, 4);
});

Deno.test("of files that wait for their peer those stay queued that can't arrive twice", async () => {
  await using dir = await TemporaryFolder.make();
  const queue = { order: 7, priority: -3, expiresAt: 99, lifetimeMs: 50, mtimeMs: -1 };
  const waits = { direction: "send", sourcePath: "/a", queue, bytes: 5 } as const;
  const lastTry = "cd".repeat(16);
  const cases: readonly (readonly [Partial<TransferRecord>, string])[] = [
    [{ ...waits, state: "queued", bytes: 0 }, "queued 0 1"],
    [{ ...waits, state: "offered" }, "queued 0 42"],
    // It may have been accepted, and has arrived then.
    [{ ...waits, state: "offered", size: 0, bytes: 0 }, "interrupted 0 42"],
    [{ ...waits, state: "offered", size: 0, bytes: 0, lastTry }, "queued 0 42"],
    [{ ...waits, state: "active", lastTry }, "queued 0 42"],
    [{ ...waits, state: "paused", lastTry }, "queued 0 42"],
    [{ ...waits, state: "active" }, "interrupted 5 42"],
    [{ ...waits, state: "completed", lastTry }, "completed 5 1"],
    [{ direction: "send", sourcePath: "/a", state: "queued", bytes: 0 }, "interrupted 0 42"],
  ];
  {
    using storage = await open(dir);
    for (const [n, [record]] of cases.entries()) {
      await storage.journal.record(receivedRecord(n, record));
    }
  }
  using storage = await open(dir);
  const found = storage.journal.list().toSorted((a, b) => a.transferId < b.transferId ? -1 : 1);
  assertEquals(
    found.map(({ state, bytes, updatedAt }) => `${state} ${bytes} ${updatedAt}`),
    cases.map(([, expected]) => expected),
  );
  assertEquals(found[0]?.queue, queue);
  assertEquals(storage.recovered.length, 3);
});

const KEPT = { bytes: 60, hash: sha256(CONTENT.subarray(0, 60)), saveAs: "a", consented: true };

for (const onAbort of ["remove", "keep"] as const) {
  Deno.test(`partial files of the last run that can go on: policy ${onAbort}; others go, those of others are left alone`, async () => {
    await using dir = await TemporaryFolder.make();
    const foreign = `.${transferId(99)}.part`;
    {
      using storage = await open(dir);
      await storage.journal.record(receivedRecord(1, { hasPart: true, kept: KEPT }));
      await storage.journal.record(receivedRecord(2, { hasPart: true }));
      await storage.journal.record(receivedRecord(3, { hasPart: true, kept: KEPT }));
      await Deno.writeFile(storage.inbox.pathOf(PART), CONTENT);
      // Nothing is known of the one, and less is there of the other than is known.
      await Deno.writeFile(storage.inbox.partPath(transferId(2)), CONTENT);
      await Deno.writeFile(storage.inbox.partPath(transferId(3)), CONTENT.subarray(0, 59));
      await Deno.writeFile(storage.inbox.pathOf(foreign), CONTENT);
    }
    {
      using storage = await open(dir, { onAbort });
      const kept = onAbort === "keep";
      assertEquals(await namesIn(storage.inbox.path), kept ? [PART, foreign] : [foreign]);
      const records = storage.journal.list();
      assertEquals(records.map(({ hasPart }) => hasPart), [kept, false, false]);
      assertEquals(records.map((record) => record.kept), [
        kept ? KEPT : undefined,
        undefined,
        undefined,
      ]);
      assertEquals(records[0]?.state, "interrupted");
      // What had come, and not what the journal knew when it began.
      assertEquals(records.map(({ bytes }) => bytes), [100, 100, 59]);
      assertEquals(storage.recovered.map(({ bytes }) => bytes), records.map(({ bytes }) => bytes));
      if (kept) assertEquals((await Deno.stat(storage.inbox.pathOf(PART))).size, 60);
    }
    using storage = await open(dir, { onAbort: "remove" });
    assertEquals(await namesIn(storage.inbox.path), [foreign], "a later policy counts");
  });
}

Deno.test("a file that was whole and verified when the run ended gets its name, or the next free one", async () => {
  await using dir = await TemporaryFolder.make();
  {
    using storage = await open(dir);
    const publishing = { state: "publishing", savedAs: "a.txt", hasPart: true } as const;
    await storage.journal.record(receivedRecord(1, { ...publishing, hash: HASH }));
    await Deno.writeFile(storage.inbox.pathOf(PART), CONTENT);
    await Deno.writeTextFile(storage.inbox.pathOf("a.txt"), "someone else's");
  }
  using storage = await open(dir);
  assertEquals(await namesIn(storage.inbox.path), ["a (1).txt", "a.txt"]);
  assertEquals(await Deno.readFile(storage.inbox.pathOf("a (1).txt")), CONTENT);
  assertEquals(await Deno.readTextFile(storage.inbox.pathOf("a.txt")), "someone else's");
  const [record] = storage.journal.list();
  assertEquals(
    [record?.state, record?.savedAs, record?.hasPart],
    ["completed", "a (1).txt", false],
  );
});

Deno.test("a part in the place of which something else was put is not taken for a whole file", async () => {
  await using dir = await TemporaryFolder.make();
  {
    using storage = await open(dir);
    const publishing = { state: "publishing", savedAs: "a", hash: HASH, hasPart: true } as const;
    await storage.journal.record(receivedRecord(1, publishing));
    await Deno.writeFile(storage.inbox.pathOf(PART), CONTENT.slice().fill(0));
  }
  using storage = await open(dir);
  assertEquals(storage.recovered[0]?.state, "interrupted");
  assertEquals(await namesIn(storage.inbox.path), []);
});

test("nothing is opened, and the lock is free, when one part can't be used", async () => {
  await using dir = await TemporaryFolder.make();
  (await open(dir))[Symbol.dispose]();
  await Deno.chmod(dir.at("data/inbox"), 0o777);
  await assertRejects(() => open(dir), StorageError, "chmod go-w");
  await Deno.chmod(dir.at("data/inbox"), 0o700);
  (await open(dir))[Symbol.dispose]();
});

Deno.test("the secret key is zeroed when the storage is disposed", async () => {
  await using dir = await TemporaryFolder.make();
  const storage = await open(dir);
  assert(!storage.identity.secretKey.spent);
  storage[Symbol.dispose]();
  assert(storage.identity.secretKey.spent);
});

for (const links of [true, false]) {
  for (const crash of ["process", "power"] as const) {
    Deno.test(`a ${crash} crash at each call of a run, ${links ? "with" : "without"} links: identity and pins the same, no half file under a final name, no finished file lost, each recorded once`, async () => {
      let recovered = 0;
      for (let skip = 0;; skip++) {
        assertLess(skip, 400);
        await using dir = await TemporaryFolder.make();
        const fs = new FaultyFileSystem(denoFileSystem);
        if (!links) fs.inject({ on: "link", action: { fail: "EOPNOTSUPP" } });
        fs.inject({ on: "write", path: /part$/, action: { shortWrite: 33 } });
        fs.inject({ skip, action: { crash } });
        let identity: string | undefined;
        let pinned = false;
        const finished: string[] = [];
        const run = async () => {
          using storage = await open(dir, { fs });
          identity = storage.identity.publicKey.hex;
          await storage.trust.allow({
            identity: "ab".repeat(32),
            code: "A",
            deviceName: "",
            seenAt: 0,
            proven: false,
          });
          pinned = true;
          for (const n of [1, 2]) finished.push(await receive(storage, n, "photo.jpg"));
        };
        await run().catch(() => {});
        using storage = await open(dir);
        if (identity !== undefined) assertEquals(storage.identity.publicKey.hex, identity);
        if (pinned) assertEquals(storage.trust.decisionFor("ab".repeat(32)), "allow_always");
        const names = await namesIn(storage.inbox.path);
        for (const name of names) {
          assert(!name.startsWith("."), name);
          assertEquals(await Deno.readFile(storage.inbox.pathOf(name)), CONTENT, name);
        }
        for (const name of finished) assert(names.includes(name));
        const completed = storage.journal.list().filter(({ state }) => state === "completed");
        assertEquals(completed.map(({ savedAs }) => savedAs).sort(), names);
        assertEquals((await arrived(storage)).sort(), names, "each file has arrived once");
        if (names.length > finished.length) recovered++;
        if (finished.length === 2) break;
      }
      assert(recovered > 0, "some crashes came after the verification and before the name");
    });
  }
}

Deno.test("a crash at each call of a start records a file that the run before had left once", async () => {
  let crashes = 0;
  for (let skip = 0;; skip++) {
    assertLess(skip, 400);
    await using dir = await TemporaryFolder.make();
    {
      using storage = await open(dir);
      const publishing = { state: "publishing", savedAs: "a.txt", hasPart: true } as const;
      await storage.journal.record(receivedRecord(1, { ...publishing, hash: HASH }));
      await Deno.writeFile(storage.inbox.pathOf(PART), CONTENT);
    }
    const fs = new FaultyFileSystem(denoFileSystem);
    fs.inject({ skip, action: { crash: "process" } });
    const started = await open(dir, { fs }).then(
      (storage) => storage[Symbol.dispose](),
      () => crashes++,
    );
    using storage = await open(dir);
    assertEquals(await arrived(storage), ["a.txt"], String(skip));
    if (started === undefined) break;
  }
  assert(crashes > 20, String(crashes));
});
