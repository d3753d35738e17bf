import { assertEquals, assertThrows } from "@std/assert";
import { OperationError } from "../../../ipc/api/problem.ts";
import { LONGEST_TIMER_MS } from "../../../base/timing.ts";
import { HandClock } from "../../testing/fixtures.ts";
import { PeerQueue } from "./peer_queue.ts";
import { MAX_WAITING_FOR_PEER } from "./queue_rules.ts";
import { TransferEntry } from "./transfer_entry.ts";

const BOB = "ab".repeat(32);
const CAROL = "cd".repeat(32);

/** A queue over a clock that never goes back, and a time of day that is set by hand. */
class Bench {
  readonly steady = new HandClock();
  readonly linked = new Set([BOB, CAROL]);
  readonly entries: TransferEntry[] = [];
  now = 1_000_000;
  /** Codes of those that were given up, by number. */
  readonly ended: string[] = [];
  readonly queue = new PeerQueue({
    isLinked: (identity) => this.linked.has(identity),
    now: () => this.now,
    steady: this.steady.now,
    after: this.steady.after,
    onExpired: () => this.review(),
  });

  /** Queues a file that waits so long. */
  add(lifetimeMs: number, identity = BOB): TransferEntry {
    const queue = this.queue.place({ priority: 0, mtimeMs: 0, lifetimeMs });
    return this.keep(queue, identity);
  }

  /** Takes over a file with that place, as from an earlier run. */
  keep(queue: ReturnType<PeerQueue["place"]>, identity = BOB): TransferEntry {
    const entry = new TransferEntry({
      transferId: this.entries.length.toString(16).padStart(32, "0"),
      direction: "outgoing",
      identity,
      name: "f",
      size: 1,
      priority: 0,
      createdAt: this.now,
      queue,
    }, "queued");
    this.entries.push(entry);
    this.queue.add(entry);
    return entry;
  }

  review(): void {
    this.entries.forEach((entry, i) => {
      const refusal = entry.isKeptInQueue ? this.queue.refusal(entry) : undefined;
      if (refusal === undefined) return;
      this.ended.push(`${i} ${refusal.code}`);
      entry.update({ state: "interrupted" });
    });
  }
}

Deno.test("each file is given up when its own time is over, and no timer is left", () => {
  const bench = new Bench();
  for (const ms of [300, 100, 200]) bench.add(ms);
  bench.steady.pass(99);
  assertEquals(bench.ended, []);
  bench.steady.pass(1);
  assertEquals(bench.ended, ["1 TRANSFER_EXPIRED"]);
  bench.steady.pass(200);
  assertEquals(bench.ended.toSorted(), [0, 1, 2].map((n) => `${n} TRANSFER_EXPIRED`));
  assertEquals(bench.steady.waiting, 0);
});

Deno.test("the time of day may jump while the daemon runs: nothing is given up early or late", () => {
  for (const jump of [-1_000_000, 1e12]) {
    const bench = new Bench();
    const entry = bench.add(100);
    bench.now += jump;
    bench.review();
    assertEquals(bench.queue.refusal(entry), undefined);
    bench.steady.pass(100);
    assertEquals(bench.ended, ["0 TRANSFER_EXPIRED"]);
  }
});

Deno.test("over a restart the time of day counts, and a clock put back gives no more than the whole time", () => {
  const place = new Bench().queue.place({ priority: 0, mtimeMs: 0, lifetimeMs: 100 });
  for (const [passed, left] of [[0, 100], [60, 40], [-999_999, 100]] as const) {
    const next = new Bench();
    next.now += passed;
    next.keep(place);
    next.steady.pass(left - 1);
    assertEquals(next.ended, []);
    next.steady.pass(1);
    assertEquals(next.ended, ["0 TRANSFER_EXPIRED"]);
  }
  const late = new Bench();
  late.now += 100;
  assertEquals(late.queue.refusal(late.keep(place))?.code, "TRANSFER_EXPIRED");
});

Deno.test("a wait longer than a timer can be is waited for in parts", () => {
  const bench = new Bench();
  bench.add(LONGEST_TIMER_MS + 10);
  bench.steady.pass(LONGEST_TIMER_MS);
  assertEquals(bench.ended, []);
  bench.steady.pass(10);
  assertEquals(bench.ended, ["0 TRANSFER_EXPIRED"]);
});

Deno.test("one that is under way when its time is over is given up when it is back, and not before", () => {
  const bench = new Bench();
  const entry = bench.add(100);
  entry.update({ state: "active" });
  bench.steady.pass(1000);
  assertEquals([bench.ended, bench.steady.waiting], [[], 0]);
  assertEquals(bench.queue.refusal(entry)?.code, "TRANSFER_EXPIRED");
});

Deno.test("who is linked no longer is waited for no longer", () => {
  const bench = new Bench();
  bench.add(100);
  bench.add(100, CAROL);
  bench.linked.delete(BOB);
  bench.review();
  assertEquals(bench.ended, ["0 PEER_NOT_LINKED"]);
});

Deno.test("the bound is each peer's own, and counts what waits", () => {
  const bench = new Bench();
  for (let n = 0; n < MAX_WAITING_FOR_PEER - 1; n++) bench.add(100);
  bench.queue.checkRoom(BOB, 1);
  assertThrows(() => bench.queue.checkRoom(BOB, 2), OperationError, "at most");
  bench.queue.checkRoom(CAROL, MAX_WAITING_FOR_PEER);
  bench.entries[0]?.update({ state: "cancelled" });
  bench.queue.checkRoom(BOB, 2);
});

Deno.test("places go on behind those of earlier runs", () => {
  const bench = new Bench();
  const early = new Bench().queue.place({ priority: 0, mtimeMs: 0 });
  bench.keep({ ...early, order: 41 });
  assertEquals(bench.queue.place({ priority: 0, mtimeMs: 0 }).order, 42);
});
