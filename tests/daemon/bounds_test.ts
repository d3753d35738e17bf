/**
 * The bounds of the long-running daemon, shortly; `deno task test:long` is the proof at length.
 *
 * @module
 */
import { assert } from "@std/assert";
import {
  assertWithinMemory,
  IDLE_WAKEUPS,
  measureChurn,
  measureIdle,
  measureTransfer,
} from "../support/bounds.ts";
import { HAS_PROC, NEEDS_PROC } from "../support/process_usage.ts";

const test = (name: string, fn: () => Promise<void>): void =>
  Deno.test({ name: name + NEEDS_PROC, ignore: !HAS_PROC, fn });

test("MUST NOT buffer entire files in memory: 80 MiB pass with less than 24 MiB on either side", async () => {
  assertWithinMemory(await measureTransfer(80 * 2 ** 20));
});

test("no polling: an idle daemon with an open session sleeps", async () => {
  const { cpu, wakeups } = await measureIdle(5);
  for (const rate of wakeups) assert(rate <= IDLE_WAKEUPS, `${rate} wakeups a second`);
  // A machine under load makes each of the few wakeups dearer: ten times what is allowed at length.
  for (const share of cpu) assert(share <= 0.1, `${share} of a core`);
});

test("sessions that came and went leave no open file and no memory", async () => {
  const { before, after } = await measureChurn({ warmUp: 3, count: 7, restSeconds: 0 });
  const grown = Math.max(after[0] - before[0], after[1] - before[1]);
  assert(grown <= 32, `grew by ${grown} MiB`);
});
