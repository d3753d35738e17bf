import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { StorageError } from "../../../base/errors.ts";
import { KEPT_LOOK_MS } from "../../../base/timing.ts";
import { EventHub } from "../../../ipc/server/event_hub.ts";
import { FileHash } from "../../../protocol/crypto/sha256.ts";
import { parseTransferId } from "../../../protocol/messages/transfer_id.ts";
import type { OfferedFile } from "../../../protocol/transfer/file_receiver.ts";
import { denoFileSystem } from "../../../storage/file_system.ts";
import type { Inbox } from "../../../storage/inbox/inbox.ts";
import { openStorage, type Storage } from "../../../storage/storage.ts";
import { FaultyFileSystem } from "../../../storage/testing/faulty_file_system.ts";
import { sha256, transferId } from "../../../storage/testing/inbox_fixture.ts";
import { namesIn, TemporaryFolder } from "../../../storage/testing/temporary_folder.ts";
import { HandClock, memoryLog } from "../../testing/fixtures.ts";
import { EarlierTries, type EarlierTriesOptions } from "./earlier_tries.ts";
import { IncomingPart, type PartEnd } from "./incoming_part.ts";
import type { SessionTransfers } from "./session_transfers.ts";
import type { TransferEntry } from "./transfer_entry.ts";
import { TransferRegistry } from "./transfer_registry.ts";

const CONTENT = crypto.getRandomValues(new Uint8Array(1000));
const CHUNK = 100;
const SYNC = 200;
const [ALICE, EVE] = ["ab".repeat(32), "cd".repeat(32)];

const sessionOf = (identity: string): SessionTransfers =>
  ({ sessionId: crypto.randomUUID(), identity, proven: true, resumes: true }) as SessionTransfers;

function offered(n: number, content = CONTENT): OfferedFile {
  const id = parseTransferId(transferId(n));
  const fileHash = FileHash.parse(sha256(content));
  assert(id !== undefined && fileHash !== undefined);
  return {
    transferId: id,
    filename: "f",
    size: content.length,
    totalChunks: Math.ceil(content.length / CHUNK),
    chunkSize: CHUNK,
    fileHash,
    implied: false,
  };
}

/** A run of a receiving daemon, as far as parts are concerned. */
class Receiver implements Disposable {
  readonly storage: Storage;
  readonly registry: TransferRegistry;
  readonly tries: EarlierTries;
  readonly clock: HandClock;
  readonly #log = memoryLog();

  constructor(storage: Storage, clock: HandClock, more: Partial<EarlierTriesOptions> = {}) {
    const { inbox, journal } = storage;
    this.storage = storage;
    this.clock = clock;
    this.registry = new TransferRegistry({
      received: storage.received,
      journal,
      events: new EventHub(),
      log: this.#log,
      now: clock.now,
      dropPart: (id) => inbox.removePart(id),
      pathOf: (name) => inbox.pathOf(name),
    });
    this.tries = new EarlierTries({
      registry: this.registry,
      received: storage.received,
      inbox,
      onAbort: "keep",
      isPinned: () => true,
      log: this.#log,
      now: clock.now,
      steady: clock.now,
      after: clock.after,
      ...more,
    });
  }

  static async open(
    dir: TemporaryFolder,
    { fs = denoFileSystem, clock = new HandClock(), ...more }:
      & Partial<EarlierTriesOptions>
      & { readonly fs?: FaultyFileSystem | typeof denoFileSystem; readonly clock?: HandClock } = {},
  ): Promise<Receiver> {
    const storage = await openStorage({
      dataDir: dir.at("data"),
      keepFreeBytes: 0,
      fs,
      now: clock.now,
    });
    return new Receiver(storage, clock, more);
  }

  get inbox(): Inbox {
    return this.storage.inbox;
  }

  begin(file: OfferedFile, identity = ALICE): TransferEntry {
    return this.registry.begin(
      {
        transferId: file.transferId,
        direction: "incoming",
        identity,
        name: file.filename,
        size: file.size,
        priority: 0,
        createdAt: this.clock.time,
      },
      "offered",
      { ...(file.fileHash === undefined ? {} : { fileHash: file.fileHash.hex }) },
    );
  }

  make(
    entry: TransferEntry,
    file: OfferedFile,
    onPossible: () => void = () => {},
  ): Promise<IncomingPart> {
    return IncomingPart.make({
      ...{ registry: this.registry, tries: this.tries, inbox: this.inbox, log: this.#log },
      ...{ entry, file, session: sessionOf(entry.facts.identity), saveAs: "f" },
      collision: "number",
      syncBytes: SYNC,
      consent: "person",
      unpack: false,
      ended: new AbortController().signal,
      onPossible,
    });
  }

  /** Receives a file up to a byte, and gives up. */
  async lose(n: number, upTo: number, as: PartEnd = "keep with consent", identity = ALICE) {
    const file = offered(n);
    const entry = this.begin(file, identity);
    const part = await this.make(entry, file);
    await feed(part, upTo);
    await part.giveUp(as);
    const failure = { code: "CONNECTION_LOST", message: "" };
    await this.registry.change(entry, { state: "interrupted", failure });
    await this.tries.review(entry);
    return entry;
  }

  [Symbol.dispose](): void {
    this.tries[Symbol.dispose]();
    this.storage[Symbol.dispose]();
  }
}

async function feed(part: IncomingPart, upTo: number): Promise<void> {
  for (let at = part.resumedFrom; at < upTo; at += CHUNK) {
    await part.write(CONTENT.slice(at, Math.min(upTo, at + CHUNK)));
  }
}

const keptBytes = ({ progress }: TransferEntry) => progress.kept?.bytes;

for (const crash of ["process", "power"] as const) {
  Deno.test(`a ${crash} crash at each call of a try that goes on: what was journaled is there, and all goes on with it`, async () => {
    for (let skip = 0;; skip++) {
      assertLess(skip, 300);
      await using dir = await TemporaryFolder.make();
      {
        using receiver = await Receiver.open(dir);
        await receiver.lose(1, 500);
      }
      const fs = new FaultyFileSystem(denoFileSystem);
      // The start before is tested in storage/recovery_test.ts.
      using receiver = await Receiver.open(dir, { fs });
      let known = 500;
      let isFinished = false;
      fs.inject({ skip, action: { crash } });
      const run = async () => {
        const file = offered(2);
        const entry = receiver.begin(file);
        const part = await receiver.make(entry, file);
        assertEquals(part.resumedFrom, 500);
        for (let at = 500; at < 1000; at += CHUNK) {
          await part.write(CONTENT.slice(at, at + CHUNK));
          await receiver.registry.settled();
          if (!fs.isDead) known = keptBytes(entry) ?? known;
        }
        await part.finish();
        isFinished = true;
      };
      await run().catch(() => {});
      const crashed = fs.isDead;
      receiver[Symbol.dispose]();
      using after = await Receiver.open(dir);
      const names = await namesIn(after.inbox.path);
      if (names.includes("f")) {
        // Published, by then or by the start: it is whole, and nothing is left beside it.
        assertEquals(names, ["f"]);
        assertEquals(await Deno.readFile(after.inbox.pathOf("f")), CONTENT);
      } else {
        assert(!isFinished);
        const file = offered(3);
        const part = await after.make(after.begin(file), file);
        assertEquals(part.resumedFrom >= known, true, `${part.resumedFrom} of ${known}, ${skip}`);
        await feed(part, 1000);
        await part.finish();
        assertEquals(await namesIn(after.inbox.path), ["f"]);
        assertEquals(await Deno.readFile(after.inbox.pathOf("f")), CONTENT);
      }
      if (!crashed) break;
    }
  });
}

/** A file that is offered, and of which so many bytes have come. */
async function halfReceived(receiver: Receiver, bytes: number) {
  const file = offered(1);
  const entry = receiver.begin(file);
  const part = await receiver.make(entry, file);
  await feed(part, bytes);
  return { entry, part };
}

for (const crash of ["process", "power"] as const) {
  Deno.test(`a ${crash} crash at each call of files that are published together: what has its name is whole, told of and recorded once`, async () => {
    for (let skip = 0;; skip++) {
      assertLess(skip, 300);
      await using dir = await TemporaryFolder.make();
      const fs = new FaultyFileSystem(denoFileSystem);
      using receiver = await Receiver.open(dir, { fs });
      const ids = [1, 2, 3];
      const parts = await Promise.all(ids.map(async (n) => {
        const part = await receiver.make(receiver.begin(offered(n)), offered(n));
        await feed(part, 1000);
        return { n, part };
      }));
      await receiver.registry.settled();
      const named: number[] = [];
      fs.inject({ skip, action: { crash } });
      await Promise.allSettled(
        parts.map(({ n, part }) => part.finish({ onNamed: () => named.push(n) })),
      );
      const crashed = fs.isDead;
      receiver[Symbol.dispose]();
      using after = await Receiver.open(dir);
      const names = (await namesIn(after.inbox.path)).filter((name) => !name.startsWith("."));
      for (const name of names) {
        assertEquals(await Deno.readFile(after.inbox.pathOf(name)), CONTENT);
      }
      const completed = ids.filter((n) =>
        after.registry.get(transferId(n)).progress.state === "completed"
      );
      assertEquals(completed.length, names.length, `${skip}`);
      assert(named.every((n) => completed.includes(n)), `${skip}: ${named} of ${completed}`);
      const { files } = await after.storage.received.after(undefined);
      assertEquals(
        files.map((file) => file.transferId).sort(),
        completed.map(transferId),
        `${skip}`,
      );
      if (!crashed) break;
    }
  });
}

Deno.test("a file does not get its name while the journal has no space for it: after a crash it would come twice", async () => {
  await using dir = await TemporaryFolder.make();
  const fs = new FaultyFileSystem(denoFileSystem);
  using receiver = await Receiver.open(dir, { fs });
  const { entry, part } = await halfReceived(receiver, 1000);
  await receiver.registry.settled();
  fs.inject({ on: "write", path: /journal/, times: 1, action: { fail: "ENOSPC" } });
  const error = await assertRejects(() => part.finish(), StorageError);
  assertEquals(error.code, "DISK_FULL");
  await part.giveUp("keep");
  await receiver.registry.change(entry, { state: "failed" });
  assertEquals(await namesIn(receiver.inbox.path), [`.${transferId(1)}.part`]);
  // It goes on when there is space.
  const again = offered(2);
  const second = await receiver.make(receiver.begin(again), again);
  assertEquals(second.resumedFrom, 900);
  await feed(second, 1000);
  await second.finish();
  assertEquals(await namesIn(receiver.inbox.path), ["f"]);
});

Deno.test("a disk that gets full in the middle keeps what has come, and it goes on when there is space", async () => {
  await using dir = await TemporaryFolder.make();
  const fs = new FaultyFileSystem(denoFileSystem);
  using receiver = await Receiver.open(dir, { fs });
  const { entry, part } = await halfReceived(receiver, 500);
  fs.inject({ on: "write", path: /part$/, times: 1, action: { shortWrite: 50 } });
  fs.inject({ on: "write", path: /part$/, times: 1, action: { fail: "ENOSPC" } });
  const error = await assertRejects(
    () => part.write(CONTENT.slice(500, 600)),
    StorageError,
  );
  assertEquals(error.code, "DISK_FULL");
  await part.giveUp("keep");
  await receiver.registry.change(entry, { state: "failed" });
  assertEquals([keptBytes(entry), entry.progress.kept?.consented], [500, false]);
  // Still full: what is kept stays so.
  const again = offered(2);
  fs.inject({ on: "freeSpace", times: 1, action: { free: { known: true, bytes: 10 } } });
  const second = receiver.begin(again);
  await assertRejects(() => receiver.make(second, again), StorageError, "free space");
  await receiver.registry.change(second, { state: "failed", hasPart: false, kept: undefined });
  assertEquals(keptBytes(entry), 500);
  const third = offered(3);
  const freed = await receiver.make(receiver.begin(third), third);
  assertEquals(freed.resumedFrom, 500);
  await feed(freed, 1000);
  await freed.finish();
  assertEquals(await Deno.readFile(receiver.inbox.pathOf("f")), CONTENT);
  assertEquals(await namesIn(receiver.inbox.path), ["f"]);
});

Deno.test("a part has one holder: another try of the file at the same time starts at its first byte", async () => {
  await using dir = await TemporaryFolder.make();
  using receiver = await Receiver.open(dir);
  await receiver.lose(1, 500);
  const [second, third] = [offered(2), offered(3)];
  const holder = await receiver.make(receiver.begin(second), second);
  const other = await receiver.make(receiver.begin(third), third);
  assertEquals([holder.resumedFrom, other.resumedFrom], [500, 0]);
  for (const part of [holder, other]) {
    await feed(part, 1000);
    await part.finish();
  }
  assertEquals(await namesIn(receiver.inbox.path), ["f", "f (1)"]);
});

Deno.test("what speaks against a file is found before its peer may send it, and the space is given back", async () => {
  await using dir = await TemporaryFolder.make();
  const fs = new FaultyFileSystem(denoFileSystem);
  using receiver = await Receiver.open(dir, { fs });
  const [file, said] = [offered(1), [] as string[]];
  const free = { known: true, bytes: 1500 } as const;
  fs.inject({ on: "freeSpace", action: { free } });
  const make = (n: number) =>
    receiver.make(receiver.begin({ ...file, transferId: offered(n).transferId }), file, () => {
      said.push(`${n}`);
    });
  fs.inject({ on: "open", path: /part$/, times: 1, action: { fail: "EIO" } });
  await assertRejects(() => make(1), StorageError, "cannot make");
  assertEquals(said, ["1"]);
  const part = await make(2);
  const error = await assertRejects(() => make(3), StorageError);
  await part.giveUp("remove");
  assertEquals([error.code, said], ["DISK_FULL", ["1", "2"]]);
});

Deno.test("another peer's part of the same file is not gone on with, and not touched", async () => {
  await using dir = await TemporaryFolder.make();
  using receiver = await Receiver.open(dir);
  const alices = await receiver.lose(1, 500);
  const file = offered(2);
  const part = await receiver.make(receiver.begin(file, EVE), file);
  assertEquals(part.resumedFrom, 0);
  await feed(part, 1000);
  await part.finish();
  assertEquals(keptBytes(alices), 500);
});

Deno.test("parts together are bounded: who has most loses the oldest", async () => {
  await using dir = await TemporaryFolder.make();
  const bounds = { maxBytes: 1000, maxAgeMs: 1e9 };
  using receiver = await Receiver.open(dir, { bounds });
  // Of one file the longest alone is kept, so these are of different hashes.
  const lose = async (n: number, bytes: number, identity: string) => {
    receiver.clock.time++;
    const file = { ...offered(n), fileHash: FileHash.parse(sha256(new Uint8Array([n]))) };
    assert(file.fileHash !== undefined);
    const { fileHash } = file;
    const entry = receiver.begin({ ...file, fileHash }, identity);
    const part = await receiver.make(entry, { ...file, fileHash });
    await feed(part, bytes);
    await part.giveUp("keep");
    await receiver.registry.change(entry, { state: "interrupted" });
    await receiver.tries.review(entry);
    return entry;
  };
  const alices = await lose(1, 300, ALICE);
  const eves = [
    await lose(2, 300, EVE),
    await lose(3, 300, EVE),
    await lose(4, 300, EVE),
    await lose(5, 600, EVE),
  ];
  assertEquals([alices, ...eves].map(keptBytes), [300, undefined, undefined, undefined, 600]);
  assertEquals((await namesIn(receiver.inbox.path)).length, 2);
});

Deno.test("a part that is too old goes by itself, also over a restart", async () => {
  await using dir = await TemporaryFolder.make();
  const clock = new HandClock();
  clock.time = 1e12;
  const day = 24 * 3600 * 1000;
  {
    using receiver = await Receiver.open(dir, { clock });
    const entry = await receiver.lose(1, 500);
    clock.pass(6 * day);
    await receiver.registry.settled();
    assertEquals(keptBytes(entry), 500);
  }
  using receiver = await Receiver.open(dir, { clock });
  await receiver.tries.prune();
  const entry = receiver.registry.get(transferId(1));
  assertEquals(keptBytes(entry), 500);
  clock.pass(day - 1);
  assertEquals(keptBytes(entry), 500);
  clock.pass(KEPT_LOOK_MS);
  while (keptBytes(entry) !== undefined) await new Promise((resolve) => setTimeout(resolve));
  await receiver.registry.settled();
  assertEquals(await namesIn(receiver.inbox.path), []);
  assertEquals(clock.waiting, 0);
});

Deno.test("the time of day may jump by days while the daemon runs: parts stay as long as they may, and no longer", async () => {
  const day = 24 * 3600 * 1000;
  for (const jump of [30 * day, -30 * day]) {
    await using dir = await TemporaryFolder.make();
    const [clock, steady] = [new HandClock(), new HandClock()];
    clock.time = 1e12;
    using receiver = await Receiver.open(dir, {
      ...{ clock, steady: steady.now, after: steady.after },
    });
    const entry = await receiver.lose(1, 500);
    clock.time += jump;
    await receiver.tries.prune();
    steady.time += 7 * day - 1;
    await receiver.tries.prune();
    assertEquals(keptBytes(entry), 500);
    steady.time += 1;
    await receiver.tries.prune();
    await receiver.registry.settled();
    assertEquals([keptBytes(entry), await namesIn(receiver.inbox.path)], [undefined, []]);
  }
});

Deno.test("over a restart a clock that was put back makes a part stay no longer than its whole time", async () => {
  const day = 24 * 3600 * 1000;
  await using dir = await TemporaryFolder.make();
  const [clock, steady] = [new HandClock(), new HandClock()];
  clock.time = 1e12;
  {
    using receiver = await Receiver.open(dir, { clock });
    await receiver.lose(1, 500);
  }
  clock.time -= 300 * day;
  using receiver = await Receiver.open(dir, {
    ...{ clock, steady: steady.now, after: steady.after },
  });
  const entry = receiver.registry.get(transferId(1));
  await receiver.tries.prune();
  steady.time += 7 * day - 1;
  await receiver.tries.prune();
  assertEquals(keptBytes(entry), 500);
  steady.time += 1;
  await receiver.tries.prune();
  await receiver.registry.settled();
  assertEquals(keptBytes(entry), undefined);
});

Deno.test("what is kept of a peer goes when it is not trusted any more, also what ends just then", async () => {
  await using dir = await TemporaryFolder.make();
  let isPinned = true;
  using receiver = await Receiver.open(dir, { isPinned: () => isPinned });
  await receiver.lose(1, 500);
  const file = offered(2);
  const entry = receiver.begin(file);
  const part = await receiver.make(entry, file);
  await receiver.lose(3, 400, "keep", EVE);
  isPinned = false;
  await receiver.tries.dropAllOf(ALICE);
  await part.giveUp("keep with consent");
  await receiver.registry.change(entry, { state: "interrupted" });
  await receiver.tries.review(entry);
  assertEquals(await namesIn(receiver.inbox.path), [`.${transferId(3)}.part`]);
});

Deno.test("a start believes no more than was journaled, and cuts the part to that", async () => {
  await using dir = await TemporaryFolder.make();
  {
    const fs = new FaultyFileSystem(denoFileSystem);
    using receiver = await Receiver.open(dir, { fs });
    const file = offered(1);
    const part = await receiver.make(receiver.begin(file), file);
    await feed(part, 500);
    await receiver.registry.settled();
    fs.inject({ action: { crash: "process" } });
    await assertRejects(() => part.write(CONTENT.slice(500, 600)));
  }
  using receiver = await Receiver.open(dir);
  const entry = receiver.registry.get(transferId(1));
  assertEquals([entry.progress.state, keptBytes(entry)], ["interrupted", 400]);
  assertEquals((await Deno.stat(receiver.inbox.partPath(transferId(1)))).size, 400);
});
