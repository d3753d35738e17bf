/**
 * Every parser of hostile input stands a fixed, seeded lot of nearly right and of random inputs.
 *
 * @module
 */
import { assert } from "@std/assert";
import { runs } from "../../src/protocol/testing/runs.ts";
import { memoisedX25519 } from "../../src/protocol/testing/memoised_x25519.ts";
import { keptInputs, TARGETS } from "./fuzz/targets.ts";

const INPUTS = 200_000;
const SEED = 20_260_101;

for (const target of TARGETS) {
  Deno.test(`the parser of ${target.name} stands ${INPUTS / target.cost} hostile inputs, and those that broke it once`, async () => {
    using _ = memoisedX25519();
    for (const input of await keptInputs(target.name)) target.replay(input);
    const count = runs(INPUTS);
    const share = target.fuzz(SEED, count) / count;
    // The inputs are worth something only on both sides of the border.
    assert(share > 0.02 && share < 0.98, `${share} of the inputs were taken`);
  });
}
