import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { EventHub, type EventHubOptions } from "./event_hub.ts";
import { ApiEvent, type DaemonEvent } from "../api/events.ts";
import { is } from "../api/validate.ts";

const STOPPING: DaemonEvent = { type: "daemon-stopping", reason: "api" };
const progress = (n: number, transferred: number): DaemonEvent => ({
  type: "transfer-progress",
  transferId: n.toString(16).padStart(32, "0"),
  transferred,
  size: 100,
  bytesPerSecond: 1,
});

const hubOf = (options: EventHubOptions = {}) => new EventHub({ epoch: "e", ...options });

/** What a reader gets from a position on: the seq of each event, `gap` for a gap. */
function readAll(hub: EventHub, cursor: number): (number | "gap")[] {
  const got: (number | "gap")[] = [];
  for (let next = hub.nextAfter(cursor); next !== undefined; next = hub.nextAfter(cursor)) {
    got.push(next.type === "gap" ? "gap" : next.seq);
    cursor = next.seq;
  }
  return got;
}

Deno.test("a reader gets what came after its last event id, in order", () => {
  const hub = hubOf();
  const ids = [1, 2, 3].map(() => hub.publish(STOPPING));
  assertEquals(ids, ["e-1", "e-2", "e-3"]);
  assertEquals(readAll(hub, hub.cursorOf("e-1")), [2, 3]);
  assertEquals(readAll(hub, hub.cursorOf("e-3")), []);
  assertEquals(readAll(hub, hub.cursorOf(undefined)), [], "without an id it begins now");
});

Deno.test("what the ring has dropped is an explicit gap, and is told once", () => {
  const hub = hubOf({ capacity: 2 });
  for (let i = 0; i < 5; i++) hub.publish(STOPPING);
  assertEquals(readAll(hub, hub.cursorOf("e-1")), ["gap", 4, 5]);
  assertEquals(readAll(hub, hub.cursorOf("e-3")), [4, 5], "nothing was lost after the third");
  assertEquals(hub.nextAfter(hub.cursorOf("e-1"))?.id, "e-3", "going on after the gap is no gap");
});

Deno.test("an id of another run, of the future, or of no form at all gives a gap and the ring", () => {
  const hub = hubOf();
  hub.publish(STOPPING);
  for (
    const id of ["f-1", "e-2", "e-99999999999999", "", "0", "1", "e-1x", "e--1", "x".repeat(999)]
  ) {
    assertEquals(readAll(hub, hub.cursorOf(id)), ["gap", 1], id);
  }
});

Deno.test("progress of a transfer supersedes its earlier progress and loses nothing", () => {
  const hub = hubOf({ capacity: 4 });
  hub.publish(STOPPING);
  for (let i = 0; i < 100; i++) hub.publish(progress(i % 2, i));
  assertEquals(readAll(hub, 0), [1, 100, 101]);
  assertEquals(hub.size, 3);
});

Deno.test("the ring is bounded in events and in characters, whatever is published", () => {
  const published = fc.array(
    fc.oneof(
      fc.constant(STOPPING),
      fc.tuple(fc.nat(5), fc.nat(99)).map(([n, transferred]) => progress(n, transferred)),
    ),
    { maxLength: 60 },
  );
  fc.assert(fc.property(published, fc.integer({ min: 1, max: 9 }), (events, capacity) => {
    const hub = hubOf({ capacity, maxChars: 1000 });
    for (const event of events) hub.publish(event);
    assert(hub.size <= capacity);
    const got = readAll(hub, 0);
    const seqs = got.filter((seq) => seq !== "gap");
    assertEquals(seqs, seqs.toSorted((a, b) => a - b));
    let chars = 0;
    for (const seq of seqs) chars += hub.nextAfter(seq - 1)?.json.length ?? 0;
    assert(chars <= 1000);
    // Whoever has read up to n gets a gap, or everything after n that was not superseded.
    const newest = new Map<string, number>();
    events.forEach((event, i) =>
      newest.set("transferId" in event ? event.transferId : `${i}`, i + 1)
    );
    const due = [...newest.values()].toSorted((a, b) => a - b);
    for (let n = 0; n <= events.length; n++) {
      const read = readAll(hub, n);
      if (read[0] !== "gap") assertEquals<unknown>(read, due.filter((seq) => seq > n));
    }
  }));
});

Deno.test("each publish wakes the readers, and so does the close", () => {
  const hub = hubOf();
  let woken = 0;
  const stop = hub.subscribe(() => woken++);
  hub.publish(STOPPING);
  hub.close();
  assertEquals([woken, hub.closed], [2, true]);
  stop();
  hub.publish(STOPPING);
  assertEquals(woken, 2);
});

Deno.test("an event is one line of JSON in the documented shape, stamped with id and time", () => {
  const hub = hubOf({ now: () => new Date(0) });
  hub.publish(STOPPING);
  const json = hub.nextAfter(0)?.json ?? "";
  assertMatch(json, /^[^\n]*$/);
  assert(is(ApiEvent, JSON.parse(json)));
  assertEquals(JSON.parse(json), {
    id: "e-1",
    time: "1970-01-01T00:00:00.000Z",
    type: "daemon-stopping",
    reason: "api",
  });
});
