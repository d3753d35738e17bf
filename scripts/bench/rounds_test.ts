import { assertEquals } from "@std/assert";
import { inTurns, type Variant } from "./rounds.ts";

Deno.test("variants take turns; a run that fails or takes too long is lost, and the rest goes on", async () => {
  const order: string[] = [];
  const variant = (name: string, run: Variant["run"]): Variant => ({
    name,
    run: (signal) => {
      order.push(name);
      return run(signal);
    },
  });
  let ended = 0;
  const results = await inTurns([
    variant("good", () => Promise.resolve(new Map([["MB/s", 1]]))),
    variant("bad", () => Promise.reject(new Error("it failed"))),
    variant("slow", (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          ended++;
          reject(signal.reason);
        });
      })),
  ], { rounds: 2, deadlineMs: 1 });
  assertEquals(order, ["good", "bad", "slow", "good", "bad", "slow"]);
  assertEquals(ended, 2);
  const figures = new Map([["MB/s", 1]]);
  assertEquals([...results], [
    ["good", [figures, figures]],
    ["bad", [undefined, undefined]],
    ["slow", [undefined, undefined]],
  ]);
});
