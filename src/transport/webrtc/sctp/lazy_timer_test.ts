import { assert, assertEquals } from "@std/assert";
import { LazyTimer } from "./lazy_timer.ts";

/** Resolves, with the time, when the timer calls back. */
function timer(): { timer: LazyTimer; fired: Promise<number>; count: () => number } {
  const { promise, resolve } = Promise.withResolvers<number>();
  let count = 0;
  const timer = new LazyTimer(() => {
    count++;
    resolve(performance.now());
  });
  return { timer, fired: promise, count: () => count };
}

Deno.test("it calls back once, not before its deadline, however often that is moved on", async () => {
  const { timer: lazy, fired, count } = timer();
  using _ = lazy;
  const start = performance.now();
  for (let ms = 1; ms <= 60; ms++) lazy.set(start + ms);
  assert(await fired >= start + 59);
  assertEquals(count(), 1);
});

Deno.test("a deadline that is moved nearer is kept", async () => {
  const { timer: lazy, fired } = timer();
  using _ = lazy;
  lazy.set(performance.now() + 3_600_000);
  lazy.set(performance.now() + 5);
  await fired; // an hour, were it not
});

Deno.test("a deadline that is taken away is not kept", async () => {
  const first = timer();
  const second = timer();
  using _first = first.timer;
  using _second = second.timer;
  first.timer.set(performance.now() + 1);
  first.timer.set(undefined);
  second.timer.set(performance.now() + 20);
  await second.fired;
  assertEquals(first.count(), 0);
});

Deno.test("the callback may set the next deadline", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = 3;
  using lazy: LazyTimer = new LazyTimer(() => {
    if (--left === 0) resolve();
    else lazy.set(performance.now() + 1);
  });
  lazy.set(performance.now());
  await promise;
});

Deno.test("after its disposal nothing is left and nothing can be set", () => {
  const { timer: lazy, count } = timer();
  lazy.set(performance.now());
  lazy[Symbol.dispose]();
  lazy.set(performance.now()); // the test's sanitizers would see a timer
  assertEquals(count(), 0);
});
