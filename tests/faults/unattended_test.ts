/**
 * The short form of the unattended run: a few files, and everything that happens there once. The long
 * one is `deno task test:unattended`.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { skipped } from "../support/skipped.ts";
import { canRunUnattended, faultsOf, HAPPENINGS, runUnattended } from "./unattended.ts";

const canRun = await canRunUnattended();
if (!canRun) {
  skipped("daemons that nobody watches: they need Linux, root, iproute2, and a kernel with tbf");
}

Deno.test({
  name:
    "files between linked daemons arrive once, whatever is killed, pulled, moved, restarted or full, " +
    "and nobody touches anything",
  ignore: !canRun,
  fn: async () => {
    const lines: string[] = [];
    const result = await runUnattended(
      {
        seed: 7,
        files: 8,
        seconds: 6,
        happenings: HAPPENINGS.length,
        largest: 12_000_000,
        rate: "32mbit",
        graceSeconds: 240,
      },
      (line) => Promise.resolve(void lines.push(line)),
    );
    assertEquals(faultsOf(result), [], lines.join("\n"));
    assertEquals([...result.happened.keys()].toSorted(), HAPPENINGS.toSorted());
  },
});
