import { assertEquals } from "@std/assert";
import { KILL_PHASES, Killer } from "./kills.ts";

Deno.test("kill -9 in every phase loses no identity, pin or finished file, and leaves no half file", async () => {
  const killer = new Killer(20_251);
  await killer.run(KILL_PHASES.length);
  assertEquals([...killer.counts.kills.keys()], [...KILL_PHASES]);
});
