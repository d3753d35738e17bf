import { assertEquals, assertRejects } from "@std/assert";
import { passLimits, RateLimit } from "./rate_limit.ts";
import { RATE_BURST_MS } from "./timing.ts";

/** A clock that goes on when somebody waits. */
class Clock {
  at = 1000;
  readonly steady = () => this.at;
  readonly after = (ms: number, act: () => void) => {
    this.at += ms;
    queueMicrotask(act);
    return () => {};
  };
}

const signal = new AbortController().signal;

Deno.test("bytes take their time: what was idle passes at once, then a second takes its bytes", async () => {
  const clock = new Clock();
  const limit = new RateLimit({ ...clock, bytesPerSecond: 1000 });
  const passed: number[] = [];
  for (let i = 0; i < 50; i++) {
    await passLimits([limit], 100, { after: clock.after, signal });
    passed.push(clock.at - 1000);
  }
  // The first are within the burst.
  assertEquals(passed.slice(0, 4), [0, 0, 0, 50]);
  const [first = 0, last = 0] = [passed.at(10), passed.at(-1)];
  assertEquals(last - first, 39 * 100);
});

Deno.test("two that share a rate have it together, and a rest does not add up", async () => {
  const clock = new Clock();
  const limit = new RateLimit({ ...clock, bytesPerSecond: 1000 });
  clock.at += 3_600_000;
  let bytes = 0;
  const begun = clock.at;
  while (clock.at - begun < 10_000) {
    for (const _ of ["one", "other"]) {
      await passLimits([limit], 100, { after: clock.after, signal });
      bytes += 100;
    }
  }
  assertEquals(bytes <= 10_000 + RATE_BURST_MS + 200, true, `${bytes}`);
  assertEquals(bytes >= 10_000, true, `${bytes}`);
});

Deno.test("the slowest of several rates counts, and a wait ends with its signal", async () => {
  const clock = new Clock();
  const slow = new RateLimit({ ...clock, bytesPerSecond: 10 });
  const fast = new RateLimit({ ...clock, bytesPerSecond: 1000 });
  await passLimits([slow, fast], 100, { after: clock.after, signal });
  const begun = clock.at;
  await passLimits([slow, fast], 100, { after: clock.after, signal });
  assertEquals(clock.at - begun, 10_000 - RATE_BURST_MS);
  const gone = new AbortController();
  const never = () => () => {};
  const waiting = passLimits([slow], 100, { after: never, signal: gone.signal });
  gone.abort(new Error("it ended"));
  await assertRejects(() => waiting, Error, "it ended");
});

Deno.test("a receiver waits until what came has passed", async () => {
  const clock = new Clock();
  const limit = new RateLimit({ ...clock, bytesPerSecond: 1000 });
  assertEquals(limit.settled(), undefined);
  limit.book(RATE_BURST_MS);
  assertEquals(limit.settled(), undefined);
  limit.book(500);
  await limit.settled();
  assertEquals(clock.at, 1500);
  assertEquals(limit.settled(), undefined);
});
