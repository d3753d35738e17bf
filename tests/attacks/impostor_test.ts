/**
 * Impostors: peers that claim an identity whose key they do not hold, at a whole daemon.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { KeyPair } from "../../src/protocol/crypto/keys.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { closedSession, LocalDaemon } from "../support/daemon.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { namesIn } from "../support/transfers.ts";
import { offerFile } from "./support/protocol_violations.ts";
import { HostilePeer, type Meeting, openHostileSession } from "./support/hostile_peer.ts";

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));

/** A daemon that lets everyone in, proven or not, over a network in memory. */
async function victim(stack: AsyncDisposableStack): Promise<Meeting> {
  const folder = stack.use(await TempFolder.make());
  const network = new MemoryNetwork();
  const flags = ["--pairing-policy", "allow", "--unproven-peers", "allow"];
  const daemon = stack.use(await LocalDaemon.start(network, { flags }));
  return { connector: network.connector, folder, daemon };
}

/** A key pair of the same identity, for the next session of its owner. */
const again = (secret: Uint8Array) => new KeyPair("identity", new Uint8Array(secret));

Deno.test("an identity that has proven itself is refused to whoever only claims it, and stays its owner's", async () => {
  await using stack = new AsyncDisposableStack();
  const meeting = await victim(stack);
  const { daemon } = meeting;
  const secret = random(32);
  const owner = await openHostileSession(meeting, { identity: again(secret) });
  const { hex } = owner.identity.publicKey;
  assertEquals((await daemon.client.getPeer(hex)).proven, true);
  await owner[Symbol.asyncDispose]();
  await daemon.event("session-closed", ({ session }) => session.identity === hex);

  await using impostor = await HostilePeer.connect(meeting, again(secret));
  await impostor.say(impostor.hello());
  assertEquals(await impostor.verdict(), "KEY_MISMATCH");
  const refused = await daemon.event("identity-refused");
  assertEquals([refused.claimed, refused.step], [hex, "expectation"]);
  const [last] = (await daemon.client.listSessions()).slice(-1);
  assertEquals(
    last === undefined || (await closedSession(daemon, last)).failure?.code,
    "IDENTITY_REFUSED",
  );

  await using _back = await openHostileSession(meeting, { identity: again(secret) });
  assertEquals((await daemon.client.getPeer(hex)).trust, "allow_always");
});

Deno.test("a peer that proves nothing puts no file into an inbox with auto-accept", async () => {
  await using stack = new AsyncDisposableStack();
  const meeting = await victim(stack);
  const { daemon } = meeting;
  await using peer = await HostilePeer.connect(meeting);
  await peer.say(peer.hello());
  await peer.hearOf("hello");
  const { hex } = peer.identity.publicKey;
  await daemon.event("session-opened", ({ session }) => session.identity === hex);
  await daemon.client.setAutoAccept(hex, { enabled: true });
  await offerFile(peer, "build.tar");
  const { transfer } = await daemon.event("transfer-offered");
  assertEquals([transfer.state, transfer.waitingFor], ["offered", "decision"]);
  assertEquals(await namesIn(daemon.inbox), []);
});
