import { assertEquals } from "@std/assert";
import { MTU_FALLBACK_MS, MTU_PROBE_MS, MTU_RAISE_MS } from "../../../base/timing.ts";
import { PathMtu } from "./path_mtu.ts";

/** A search with a clock that is set by hand; the path takes what `takes` says. */
function search(takes: { most: number }) {
  const clock = { now: 1000 };
  const probes: { readonly at: number; readonly size: number }[] = [];
  const mtu: PathMtu = new PathMtu({
    base: 1000,
    sizes: [1400, 1300, 1200],
    now: () => clock.now,
    probe: (size) => void probes.push({ at: clock.now, size }),
  });
  /** Time passes until the next deadline, and what the path takes is answered. */
  const step = () => {
    const before = probes.length;
    clock.now = mtu.deadline ?? clock.now;
    mtu.onDeadline();
    answer(before);
  };
  const answer = (from: number) => {
    for (const { size } of probes.slice(from)) if (size <= takes.most) mtu.onAnswer(size);
  };
  const begin = () => {
    mtu.begin();
    answer(0);
  };
  return { mtu, clock, probes, step, begin };
}

Deno.test("the largest size is tried first, and one probe is enough where it passes", () => {
  const { mtu, probes, begin } = search({ most: 1400 });
  assertEquals([mtu.packet, mtu.deadline], [1000, undefined], "not before it is worth it");
  begin();
  assertEquals([mtu.packet, mtu.deadline, probes.length], [1400, undefined, 1]);
});

Deno.test("each size has three probes, a second apart, and what failed is tried again much later", () => {
  const takes = { most: 1250 };
  const { mtu, probes, begin, step, clock } = search(takes);
  begin();
  for (let i = 0; i < 6; i++) step();
  assertEquals(probes.map(({ size }) => size), [1400, 1400, 1400, 1300, 1300, 1300, 1200]);
  assertEquals(
    probes.map(({ at }) => at),
    [0, 1, 2, 3, 4, 5, 6].map((i) => 1000 + i * MTU_PROBE_MS),
  );
  assertEquals([mtu.packet, mtu.deadline], [1200, clock.now + MTU_RAISE_MS]);
  takes.most = 1400;
  step();
  assertEquals(mtu.packet, 1400);
});

Deno.test("where nothing larger passes it rests at the base", () => {
  const { mtu, begin, step, clock, probes } = search({ most: 1000 });
  begin();
  for (let i = 0; i < 9; i++) step();
  assertEquals([mtu.packet, mtu.deadline, probes.length], [1000, clock.now + MTU_RAISE_MS, 9]);
});

Deno.test("when all is lost packets are small at once, and larger ones are tried again soon", () => {
  const takes = { most: 1400 };
  const { mtu, begin, step, clock } = search(takes);
  mtu.onBlackHole();
  assertEquals(mtu.deadline, undefined, "small already");
  begin();
  takes.most = 1000;
  mtu.onBlackHole();
  assertEquals([mtu.packet, mtu.deadline], [1000, clock.now + MTU_FALLBACK_MS]);
  step();
  assertEquals(mtu.packet, 1000);
  takes.most = 1400;
  step();
  assertEquals(mtu.packet, 1400);
});

Deno.test("an answer to what was not asked changes nothing", () => {
  const { mtu } = search({ most: 0 });
  for (const size of [0, 900, 1000, 1399, 9000]) mtu.onAnswer(size);
  assertEquals(mtu.packet, 1000);
});
