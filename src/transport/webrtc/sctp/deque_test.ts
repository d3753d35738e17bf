import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Deque } from "./deque.ts";

Deno.test("a deque gives what an array gives, whatever is pushed and shifted", () => {
  const step = fc.oneof(fc.integer(), fc.constant("shift" as const), fc.constant("clear" as const));
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const deque = new Deque<number>();
    const array: number[] = [];
    for (const step of steps) {
      if (step === "shift") assertEquals(deque.shift(), array.shift());
      else if (step === "clear") {
        deque.clear();
        array.length = 0;
      } else {
        deque.push(step);
        array.push(step);
      }
      assertEquals([...deque], array);
      assertEquals(deque.length, array.length);
      assertEquals(deque.first, array[0]);
      assertEquals(deque.last, array.at(-1));
    }
  }));
});

Deno.test("taking from the front of a long queue does not take time in its length", () => {
  const deque = new Deque<number>();
  for (let i = 0; i < 300_000; i++) deque.push(i);
  let sum = 0;
  for (let item = deque.shift(); item !== undefined; item = deque.shift()) sum += item;
  // With a shift that moves all of the rest this would be 4.5 * 10^10 moves: minutes.
  assert(sum === (300_000 * 299_999) / 2);
});
