/**
 * The measurement behind the short tests of setups under loss. Run it by name:
 * `deno test --no-prompt -A tests/transport/setup_under_loss_long.ts`.
 */
import { setupOverTcp } from "../faults/setup_over_tcp.ts";
import { setupUnderLoss } from "./loss.ts";

const SETUPS = 200;

for (const [by, setup] of Object.entries({ UDP: setupUnderLoss, TCP: setupOverTcp })) {
  Deno.test(`${SETUPS} of ${SETUPS} setups by ${by} succeed within 20 s when 5 % is lost`, async () => {
    let next = 0;
    const took: number[] = [];
    const inTurn = async () => {
      while (next < SETUPS) took.push(await setup(0.05, next++, 20_000));
    };
    await Promise.all(Array.from({ length: 6 }, inTurn));
    const [median, slowest] = [SETUPS >> 1, SETUPS - 1]
      .map((at) => took.toSorted((a, b) => a - b)[at]?.toFixed());
    const line = `${by}: median ${median} ms, the slowest ${slowest} ms\n`;
    Deno.stderr.writeSync(new TextEncoder().encode(line));
  });
}
