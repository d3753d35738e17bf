import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { HandClock } from "../testing/fixtures.ts";
import { IDLE_MS, LEAST_BYTES, type Slot, Slots } from "./slots.ts";

/** A claim of a test, and what it was told. */
class Claimant {
  readonly slot: Slot;
  revoked = 0;

  constructor(
    slots: Slots,
    readonly peer: string,
    readonly priority: number,
    readonly name: string,
    readonly granted: string[],
  ) {
    this.slot = slots.claim({
      peer,
      priority,
      onGranted: () => granted.push(name),
      onRevoked: () => this.revoked++,
    });
    if (this.slot.held) granted.push(name);
  }

  end(): void {
    this.slot[Symbol.dispose]();
  }
}

const slotsWith = (limit: number) => {
  const clock = new HandClock();
  const slots = new Slots({ limit, after: clock.after });
  const granted: string[] = [];
  const claim = (name: string, peer = name, priority = 0) =>
    new Claimant(slots, peer, priority, name, granted);
  return { clock, slots, granted, claim };
};

Deno.test("never more than the limit hold a slot, none is free while somebody waits, the highest priority goes first, peers take turns, and all come to their turn", () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ peer: fc.nat(4), priority: fc.nat(2) }) },
    { weight: 2, arbitrary: fc.record({ end: fc.nat(50) }) },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.array(step, { maxLength: 80 }),
      (limit, steps) => {
        const { slots, granted, claim } = slotsWith(limit);
        const live: Claimant[] = [];
        /** Grants to others while the first of a peer and priority waited. */
        const overtaken = new Map<string, number>();
        const keyOf = ({ peer, priority }: Claimant) => `${priority} ${peer}`;
        const isWaiting = ({ slot }: Claimant) => !slot.held;
        const check = (act: () => void) => {
          const waiting = live.filter(isWaiting);
          act();
          const [winner] = waiting.filter(({ slot }) => slot.held);
          assert(slots.held <= limit);
          assertEquals(slots.held, Math.min(limit, live.length));
          assertEquals(slots.waiting, live.filter(isWaiting).length);
          if (winner === undefined) return;
          const left = live.filter((one) => one !== winner && waiting.includes(one));
          assert(left.every(({ priority }) => priority <= winner.priority));
          // Of one peer and priority the first goes first.
          const own = waiting.filter((one) => keyOf(one) === keyOf(winner));
          assertEquals(own[0], winner);
          overtaken.delete(keyOf(winner));
          for (const key of new Set(left.map(keyOf))) {
            if (!key.startsWith(`${winner.priority} `) || key === keyOf(winner)) continue;
            const count = (overtaken.get(key) ?? 0) + 1;
            // Each of the four other peers at most once before it is this one's turn.
            assert(count <= 4, `${key} was overtaken ${count} times`);
            overtaken.set(key, count);
          }
        };
        const end = (at: number) => {
          const [ended] = live.splice(at, 1);
          if (ended !== undefined) check(() => ended.end());
          for (const key of overtaken.keys()) {
            if (!live.some((one) => isWaiting(one) && keyOf(one) === key)) overtaken.delete(key);
          }
        };
        let count = 0;
        for (const one of steps) {
          if ("end" in one) end(live.length === 0 ? 0 : one.end % live.length);
          else {
            check(() => live.push(claim(`c${count++}`, `p${one.peer}`, one.priority)));
          }
        }
        const atEnd = live.map((one) => one);
        while (live.length > 0) end(live.findIndex(({ slot }) => slot.held));
        assert(atEnd.every(({ granted, slot: _, name }) => granted.includes(name)));
        assertEquals(new Set(granted).size, granted.length, "granted twice");
        assertEquals([slots.held, slots.waiting], [0, 0]);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("a peer that floods waits for its turn as all others do", () => {
  const { granted, claim } = slotsWith(1);
  const first = claim("first", "flooder");
  const flood = Array.from({ length: 5 }, (_, i) => claim(`flood${i}`, "flooder"));
  const others = [claim("bob"), claim("carol")];
  const all = [first, ...flood, ...others];
  for (let left = all; left.length > 0;) {
    const holder = left.find(({ slot }) => slot.held);
    holder?.end();
    left = left.filter((one) => one !== holder);
  }
  assertEquals(granted.slice(0, 4), ["first", "flood0", "bob", "carol"]);
});

Deno.test("a holder that moves nothing gives way when others wait, and has its next turn after them", () => {
  const { clock, granted, claim } = slotsWith(1);
  const silent = claim("silent", "silent", 5);
  clock.pass(10 * IDLE_MS);
  assertEquals(
    [silent.slot.held, clock.waiting],
    [true, 0],
    "alone, it may be as slow as it likes",
  );
  const waits = claim("waits");
  clock.pass(IDLE_MS);
  assertEquals([silent.slot.held, silent.revoked, waits.slot.held], [false, 1, true]);
  const again = claim("again", "silent", 5);
  assertEquals(again.slot.held, false);
  waits.end();
  assertEquals(granted, ["silent", "waits", "again"]);
  again.end();
  assertEquals(clock.waiting, 0);
});

Deno.test("a holder that moves keeps its slot, a trickle is not enough", () => {
  const { clock, claim } = slotsWith(1);
  const holder = claim("holder");
  const waits = claim("waits");
  for (let i = 0; i < 5; i++) {
    holder.slot.moved(LEAST_BYTES);
    clock.pass(IDLE_MS);
    assert(holder.slot.held);
  }
  holder.slot.moved(LEAST_BYTES - 1);
  clock.pass(IDLE_MS);
  assertEquals([holder.slot.held, waits.slot.held], [false, true]);
  waits.end();
});

Deno.test("a slot granted shortly before the others are looked at has its whole time", () => {
  const { clock, claim } = slotsWith(1);
  const first = claim("first");
  const second = claim("second");
  const third = claim("third");
  clock.pass(IDLE_MS - 1);
  first.end();
  clock.pass(1);
  assert(second.slot.held);
  clock.pass(IDLE_MS);
  assertEquals([second.slot.held, third.slot.held], [false, true]);
  third.end();
});
