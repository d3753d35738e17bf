/**
 * The long form of the tests that cut a file off: `FILES` and `SEED` in the environment change the
 * count of files (20), each cut off seven times, and the first seed.
 *
 * @module
 */
import { type Cut, CUTS, sendThroughCuts } from "./cuts.ts";
import { seededRandom } from "../transport/loss.ts";
import { say } from "./results.ts";

const FILES = Number(Deno.env.get("FILES") ?? 20);
const SEED = Number(Deno.env.get("SEED") ?? 1);
const CUTS_EACH = 7;

Deno.test(`${FILES} files that are cut off ${CUTS_EACH} times each arrive once`, async () => {
  for (let seed = SEED; seed < SEED + FILES; seed++) {
    const random = seededRandom(seed);
    const cuts = Array.from(
      { length: CUTS_EACH },
      (): Cut => CUTS[Math.floor(random() * CUTS.length)] ?? CUTS[0],
    );
    const size = 100_000_000 + Math.floor(random() * 150_000_000);
    try {
      const { cuts: done, again } = await sendThroughCuts(size, cuts, seed);
      await say(`seed ${seed}: ${size} bytes, ${done.length} cuts, ${again} bytes came again`);
    } catch (error) {
      throw new Error(`seed ${seed}, ${size} bytes: ${cuts.join(", ")}`, { cause: error });
    }
  }
});
