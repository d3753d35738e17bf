import { assert, assertEquals } from "@std/assert";
import { TCP_IN_FLIGHT_MS } from "../../../base/timing.ts";
import { TIMED_WINDOW, TimedWindow } from "./timed_window.ts";

/** A sender that always has something, on a path of this rate; the longest wait of a chunk's. */
function run(window: TimedWindow, bytesPerSecond: number, seconds: number, from = 0): number {
  const CHUNK = 16_000;
  const flight: { sentAt: number; flightBytes: number }[] = [];
  let longest = 0;
  let sentAt = from;
  const end = from + 1000 * seconds;
  for (let now = from; now < end;) {
    while ((flight.length + 1) * CHUNK <= window.bytes) {
      flight.push({ sentAt, flightBytes: (flight.length + 1) * CHUNK });
    }
    now += 1000 * CHUNK / bytesPerSecond;
    const acked = flight.shift();
    if (acked === undefined) throw new Error("the path was idle");
    window.onAcknowledged(acked, now);
    // Of what was sent in the second half.
    if (acked.sentAt > from + 500 * seconds) longest = Math.max(longest, now - acked.sentAt);
    sentAt = now;
  }
  return longest;
}

Deno.test("a fast path has the whole window soon", () => {
  const window = new TimedWindow();
  run(window, 10_000_000, 10);
  assertEquals(window.bytes, TIMED_WINDOW.most);
});

for (const rate of [24_000, 60_000, 200_000]) {
  Deno.test(`what is under way on a path of ${rate} bytes a second is what it carries in 4 s`, () => {
    const window = new TimedWindow();
    const longest = run(window, rate, 300);
    assert(longest <= 1.2 * TCP_IN_FLIGHT_MS, `${longest} ms`);
    assert(window.bytes >= rate, `${window.bytes} bytes`);
  });
}

Deno.test("a path slower than the least window is never idle", () => {
  const window = new TimedWindow();
  run(window, 2_000, 600);
  assertEquals(window.bytes, TIMED_WINDOW.least);
});

Deno.test("a path that gets faster gets its window back", () => {
  const window = new TimedWindow();
  run(window, 24_000, 300);
  run(window, 5_000_000, 60, 400_000);
  assertEquals(window.bytes, TIMED_WINDOW.most);
});
