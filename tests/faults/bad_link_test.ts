import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../transport/loss.ts";
import { BadLink, type LinkConditions } from "./bad_link.ts";

/** Arrivals of datagrams of 1000 bytes that are sent one a millisecond. */
function sendMany(conditions: LinkConditions, count: number, seed = 1): number[][] {
  const link = new BadLink(conditions, seededRandom(seed));
  return Array.from({ length: count }, (_, at) => link.arrivals(1000, at));
}

/** Lengths of the runs of lost datagrams. */
function lossRuns(fates: readonly number[][]): number[] {
  const text = fates.map((fate) => fate.length === 0 ? "x" : ".").join("");
  return text.split(/\.+/).map(({ length }) => length).filter((length) => length > 0);
}

const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;

Deno.test("a link without faults delivers each datagram once, at once", () => {
  assertEquals(sendMany({}, 3), [[0], [1], [2]]);
});

Deno.test("the same seed loses the same datagrams, another seed others", () => {
  const conditions = { loss: 0.1, lossBurst: 3, duplicate: 0.1, jitterMs: 5 };
  assertEquals(sendMany(conditions, 500, 7), sendMany(conditions, 500, 7));
  assert(
    JSON.stringify(sendMany(conditions, 500, 7)) !== JSON.stringify(sendMany(conditions, 500)),
  );
});

for (const lossBurst of [1, 4, 10]) {
  Deno.test(`a loss of 8 % in bursts of ${lossBurst} is 8 %, in runs of that length`, () => {
    const runs = lossRuns(sendMany({ loss: 0.08, lossBurst }, 200_000));
    const share = runs.reduce((a, b) => a + b, 0) / 200_000;
    assert(Math.abs(share - 0.08) < 0.008, `lost ${share}`);
    assert(Math.abs(mean(runs) - lossBurst) < 0.15 * lossBurst, `runs of ${mean(runs)}`);
  });
}

Deno.test("a silence of more than 100 ms ends a burst of losses", () => {
  const link = new BadLink({ loss: 1 - 1e-9, lossBurst: 1e9 }, seededRandom(1));
  let now = 0;
  const isLost = () => link.arrivals(10, now++).length === 0;
  assert(isLost() && isLost(), "a burst has begun");
  link.conditions = { loss: 1e-12, lossBurst: 1e9 };
  assert(isLost(), "it goes on");
  now += 150;
  assert(!isLost());
});

Deno.test("delay and jitter keep the order and their bounds", () => {
  const arrivals = sendMany({ delayMs: 50, jitterMs: 20 }, 2000).map(([at = NaN]) => at);
  assertEquals(arrivals, arrivals.toSorted((a, b) => a - b));
  assert(arrivals.every((at, sent) => at - sent >= 50 && at - sent < 70));
});

Deno.test("reordering lets later datagrams overtake, and loses none", () => {
  const arrivals = sendMany({ delayMs: 10, reorder: 0.2 }, 1000).map(([at = NaN]) => at);
  const late = arrivals.filter((at, sent) => at === sent + 25).length;
  assertEquals(arrivals.filter((at, sent) => at === sent + 10).length, 1000 - late);
  assert(Math.abs(late - 200) < 50, `${late} were late`);
});

Deno.test("duplication delivers a share twice", () => {
  const twice = sendMany({ duplicate: 0.25 }, 4000).filter(({ length }) => length === 2).length;
  assert(Math.abs(twice - 1000) < 120, `${twice} came twice`);
});

Deno.test("a rate limit spreads datagrams out; its queue is bounded, and what is over is lost", () => {
  const link = new BadLink({ bytesPerSecond: 100_000, queueBytes: 5000 }, seededRandom(1));
  const fates = Array.from({ length: 8 }, () => link.arrivals(1000, 0));
  assertEquals(fates, [[10], [20], [30], [40], [50], [], [], []]);
  assertEquals(link.arrivals(1000, 45), [60]);
});

Deno.test("a cut loses all until it ends", () => {
  const link = new BadLink({ cut: true }, seededRandom(1));
  assertEquals(link.arrivals(10, 0), []);
  link.conditions = {};
  assertEquals(link.arrivals(10, 1), [1]);
});
