import { assertEquals } from "@std/assert";
import { assertAlive, connected } from "./harness.ts";

Deno.test("two peers on this machine meet by its own interfaces, in each scope", async () => {
  const options = { interfaces: Deno.networkInterfaces };
  for (const scope of ["lan", "overlay", "global"] as const) {
    await connected(options, options, async (offerer, answerer, signal) => {
      assertEquals([offerer.label, answerer.label], ["bolt", "bolt"]);
      await assertAlive(offerer, answerer, signal);
    }, { scopes: [scope, scope] });
  }
});
