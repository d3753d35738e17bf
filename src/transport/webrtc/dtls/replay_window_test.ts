import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { ReplayWindow } from "./replay_window.ts";

Deno.test("each number is new once, in whatever order they come", () => {
  fc.assert(fc.property(fc.array(fc.nat(900), { maxLength: 200 }), (numbers) => {
    const window = new ReplayWindow();
    const seen = new Set<number>();
    for (const number of numbers) {
      assertEquals(window.isNew(number), !seen.has(number));
      window.mark(number);
      seen.add(number);
    }
  }));
});

Deno.test("a number that is too old to tell is not new", () => {
  const window = new ReplayWindow();
  window.mark(5000);
  assertEquals(window.isNew(5000 - 1024), false);
  assertEquals(window.isNew(5000 - 1023), true);
  assertEquals(window.isNew(2 ** 40), true);
  window.mark(2 ** 40);
  assertEquals([window.isNew(2 ** 40), window.isNew(5000)], [false, false]);
});
