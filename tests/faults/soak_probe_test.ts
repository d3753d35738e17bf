import { assertEquals, assertThrows } from "@std/assert";
import { countTimers, probeLine, readProbe } from "./soak_probe.ts";

Deno.test("the probe counts the timers that are set, until they fire or are cleared", async () => {
  const { setTimeout, setInterval, clearTimeout, clearInterval } = globalThis;
  const on = { setTimeout, setInterval, clearTimeout, clearInterval };
  const timers = countTimers(on);
  const [long, interval] = [on.setTimeout(() => {}, 1e6), on.setInterval(() => {}, 1e6)];
  const said = await new Promise((resolve) => on.setTimeout(resolve, 1, "fired"));
  assertEquals([said, timers()], ["fired", 2]);
  on.clearTimeout(long);
  assertEquals(timers(), 1);
  on.clearInterval(interval);
  on.clearInterval(interval);
  assertEquals(timers(), 0);
});

Deno.test("what the probe says is found among other lines, by its number", () => {
  const stderr = `[bolt-daemon] serving\n${probeLine(1)}3 1000 \nnoise\n${probeLine(2)}4 2000 \n`;
  assertEquals(readProbe(stderr, 2), { timers: 4, heapBytes: 2000 });
  assertThrows(() => readProbe(stderr, 3), Error, "said nothing");
});
