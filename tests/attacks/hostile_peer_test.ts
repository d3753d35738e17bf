/**
 * A peer that lies in every field and order, at a whole daemon: the right code is answered, nothing
 * of it stays, and other peers are served meanwhile.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { MemoryNetwork } from "../../src/transport/memory_connector.ts";
import { LocalDaemon } from "../support/daemon.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { namesIn } from "../support/transfers.ts";
import { LIES } from "./support/lies.ts";
import { LyingPeer, openLyingSession } from "./support/lying_peer.ts";

const LETS_EVERYONE_IN = ["--pairing-policy", "allow"];

Deno.test("a peer that lies is answered the right code, and a good one is served meanwhile", async (t) => {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using daemon = await LocalDaemon.start(network, { flags: LETS_EVERYONE_IN });
  const meeting = { connector: network.connector, folder, daemon };
  await using good = await openLyingSession(meeting);
  for (const lie of LIES) {
    await t.step(
      `${lie.when === "before" ? "before HELLO" : "after HELLO"}: ${lie.what}`,
      async () => {
        await using peer = lie.when === "before"
          ? await LyingPeer.connect(meeting)
          : await openLyingSession(meeting, { ratchet: lie.when === "ratchet" });
        await lie.tell(peer);
        assertEquals(await peer.verdict(), lie.code);
        if (lie.survives === true) assert(await peer.isServed(), "the session ended");
        else await peer.hungUp();
        assert(await good.isServed());
      },
    );
  }
  assertEquals(await namesIn(daemon.inbox), []);
});
