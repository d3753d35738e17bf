import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { StorageError } from "../../../base/errors.ts";
import { Flow, type FlowChange, MAX_AFTER_PAUSE } from "./flow.ts";
import { type Slot, Slots } from "./slots.ts";

/** A flow, what it said to its peer and what it told. */
function flowOver(slots: Slots, peer = "peer", renewMs?: number) {
  const said: string[] = [];
  const told: FlowChange[] = [];
  const flow = new Flow({
    slots,
    peer,
    priority: 0,
    sendPaused: (paused) => said.push(paused ? "pause" : "resume"),
    onChange: (change) => told.push(change),
    ...(renewMs === undefined ? {} : { renewMs }),
  });
  return { flow, said, told };
}

/** Takes the only slot. */
const take = (slots: Slots): Slot =>
  slots.claim({ peer: "other", priority: 0, onGranted: () => {} });

Deno.test("with a free slot it flows at once, and nothing is said to the peer", () => {
  const { flow, said, told } = flowOver(new Slots({ limit: 1 }));
  flow.start();
  assertEquals([said, flow.waitingFor], [[], undefined]);
  assertEquals(told, [{ state: "active", waitingFor: undefined, event: "transfer-started" }]);
  flow[Symbol.dispose]();
});

Deno.test("accepted without a free slot: pause at once, resume at its turn", () => {
  const slots = new Slots({ limit: 1 });
  const other = take(slots);
  const { flow, said, told } = flowOver(slots);
  flow.start();
  assertEquals([said, flow.waitingFor], [["pause"], "slot"]);
  other[Symbol.dispose]();
  assertEquals([said, flow.waitingFor], [["pause", "resume"], undefined]);
  assertEquals(told.map(({ event }) => event), ["transfer-paused", "transfer-started"]);
  flow[Symbol.dispose]();
  assertEquals(slots.held, 0);
});

for (const by of ["user", "peer"] as const) {
  Deno.test(`paused by the ${by} it holds no slot, and asks for one when it goes on`, () => {
    const slots = new Slots({ limit: 1 });
    const { flow, said } = flowOver(slots);
    flow.start();
    flow.hold(by, true);
    const waitingFor = by === "user" ? "resume" : "peer-resume";
    assertEquals([slots.held, flow.waitingFor], [0, waitingFor]);
    const other = take(slots);
    flow.hold(by, false);
    assertEquals([said.at(-1), flow.waitingFor], ["pause", "slot"]);
    other[Symbol.dispose]();
    assertEquals([said, flow.waitingFor], [["pause", "resume"], undefined]);
    flow[Symbol.dispose]();
  });
}

Deno.test("held by our disk for a moment it keeps its slot, and that is not told of", () => {
  const slots = new Slots({ limit: 1 });
  const { flow, said, told } = flowOver(slots);
  flow.start();
  flow.hold("disk", true);
  assertEquals([slots.held, said, told.length], [1, ["pause"], 1]);
  flow.hold("disk", false);
  assertEquals([said, told.length], [["pause", "resume"], 1]);
  flow[Symbol.dispose]();
});

Deno.test("two sides that wait for a slot and pause each other go on when either has one", () => {
  const slots = new Slots({ limit: 1 });
  const other = take(slots);
  const { flow, said } = flowOver(slots);
  flow.start();
  // Its pause and ours crossed: neither may wait for the other's end.
  flow.hold("peer", true);
  assertEquals([said, flow.waitingFor], [["pause"], "peer-resume"]);
  other[Symbol.dispose]();
  assertEquals([said, slots.held], [["pause", "resume"], 0]);
  flow.hold("peer", false);
  assertEquals([said, slots.held], [["pause", "resume"], 1]);
  flow[Symbol.dispose]();
});

Deno.test("a transfer that is undecided holds no slot and tells nothing but its pause", () => {
  const slots = new Slots({ limit: 1 });
  const { flow, said, told } = flowOver(slots);
  flow.hold("decision", true);
  flow.start();
  assertEquals([said, told, slots.held, flow.waitingFor], [["pause"], [], 0, "decision"]);
  flow.hold("decision", false);
  assertEquals([said, told.length, slots.held], [["pause", "resume"], 1, 1]);
  flow[Symbol.dispose]();
});

Deno.test("a peer that goes on for too long after it was asked to pause is cut off", () => {
  const slots = new Slots({ limit: 1 });
  using _other = take(slots);
  const { flow } = flowOver(slots);
  flow.start();
  flow.received(MAX_AFTER_PAUSE);
  assertEquals(assertThrows(() => flow.received(1), StorageError).code, "QUEUE_FULL");
  flow[Symbol.dispose]();
});

Deno.test("a slot can be had before the transfer begins, and the wait for it be ended", async () => {
  const slots = new Slots({ limit: 1 });
  const other = take(slots);
  const [first, second] = [flowOver(slots), flowOver(slots)];
  const stop = new AbortController();
  const waits = first.flow.slotFirst(stop.signal);
  const stopped = second.flow.slotFirst(stop.signal);
  other[Symbol.dispose]();
  await waits;
  first.flow.start();
  assertEquals([first.said, first.flow.waitingFor], [[], undefined]);
  stop.abort(new Error("enough"));
  await assertRejects(() => stopped, Error, "enough");
  for (const { flow } of [first, second]) flow[Symbol.dispose]();
  assertEquals([slots.held, slots.waiting], [0, 0]);
});

Deno.test("a long wait for a slot is not taken for a pause that lasts too long: it is said anew", async () => {
  const slots = new Slots({ limit: 1 });
  using _other = take(slots);
  const { promise: renewed, resolve } = Promise.withResolvers<void>();
  const said: string[] = [];
  using flow = new Flow({
    slots,
    peer: "peer",
    priority: 0,
    sendPaused: (paused) => {
      said.push(paused ? "pause" : "resume");
      if (said.length === 3) resolve();
    },
    onChange: () => {},
    renewMs: 1,
  });
  flow.start();
  await renewed;
  assertEquals(said.slice(0, 3), ["pause", "resume", "pause"]);
});

Deno.test("two daemons that give each other way in step stop doing so: turns in vain are asked for with a back-off", async () => {
  // Each has one slot, and two transfers that need one at both ends: whoever has a turn in one
  // makes the other end give up its own.
  const flowed = Promise.withResolvers<void>();
  const ends = [new Slots({ limit: 1 }), new Slots({ limit: 1 })] as const;
  const flows: Flow[] = [];
  const messages: (() => void)[] = [];
  const transfer = (sender: 0 | 1) => {
    const make = (end: 0 | 1, other: () => Flow) => {
      const flow: Flow = new Flow({
        slots: ends[end],
        peer: "the other",
        priority: 0,
        sendPaused: (paused) => void messages.push(() => other().hold("peer", paused)),
        onChange: () => {},
      });
      flows.push(flow);
      return flow;
    };
    const pair: Flow[] = [make(sender, () => at(1)), make(sender === 0 ? 1 : 0, () => at(0))];
    const at = (i: number): Flow => {
      const flow = pair[i];
      if (flow === undefined) throw new Error("unreachable");
      return flow;
    };
    return pair;
  };
  const pairs = [transfer(0), transfer(1)];
  // In step: both senders have their end's slot, both receivers wait.
  for (const i of [0, 1]) for (const pair of pairs) pair[i]?.start();
  let rounds = 0;
  const round = () => {
    for (const deliver of messages.splice(0)) deliver();
    const through = pairs.some((pair) => pair.every(({ waitingFor }) => waitingFor === undefined));
    if (through && messages.length === 0) return flowed.resolve();
    if (rounds++ > 10_000) return flowed.reject(new Error("they give way for ever"));
    setTimeout(round, 0);
  };
  round();
  await flowed.promise;
  for (const flow of flows) flow[Symbol.dispose]();
});

Deno.test("whatever holds and lets go, it holds a slot only while it may flow, and its peer knows", () => {
  const step = fc.record({
    flow: fc.nat(3),
    by: fc.constantFrom("user" as const, "peer" as const, "disk" as const),
    held: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 }),
      fc.array(step, { maxLength: 60 }),
      (limit, steps) => {
        const slots = new Slots({ limit });
        const all = Array.from({ length: 4 }, (_, i) => flowOver(slots, `p${i}`));
        const holders = all.map(() => new Set<string>());
        // No bytes move here: the back-off is left out by moving some.
        const move = () => {
          for (const { flow } of all) if (flow.waitingFor === undefined) flow.sent(1);
        };
        for (const { flow } of all) flow.start();
        for (const { flow: i, by, held } of steps) {
          move();
          if (held) holders[i]?.add(by);
          else holders[i]?.delete(by);
          all[i]?.flow.hold(by, held);
          const free = all.filter((_, at) =>
            !holders[at]?.has("user") && !holders[at]?.has("peer")
          );
          const flowing = all.filter(({ flow }) => flow.waitingFor === undefined);
          assertEquals(
            flowing.length,
            Math.min(limit, free.length),
            "a slot lies idle, or too many flow",
          );
          assertEquals(slots.held, flowing.length);
          all.forEach(({ flow, said }, at) => {
            const { waitingFor } = flow;
            const mustPause = holders[at]?.has("user") || holders[at]?.has("disk") ||
              waitingFor === "slot";
            if (mustPause) assertEquals(said.at(-1), "pause");
            else if (waitingFor === undefined) assertEquals(said.at(-1) ?? "resume", "resume");
          });
        }
        for (const { flow } of all) flow[Symbol.dispose]();
        assertEquals([slots.held, slots.waiting], [0, 0]);
      },
    ),
    { numRuns: 300 },
  );
});
