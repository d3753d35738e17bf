/**
 * What a daemon holds of memory that nobody has asked anything yet. The figures themselves are in
 * docs/BENCHMARKS.md; these bounds have some room, and fail when something large is loaded early.
 *
 * @module
 */
import { assert } from "@std/assert";
import { HAS_PROC, memoryOf, NEEDS_PROC } from "../support/process_usage.ts";
import { type Program, Run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { UnpackedBundle } from "../support/unpacked_bundle.ts";

/** MiB at a first start: the runtime parses what it loads. */
const FIRST_START_MIB = 66;
/** MiB at any later one. */
const START_MIB = 58;

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

/** Most MiB that were resident until the daemon served: at rest it does not grow any more. */
async function peakOfStart(program: Program): Promise<number> {
  await using folder = await TempFolder.make();
  await using run = new Run(program, ["serve", "--data-dir", folder.path("data")]);
  await run.said("serving");
  return (await memoryOf(run.pid)).peak;
}
