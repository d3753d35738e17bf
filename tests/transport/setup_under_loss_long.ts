/**
 * The measurement behind the short test of setups under loss. Run it by name:
 * `deno test --no-prompt -A tests/transport/setup_under_loss_long.ts`.
 */
import { setupUnderLoss } from "./loss.ts";

Deno.test("200 of 200 setups succeed within 20 s when 5 % of the datagrams are lost", async () => {
  let next = 0;
  const inTurn = async () => {
    while (next < 200) await setupUnderLoss(0.05, next++, 20_000);
  };
  await Promise.all(Array.from({ length: 6 }, inTurn));
});
