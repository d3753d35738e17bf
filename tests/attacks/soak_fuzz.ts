/**
 * The long run: every parser, a seed of its own each time, until it has had its inputs.
 *
 *     deno task soak:fuzz [inputs for each parser] [seed] [parser ...]
 *
 * What breaks a parser is kept in `tests/attacks/fuzz_corpus`, to be tried first from then on.
 *
 * @module
 */
import { memoisedX25519 } from "../../src/protocol/testing/memoised_x25519.ts";
import { FuzzFailure } from "./fuzz/fuzz_target.ts";
import { keepInput, TARGETS } from "./fuzz/targets.ts";

const [count = "10000000", seed = String(Date.now() % 2 ** 31), ...names] = Deno.args;
const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(text + "\n"));

let lost = 0;
say(`seed ${seed}`);
for (const target of TARGETS) {
  if (names.length > 0 && !names.includes(target.name)) continue;
  using _ = memoisedX25519();
  const started = performance.now();
  try {
    const taken = target.fuzz(Number(seed), Number(count));
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    say(`${target.name}: ${count} inputs, ${taken} of them taken, 0 lost, ${seconds} s`);
  } catch (error) {
    if (!(error instanceof FuzzFailure)) throw error;
    await keepInput(error);
    say(error.message);
    lost++;
  }
}
Deno.exit(lost === 0 ? 0 : 1);
