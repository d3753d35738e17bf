/**
 * The bounds of the long-running daemon, at length: `deno task test:long`. What was measured goes
 * to docs/BENCHMARKS.md.
 *
 * @module
 */
import { assert } from "@std/assert";
import { formatMachine, thisMachine, writeSection } from "../../scripts/bench/document.ts";
import { tableOf } from "../../scripts/bench/statistics.ts";
import {
  assertWithinMemory,
  type Both,
  IDLE_CPU,
  IDLE_WAKEUPS,
  measureChurn,
  measureIdle,
  measureTransfer,
  TRANSFER_MIB,
} from "../support/bounds.ts";
import { HAS_PROC, NEEDS_PROC } from "../support/process_usage.ts";

const GIB = 2 ** 30;
/** Seconds that the idle daemons are left alone: `BOLT_IDLE_SECONDS`. */
const IDLE_SECONDS = Number(Deno.env.get("BOLT_IDLE_SECONDS") ?? "60");
const SESSIONS = 200;
/** Of those before the first look: what stays is loaded by then. */
const WARM_UP = 20;
/** What 180 sessions may leave, in MiB: less than if each kept its connection. */
const CHURN_MIB = 16;

Deno.test({
  name: "a 2 GiB file, an idle minute, 200 sessions: the daemon stays within its bounds" +
    NEEDS_PROC,
  ignore: !HAS_PROC,
  fn: async (t) => {
    const rows: string[][] = [["", "sender, offerer", "receiver, answerer", "allowed"]];
    const note = (what: string, [a, b]: Both, digits: number, allowed = "") => {
      rows.push([what, a.toFixed(digits), b.toFixed(digits), allowed]);
    };

    const passed = [];
    passed.push(
      await t.step("memory of a 2 GiB file", async () => {
        const figures = await measureTransfer(2 * GIB);
        const { idle, peak, cpu, megabytesPerSecond: rate } = figures;
        note("2 GiB file: MB a second", [rate, rate], 1);
        note("2 GiB file: CPU (s)", cpu, 0);
        note("2 GiB file: resident before (MiB)", idle, 0);
        note("2 GiB file: peak (MiB)", peak, 0, `${TRANSFER_MIB} over the line above`);
        assertWithinMemory(figures);
      }),
    );

    passed.push(
      await t.step("an idle daemon with an open session", async () => {
        const { cpu, wakeups } = await measureIdle(IDLE_SECONDS);
        note(
          `idle for ${IDLE_SECONDS} s: share of a core (%)`,
          percent(cpu),
          2,
          percent([IDLE_CPU, 0])[0].toFixed(0),
        );
        note(`idle for ${IDLE_SECONDS} s: wakeups a second`, wakeups, 2, String(IDLE_WAKEUPS));
        for (const share of cpu) assert(share < IDLE_CPU, `${share} of a core`);
        for (const rate of wakeups) assert(rate <= IDLE_WAKEUPS, `${rate} wakeups a second`);
      }),
    );

    passed.push(
      await t.step("memory and open files after 200 sessions", async () => {
        const { before, after } = await measureChurn({
          warmUp: WARM_UP,
          count: SESSIONS - WARM_UP,
          restSeconds: 20,
        });
        note(`resident after ${WARM_UP} sessions (MiB)`, before, 0);
        note(
          `resident after ${SESSIONS} sessions (MiB)`,
          after,
          0,
          `${CHURN_MIB} over the line above`,
        );
        const grown = Math.max(after[0] - before[0], after[1] - before[1]);
        assert(grown <= CHURN_MIB, `grew by ${grown} MiB`);
      }),
    );

    if (passed.includes(false)) return;
    await writeSection(`<!-- bounds: written by tests/long/bounds.ts -->

## Bounds of the daemon

${formatMachine(thisMachine())} Two daemons on loopback; the file is sparse.
Open files after the sessions are those of before. Run it again with \`deno task test:long\`.

${tableOf(rows)}

<!-- end of bounds -->`);
  },
});

const percent = ([a, b]: Both): Both => [100 * a, 100 * b];
