import { assertGreater } from "@std/assert";
import { type Cut, CUTS, sendThroughCuts } from "./cuts.ts";

const MIB = 1024 ** 2;

for (const [i, cut] of CUTS.entries()) {
  Deno.test(`${cut} in the middle of a file: it goes on, and arrives once`, async () => {
    const size = cut.includes("killed") ? 160 * MIB : 40 * MIB;
    const { cuts } = await sendThroughCuts(size + i * 12_345, [cut], 77 + i);
    assertGreater(cuts.length, 0, "it was cut off");
  });
}

Deno.test("a file that is cut off in all ways, one after the other, arrives once", async () => {
  const cuts: readonly Cut[] = [...CUTS, "both are killed"];
  await sendThroughCuts(150 * MIB + 1, cuts, 5);
});
