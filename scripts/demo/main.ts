/**
 * The demo: a rendezvous server and daemons on this machine. `deno task demo [FILE]` says what
 * happens at each step and exits 0 when all of it went well.
 *
 * @module
 */
import { startRendezvousServer } from "../rendezvous/server.ts";
import { exchangePayload } from "./exchange_payload.ts";
import { say } from "./say.ts";
import { sendFile } from "./send_file.ts";

async function demo(file: string | undefined): Promise<number> {
  await using server = startRendezvousServer();
  say(`A rendezvous server listens at ${server.url}. It relays signals, and is not trusted.\n`);
  const done = await exchangePayload(server.url) && await sendFile(server.url, file);
  say(done ? "\nAll of it went well." : "\nThe demo failed: see above.");
  return done ? 0 : 1;
}

if (import.meta.main) Deno.exit(await demo(Deno.args[0]));
