import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { GapRanges } from "./gap_ranges.ts";
import { tsnAdd, tsnDistance } from "./tsn.ts";

const base = fc.constantFrom(0, 999_999_990, 2 ** 32 - 10, 12_345);
const offsets = fc.array(fc.integer({ min: 2, max: 60 }), { maxLength: 80 });

/** What the runs of a set of offsets are, by looking at each offset alone. */
function runsOf(set: ReadonlySet<number>): { start: number; end: number }[] {
  const runs: { start: number; end: number }[] = [];
  for (let at = 1; at <= 60; at++) {
    if (!set.has(at)) continue;
    const last = runs.at(-1);
    if (last !== undefined && set.has(at - 1)) last.end = at;
    else runs.push({ start: at, end: at });
  }
  return runs;
}

Deno.test("gap blocks are the runs of what came, in order, also across 10^9 and 2^32", () => {
  fc.assert(fc.property(base, offsets, (cumulative, came) => {
    const ranges = new GapRanges();
    const set = new Set<number>();
    for (const offset of came) {
      assertEquals(ranges.add(tsnAdd(cumulative, offset)), !set.has(offset));
      set.add(offset);
    }
    assertEquals(ranges.blocks(cumulative), runsOf(set));
    assertEquals(ranges.count, runsOf(set).length);
    assertEquals(ranges.isEmpty, set.size === 0);
  }));
});

Deno.test("advancing drops what is behind and takes the run that touches along", () => {
  fc.assert(fc.property(base, offsets, fc.integer({ min: 1, max: 61 }), (cumulative, came, to) => {
    const ranges = new GapRanges();
    const set = new Set(came);
    for (const offset of came) ranges.add(tsnAdd(cumulative, offset));
    let end = to;
    while (set.has(end + 1)) end++;
    const reached = ranges.advance(tsnAdd(cumulative, to));
    assertEquals(tsnDistance(cumulative, reached), end);
    const left = new Set([...set].filter((offset) => offset > end));
    assertEquals(ranges.blocks(cumulative), runsOf(left));
  }));
});

Deno.test("a run that reaches further than 16 bits can tell is cut, one beyond is left out", () => {
  const ranges = new GapRanges();
  ranges.add(65_535);
  ranges.add(65_536);
  ranges.add(70_000);
  assertEquals(ranges.blocks(0), [{ start: 65_535, end: 65_535 }]);
});
