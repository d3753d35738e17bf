/**
 * What a daemon holds of memory that nobody has asked anything yet, and with its first session. The
 * figures themselves are in docs/BENCHMARKS.md; these bounds have some room, and fail when something
 * large is loaded early, or at all.
 *
 * @module
 */
import { assert } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { pairDaemons, ServedDaemon } from "../support/daemon.ts";
import { HAS_PROC, memoryOf, NEEDS_PROC } from "../support/process_usage.ts";
import { type Program, Run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { UnpackedBundle } from "../support/unpacked_bundle.ts";

/** MiB at a first start: the runtime parses what it loads. */
const FIRST_START_MIB = 68;
/** MiB at any later one. */
const START_MIB = 56;
/** MiB with the first session after a first start. */
const FIRST_SESSION_MIB = 98;
/** MiB with the first session after any later start. */
const SESSION_MIB = 82;

Deno.test({
  name: "a packed daemon that has just started holds less memory than its bound" + NEEDS_PROC,
  ignore: !HAS_PROC,
  fn: async () => {
    await using bundle = await UnpackedBundle.make();
    const first = await peakOfStart(await bundle.program("kept"));
    const later = await peakOfStart(await bundle.program("kept"));
    assert(first < FIRST_START_MIB, `${first.toFixed(1)} MiB at the first start`);
    assert(later < START_MIB, `${later.toFixed(1)} MiB at the second start`);
  },
});

Deno.test({
  name: "a packed daemon with its first session holds less memory than its bound" + NEEDS_PROC,
  ignore: !HAS_PROC,
  fn: async () => {
    await using bundle = await UnpackedBundle.make();
    const first = await peakOfSession(await bundle.program("kept"));
    const later = await peakOfSession(await bundle.program("kept"));
    assert(first < FIRST_SESSION_MIB, `${first.toFixed(1)} MiB after the first start`);
    assert(later < SESSION_MIB, `${later.toFixed(1)} MiB after the second start`);
  },
});

/** Most MiB that were resident in either of two daemons until they had a session. */
async function peakOfSession(program: Program): Promise<number> {
  await using server = startRendezvousServer();
  await using alice = await ServedDaemon.start({ program });
  await using bob = await ServedDaemon.start({ program });
  await pairDaemons(server.url, alice, bob);
  const peaks = [await memoryOf(alice.run.pid), await memoryOf(bob.run.pid)].map(({ peak }) =>
    peak
  );
  return Math.max(...peaks);
}

/** Most MiB that were resident until the daemon served: at rest it does not grow any more. */
async function peakOfStart(program: Program): Promise<number> {
  await using folder = await TempFolder.make();
  await using run = new Run(program, ["serve", "--data-dir", folder.path("data")]);
  await run.said("serving");
  return (await memoryOf(run.pid)).peak;
}
