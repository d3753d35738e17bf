import { assertEquals } from "@std/assert";
import { BackOff } from "./back_off.ts";

const waits = (backOff: BackOff, count: number) =>
  Array.from({ length: count }, () => backOff.next());

Deno.test("waits double up to the longest, and begin anew after a reset", () => {
  const backOff = new BackOff({ firstMs: 100, longestMs: 1000 });
  assertEquals(waits(backOff, 6), [100, 200, 400, 800, 1000, 1000]);
  backOff.reset();
  assertEquals(backOff.next(), 100);
});

Deno.test("with randomness a wait is between half and all of its length", () => {
  const random = [0, 0.5, 0.999][Symbol.iterator]();
  const backOff = new BackOff({
    firstMs: 100,
    longestMs: 1000,
    random: () => random.next().value ?? 0,
  });
  assertEquals(waits(backOff, 3), [50, 150, 400]);
});
