import { assertEquals } from "@std/assert";
import { TRANSPORTS } from "./daemons_over_relay.ts";
import { KILL_PHASES, Killer } from "./kills.ts";

for (const transport of TRANSPORTS) {
  Deno.test(`kill -9 in every phase, by ${transport.toUpperCase()}, loses no identity, pin or finished file, and leaves no half file`, async () => {
    const killer = new Killer(20_251, transport);
    await killer.run(KILL_PHASES.length);
    assertEquals([...killer.counts.kills.keys()], [...KILL_PHASES]);
  });
}
