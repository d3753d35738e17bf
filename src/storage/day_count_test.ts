import { assertEquals } from "@std/assert";
import { type DayCount, dayCountAt } from "./day_count.ts";

const DAY = 86_400_000;
const NOON = 20_000 * DAY + DAY / 2;

/** Takes as many files as a bound allows at each of these times, one after the other. */
function takenAt(times: readonly number[], perDay: number): number[] {
  let count: DayCount | undefined;
  return times.map((now) => {
    const before = dayCountAt(count, now);
    const taken = Math.max(0, perDay - before.files);
    count = { ...before, files: before.files + taken };
    return taken;
  });
}

Deno.test("a day gives its number once, and the next one again", () => {
  assertEquals(takenAt([NOON, NOON + 1, NOON + DAY, NOON + DAY + 1], 3), [3, 0, 3, 0]);
  const midnight = 20_001 * DAY;
  assertEquals(takenAt([midnight - 1, midnight], 3), [3, 3]);
});

Deno.test("a clock that jumps back gives no more, by a moment over midnight, an hour, a day or years", () => {
  const midnight = 20_001 * DAY;
  assertEquals(takenAt([midnight, midnight - 1, midnight, midnight - 1, midnight], 3), [
    3,
    0,
    0,
    0,
    0,
  ]);
  for (const back of [3_600_000, DAY, 2 * DAY, 3650 * DAY]) {
    assertEquals(takenAt([NOON, NOON - back], 3), [3, 0], String(back));
  }
});

Deno.test("a clock that was years ahead for a while does not stop the rule for years", () => {
  assertEquals(takenAt([NOON, NOON + 3650 * DAY, NOON, NOON + DAY, NOON + 2 * DAY], 3), [
    3,
    3, // it is another day, as far as anybody can tell
    0,
    3,
    3,
  ]);
});
