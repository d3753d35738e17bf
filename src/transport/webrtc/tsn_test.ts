import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { firstTsn, gapBlocks, nextTsn, previousTsn, tsnDistance } from "./tsn.ts";

Deno.test("numbers are next to each other across the wrap", () => {
  assertEquals([nextTsn(2 ** 32 - 1), previousTsn(0)], [0, 2 ** 32 - 1]);
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (tsn) => {
    assertEquals(previousTsn(nextTsn(tsn)), tsn);
    assertEquals(tsnDistance(nextTsn(tsn), tsn), 1);
    assertEquals(tsnDistance(tsn, nextTsn(tsn)), -1);
  }));
});

Deno.test("gap blocks tell exactly what was received, in order, wherever the numbers stand", () => {
  const distances = fc.uniqueArray(fc.integer({ min: 1, max: 400 }), { maxLength: 60 });
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), distances, (cumulative, gaps) => {
    const blocks = gapBlocks(gaps.map((gap) => (cumulative + gap) >>> 0), cumulative, 1000);
    const told = blocks.flatMap(([first, last]) =>
      Array.from({ length: last - first + 1 }, (_, i) => first + i)
    );
    assertEquals(told, gaps.toSorted((a, b) => a - b));
    // No two blocks could be one.
    for (const [i, [first]] of blocks.entries()) {
      assert(i === 0 || first > (blocks[i - 1]?.[1] ?? 0) + 1);
    }
  }));
});

Deno.test("gap blocks are bounded in number and in reach", () => {
  const every2nd = Array.from({ length: 500 }, (_, i) => 2 * i + 2);
  assertEquals(gapBlocks(every2nd, 0, 128).length, 128);
  assertEquals(gapBlocks([70_000], 0, 128), []);
});

Deno.test("first numbers stay clear of 10^9 and of the wrap for 2 TB", () => {
  for (let i = 0; i < 200; i++) {
    const tsn = firstTsn();
    assert(tsn > 1e9 && tsn + 2e12 / 1191 < 2 ** 32);
  }
});
