/**
 * A peer that proves nothing, at a real daemon, as its user sees it: at a terminal and in the log.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { screenAfter } from "../../src/boltctl/testing/screen.ts";
import { connector } from "../../src/transport/webrtc/connector.ts";
import { HostilePeer } from "../attacks/support/hostile_peer.ts";
import { ServedDaemon } from "../support/daemon.ts";
import { join } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { boltctl } from "./support/boltctl.ts";
import { hasPseudoTerminal, OnTerminal } from "./support/pseudo_terminal.ts";

/** Windows has no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

test({
  name: "a peer that proves nothing is shown under a warning, and let in by --unproven only",
  ignore: !await hasPseudoTerminal(),
  fn: async () => {
    await using folder = await TempFolder.make();
    await using daemon = await ServedDaemon.start();
    const program = boltctl(join(daemon.dataDir, "daemon.sock"));
    const meeting = { connector, folder, daemon };
    await using peer = await HostilePeer.connect(meeting);
    await peer.say(peer.hello());
    const { pairing } = await daemon.event("pairing-requested");
    assertEquals(pairing.proven, false);

    await using refused = new OnTerminal(program, ["pair", "--sas", pairing.sas], 80);
    assertEquals(await refused.ended(), 4, refused.screen);
    await using asked = new OnTerminal(program, ["pair", "--unproven"], 80);
    await asked.shows("[yes/no]");
    const warnings = screenAfter(asked.screen, 80).filter((row) => row.startsWith("WARNING"));
    assertEquals(warnings.length, 1, asked.screen);
    await asked.type("yes\n");
    assertEquals(await asked.ended(), 0, asked.screen);
    const { session } = await daemon.event("session-opened");
    assertEquals([session.proven, session.identity], [false, pairing.identity]);

    const lines = daemon.run.stderr.split("\n").filter((line) =>
      line.includes("can forge its SAS")
    );
    assertEquals(lines.length, 1, daemon.run.stderr);
    assertMatch(lines[0] ?? "", new RegExp(`session=${session.sessionId}`));
    assert(daemon.run.stderr.includes("proven=false"));
    await daemon.stop();
  },
});
