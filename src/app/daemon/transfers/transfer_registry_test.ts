import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { StorageError } from "../../../base/errors.ts";
import { PROGRESS_MS, SPACE_RETRY } from "../../../base/timing.ts";
import { MetricsRegistry } from "../../../ipc/server/metrics.ts";
import { OperationError } from "../../../ipc/api/problem.ts";
import { Journal, MAX_PENDING_RECORDS } from "../../../storage/journal.ts";
import type { Arrival } from "../../../storage/received_files.ts";
import { TemporaryFolder } from "../../../storage/testing/temporary_folder.ts";
import { Tally } from "../tally.ts";
import { HandClock, MemoryEvents, memoryLog } from "../../testing/fixtures.ts";
import { MAX_WAITING_CHANGES, TransferRegistry } from "./transfer_registry.ts";
import type { TransferFacts } from "./transfer_entry.ts";

const facts = (n: number, more: Partial<TransferFacts> = {}): TransferFacts => ({
  transferId: n.toString(16).padStart(32, "0"),
  direction: "incoming",
  identity: "ab".repeat(32),
  name: `file-${n}`,
  size: 1000,
  priority: 0,
  createdAt: n,
  ...more,
});

/** A registry over a journal on disk, for one test. */
class Shelf implements AsyncDisposable {
  readonly events = new MemoryEvents();
  readonly log = memoryLog();
  readonly clock = new HandClock();
  readonly dropped: string[] = [];
  readonly received: Arrival[] = [];
  receivedFails: Error | undefined;
  onRecord = () => {};

  private constructor(
    readonly folder: TemporaryFolder,
    readonly journal: Journal,
    readonly data: Disposable,
  ) {}

  static async open(maxTransfers?: number): Promise<Shelf> {
    const folder = await TemporaryFolder.make();
    const data = await folder.dataFolder(folder.fs);
    const options = maxTransfers === undefined ? {} : { maxTransfers };
    return new Shelf(folder, await Journal.open(folder.fs, data, options), data);
  }

  registry(tally?: Tally): TransferRegistry {
    const { events, log, clock, journal, dropped, received } = this;
    return new TransferRegistry({
      journal,
      received: {
        record: (arrival) => {
          this.onRecord();
          if (this.receivedFails !== undefined) return Promise.reject(this.receivedFails);
          return Promise.resolve(void received.push(arrival));
        },
      },
      events,
      ...(tally === undefined ? {} : { tally }),
      log,
      now: clock.now,
      after: clock.after,
      dropPart: (id) => Promise.resolve(void dropped.push(id)),
      pathOf: (savedAs) => `/inbox/${savedAs}`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.journal[Symbol.dispose]();
    this.data[Symbol.dispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

Deno.test("a change is on disk before it is told", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  const onDisk: unknown[] = [];
  const { publish } = shelf.events;
  shelf.events.publish = (event) => {
    if (event.type.startsWith("transfer-")) onDisk.push(shelf.journal.list()[0]?.state);
    return publish.call(shelf.events, event);
  };
  const entry = registry.begin(facts(1), "offered");
  assertEquals(shelf.events.types, []);
  await registry.settled();
  await registry.change(entry, { state: "active" }, "transfer-started");
  await registry.change(entry, { state: "completed", savedAs: "x" }, "transfer-finished");
  assertEquals(shelf.events.types, ["transfer-offered", "transfer-started", "transfer-finished"]);
  assertEquals(onDisk, ["offered", "active", "completed"]);
});

const ARRIVED = { state: "completed", savedAs: "x", fileHash: "cd".repeat(32) } as const;

Deno.test("a file that has arrived is recorded before the journal has its end, and before it is told", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  const seen: unknown[] = [];
  const { record } = shelf.journal;
  shelf.journal.record = (entry) => {
    if (entry.state === "completed") seen.push(["journal", shelf.received.length]);
    return record.call(shelf.journal, entry);
  };
  const entry = registry.begin(facts(1), "offered");
  registry.change(entry, { state: "verifying", savedAs: "x" });
  assertEquals(shelf.received, []);
  shelf.clock.time = 7;
  await registry.change(entry, ARRIVED, "transfer-finished");
  assertEquals(seen, [["journal", 1]]);
  const { transferId, identity } = facts(1);
  assertEquals(shelf.received, [{
    ...{ transferId, peer: identity, displayName: "file-1", path: "/inbox/x", size: 1000 },
    ...{ hash: "cd".repeat(32), offeredAt: 1, arrivedAt: 7 },
  }]);
  assertEquals(shelf.events.types.at(-1), "transfer-finished");
});

Deno.test("a file that was sent, and one that had come with an earlier try, are not recorded as arrived", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  const sent = registry.begin(facts(1, { direction: "outgoing" }), "queued");
  await registry.change(sent, ARRIVED, "transfer-finished");
  const again = registry.begin(facts(2), "offered");
  await registry.change(again, ARRIVED, "transfer-finished");
  assertEquals(shelf.received, []);
});

Deno.test("an arrival that can't be recorded is told, and left to the next start: the journal has no end", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  const entry = registry.begin(facts(1), "offered");
  registry.change(entry, { state: "verifying", savedAs: "x" });
  shelf.receivedFails = new StorageError("IO_FAILED", "the disk is broken");
  await registry.change(entry, ARRIVED, "transfer-finished");
  assertEquals(shelf.journal.list()[0]?.state, "publishing");
  assertEquals(shelf.events.types.at(-1), "transfer-finished");
  assert(
    shelf.log.lines.some((line) => line.includes("could not be recorded")),
    shelf.log.lines[0],
  );
});

Deno.test("an arrival for whose record there is no space is told when there is, and not before", async () => {
  await using shelf = await Shelf.open();
  using registry = shelf.registry();
  const { clock, received, journal } = shelf;
  const told: string[] = [];
  const all = Promise.withResolvers<void>();
  const publish = shelf.events.publish.bind(shelf.events);
  shelf.events.publish = (event) => {
    if (event.type === "transfer-finished") told.push(event.transfer.transferId);
    if (told.length === 2) all.resolve();
    return publish(event);
  };
  shelf.receivedFails = new StorageError("DISK_FULL", "no space");
  for (const n of [1, 2]) {
    const entry = registry.begin(facts(n), "offered");
    registry.change(entry, { state: "verifying", savedAs: `x${n}` });
    await registry.change(entry, ARRIVED, "transfer-finished");
  }
  const { firstMs } = SPACE_RETRY;
  const failedAgain = Promise.withResolvers<void>();
  shelf.onRecord = failedAgain.resolve;
  clock.pass(firstMs);
  await failedAgain.promise;
  assertEquals([told, received], [[], []]);
  assertEquals(journal.list().map(({ state }) => state), ["publishing", "publishing"]);
  shelf.receivedFails = undefined;
  while (clock.waiting === 0) await registry.settled(); // it is armed again
  clock.pass(firstMs * 2);
  await all.promise;
  const ids = [facts(1).transferId, facts(2).transferId];
  assertEquals([told, received.map(({ transferId }) => transferId)], [ids, ids]);
  assertEquals(journal.list().map(({ state }) => state), ["completed", "completed"]);
  assertEquals(clock.waiting, 0);
});

Deno.test("changes that come faster than the disk are written together, in their order, none refused", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  const count = 2 * MAX_PENDING_RECORDS;
  const entries = Array.from({ length: count }, (_, n) => registry.begin(facts(n), "offered"));
  for (const entry of entries) registry.change(entry, { state: "active" }, "transfer-started");
  await registry.settled();
  assertEquals(shelf.journal.list().map(({ state }) => state), entries.map(() => "active"));
  assertEquals(shelf.events.types, [
    ...entries.map(() => "transfer-offered"),
    ...entries.map(() => "transfer-started"),
  ]);
  const lines = (await Deno.readTextFile(shelf.folder.at("data/journal.ndjson"))).split("\n");
  assertLess(lines.length, 4 * count / MAX_WAITING_CHANGES);
});

Deno.test("what is told is the state at the change, also when the disk is slow", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  const entry = registry.begin(facts(1), "offered");
  registry.change(entry, { state: "active" }, "transfer-started");
  entry.update({ transferred: 999 });
  await registry.settled();
  const told = shelf.events.published.map((event) =>
    "transfer" in event ? [event.transfer.state, event.transfer.transferred] : []
  );
  assertEquals(told, [["offered", 0], ["active", 0]]);
});

Deno.test("changes that wait for the disk are bounded: whoever brings more waits for room", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  const entry = registry.begin(facts(1), "offered");
  assertEquals(registry.backpressure(), undefined);
  for (let i = 1; i < MAX_WAITING_CHANGES; i++) registry.change(entry, { state: "active" });
  const room = registry.backpressure();
  assert(room !== undefined);
  await room;
  assertEquals(registry.backpressure(), undefined);
});

Deno.test("a journal that can't be written is told of; the transfer goes on, and is told of too", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  shelf.journal.record = () => Promise.reject(new Error("the disk is gone"));
  registry.begin(facts(1), "queued");
  await registry.settled();
  assertEquals(shelf.events.types, ["transfer-queued"]);
  assert(shelf.log.lines[0]?.startsWith("error the journal could not be written"));
});

Deno.test("progress is told twice a second at most, and journaled with the next change only", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  const entry = registry.begin(facts(1), "offered");
  await registry.settled();
  for (let i = 0; i <= 100; i++) {
    shelf.clock.time = i * 10;
    registry.moved(entry, i * 10);
  }
  const progress = shelf.events.published.filter(({ type }) => type === "transfer-progress");
  assertEquals(progress.map((event) => "bytesPerSecond" in event && event.bytesPerSecond), [
    1000,
    1000,
  ]);
  assertEquals(entry.view().transferred, 1000);
  assertEquals(shelf.journal.list()[0]?.bytes, 0);
});

Deno.test("a clock that is put back by days silences no transfer", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  const [flows, hashed] = [registry.begin(facts(1), "offered"), registry.begin(facts(2), "queued")];
  const told = (type: string) => shelf.events.types.filter((one) => one === type).length;
  for (const start of [1e12, 1e12 - 30 * 24 * 3600 * 1000]) {
    for (const time of [start, start + PROGRESS_MS]) {
      shelf.clock.time = time;
      registry.moved(flows, 10);
      registry.hashing(hashed, 10);
    }
  }
  assertEquals([told("transfer-progress"), told("transfer-hashing")], [2, 2]);
  await registry.settled();
});

Deno.test("pages go from the newest to the oldest, filtered, and end", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  for (let i = 0; i < 7; i++) {
    const direction = i % 2 === 0 ? "incoming" : "outgoing";
    const entry = registry.begin(facts(i, { direction }), "offered");
    if (i < 5) registry.change(entry, { state: "cancelled" });
  }
  await registry.settled();
  const names = (filter: Partial<Parameters<TransferRegistry["page"]>[0]>) => {
    const all: string[][] = [];
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const at = cursor === undefined ? {} : { cursor };
      const page = registry.page({ limit: 2, ...filter, ...at });
      all.push(page.transfers.map(({ name }) => String(name)));
      cursor = page.nextCursor;
    }
    return all;
  };
  assertEquals(names({}), [["file-6", "file-5"], ["file-4", "file-3"], ["file-2", "file-1"], [
    "file-0",
  ]]);
  assertEquals(names({ direction: "outgoing" }), [["file-5", "file-3"], ["file-1"]]);
  assertEquals(names({ state: "offered" }), [["file-6", "file-5"]]);
  const wrong = assertThrows(() => registry.page({ limit: 2, cursor: "i-x-y" }), OperationError);
  assertEquals(wrong.code, "CURSOR_INVALID");
});

Deno.test("a page goes on where the one before ended, also when new transfers came meanwhile", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  for (let i = 0; i < 3; i++) registry.begin(facts(i), "offered");
  const { nextCursor = "" } = registry.page({ limit: 2 });
  registry.begin(facts(9), "offered");
  const { transfers } = registry.page({ limit: 2, cursor: nextCursor });
  assertEquals(transfers.map(({ name }) => String(name)), ["file-0"]);
  await registry.settled();
});

Deno.test("a peer that uses an id again gets a new entry, the newest", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  registry.change(registry.begin(facts(1), "offered"), { state: "cancelled" });
  registry.begin(facts(2), "offered");
  registry.begin(facts(1, { name: "again" }), "offered");
  await registry.settled();
  const { transfers } = registry.page({ limit: 9 });
  assertEquals(transfers.map(({ name }) => String(name)), ["again", "file-2"]);
  assertEquals(String(registry.get(facts(1).transferId).view().name), "again");
});

Deno.test("the oldest ended transfers are forgotten beyond a thousand, live ones never", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  const live = registry.begin(facts(0), "offered");
  for (let i = 1; i <= 1005; i++) {
    const entry = registry.begin(facts(i), "offered");
    entry.update({ state: "cancelled" });
  }
  assertEquals(registry.get(live.facts.transferId), live);
  assertEquals(registry.live(), [live]);
  const gone = assertThrows(() => registry.get(facts(1).transferId), OperationError);
  assertEquals(gone.code, "TRANSFER_NOT_FOUND");
  await registry.settled();
});

Deno.test("a peer that floods makes its own transfers forgotten, in memory and in the journal", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  const precious = registry.begin(facts(0, { identity: "cd".repeat(32) }), "offered");
  precious.update({ state: "completed", savedAs: "x", savedPath: "/inbox/x" });
  await registry.change(precious, {});
  for (let i = 1; i <= 1005; i++) {
    const entry = registry.begin(facts(i), "offered");
    entry.update({ state: "cancelled" });
    await registry.change(entry, {});
  }
  for (const one of [registry, shelf.registry()]) {
    assertEquals(one.get(precious.facts.transferId).progress.state, "completed");
    const gone = assertThrows(() => one.get(facts(1).transferId), OperationError);
    assertEquals(gone.code, "TRANSFER_NOT_FOUND");
  }
});

Deno.test("the partial file of a transfer that the journal drops is removed", async () => {
  await using shelf = await Shelf.open(2);
  const registry = shelf.registry();
  for (let i = 1; i <= 3; i++) {
    const entry = registry.begin(facts(i), "offered");
    await registry.change(entry, { state: "interrupted", hasPart: true });
  }
  assertEquals(shelf.dropped, [facts(1).transferId]);
});

Deno.test("Transfer progress MAY be journaled: what an earlier run recorded is remembered by the next", async () => {
  await using shelf = await Shelf.open();
  const first = shelf.registry();
  const entry = first.begin(facts(1), "offered");
  await first.change(entry, {
    state: "failed",
    failure: { code: "DISK_FULL", message: "no room" },
  });
  const again = shelf.registry().get(facts(1).transferId).view();
  assertEquals([again.state, again.failure?.code], ["failed", "DISK_FULL"]);
});

Deno.test("a transfer's start and end are logged and counted once each, with code and seconds", async () => {
  await using shelf = await Shelf.open();
  const metrics = new MetricsRegistry();
  const registry = shelf.registry(new Tally(metrics));
  const entry = registry.begin(facts(1, { direction: "outgoing" }), "queued");
  const wire = { protocolTransferId: "ef".repeat(16) };
  registry.change(entry, { state: "offered", ...wire }, "transfer-offered");
  registry.change(entry, { state: "active" }, "transfer-started");
  registry.moved(entry, 300);
  shelf.clock.time += 1500;
  registry.moved(entry, 600);
  const failure = { code: "CONNECTION_LOST", message: "the peer is gone" };
  await registry.change(entry, { state: "interrupted", failure }, "transfer-failed");
  const ids = {
    transfer: entry.facts.transferId,
    protocol_transfer: "ef".repeat(16),
    direction: "outgoing",
    peer: entry.facts.identity,
  };
  const end = { state: "interrupted", code: "CONNECTION_LOST", bytes: 600, seconds: 1.5 };
  assertEquals(shelf.log.lines, [
    `info transfer started ${JSON.stringify({ ...ids, size: 1000 })}`,
    `info transfer ended ${JSON.stringify({ ...ids, ...end })}`,
  ]);
  const counted = metrics.render().split("\n").filter((line) => /^bolt_.* [1-9]\d*$/.test(line));
  assertEquals(counted, [
    'bolt_transfers_total{direction="outgoing",state="interrupted"} 1',
    'bolt_bytes_total{direction="outgoing"} 600',
  ]);
});

Deno.test("held ends count, and are told, only when they may; otherwise the transfer stays as it was", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  const [taken, left, whole] = [1, 2, 3].map((n) => registry.begin(facts(n), "offered"));
  assert(taken !== undefined && left !== undefined && whole !== undefined);
  const answer = Promise.withResolvers<boolean>();
  registry.holdEnds((entry) => entry === taken ? answer.promise : Promise.resolve(false));
  const ending = registry.change(taken, { state: "cancelled" }, "transfer-failed");
  await registry.change(left, { state: "cancelled" }, "transfer-failed");
  await registry.change(whole, { state: "completed" }, "transfer-finished");
  assertEquals(registry.live(), [taken, left]);
  const ended = registry.allEnded((entry) => entry !== left);
  answer.resolve(true);
  await Promise.all([ending, ended]);
  assertEquals(registry.live(), [left]);
  const states = shelf.journal.list().map(({ transferId, state }) => [transferId.at(-1), state]);
  assertEquals(states.toSorted(), [["1", "cancelled"], ["2", "offered"], ["3", "completed"]]);
});

Deno.test("a hash under way is told of now and then, and shown while the file is queued", async () => {
  await using shelf = await Shelf.open();
  const registry = shelf.registry();
  const entry = registry.begin(facts(1, { direction: "outgoing" }), "queued");
  const hear = () => shelf.events.published.filter(({ type }) => type === "transfer-hashing");
  registry.hashing(entry, 100);
  assertEquals([hear(), entry.view().hashed], [[], 100], "a short one is not told of");
  for (const [hashed, ms] of [[200, 500], [300, 100], [400, 400], [1000, 500]] as const) {
    shelf.clock.pass(ms);
    registry.hashing(entry, hashed);
  }
  const { transferId, size } = entry.facts;
  assertEquals(
    hear(),
    [200, 400].map((hashed) => ({
      type: "transfer-hashing",
      transferId,
      hashed,
      size,
    })),
  );
  await registry.change(entry, { state: "offered" });
  assertEquals(entry.view().hashed, undefined);
  await registry.settled();
});
