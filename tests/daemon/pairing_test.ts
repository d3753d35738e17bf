/**
 * Who gets in: daemons with everything real but the connection, which is in memory.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { ApiError } from "../../src/ipc/client/client.ts";
import type { PairRequest } from "../../src/ipc/api/schemas.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import {
  closedSession,
  type DaemonUnderTest,
  LocalDaemon,
  meeting,
  meetingByFile,
  openedSession,
  pairBy,
  pairDaemons,
  pairingOf,
} from "../support/daemon.ts";
import { HandDrivenPeer } from "../support/hand_driven_peer.ts";
import { join } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";

const ASKS = ["--device-name", "alice's laptop"];

/** Fails unless the daemon refuses with this code. */
async function refuses(code: string, call: () => Promise<unknown>): Promise<void> {
  assertEquals((await assertRejects(call, ApiError)).code, code);
}

/** Begins a session in both; the answerer's decision is still to be made. */
async function begin(
  requests: { readonly offerer: PairRequest; readonly answerer: PairRequest },
  offerer: DaemonUnderTest,
  answerer: DaemonUnderTest,
) {
  return {
    offering: await offerer.pair(requests.offerer),
    answering: await answerer.pair(requests.answerer),
  };
}

/** The identity of a daemon. */
const identityOf = async (daemon: DaemonUnderTest) => (await daemon.client.status()).identity;

for (const signal of ["file", "rendezvous"] as const) {
  Deno.test(`by ${signal}, an unknown identity is asked about with its name and SAS, and let in when both people say yes`, async () => {
    await using server = startRendezvousServer();
    await using folder = await TempFolder.make();
    const network = new MemoryNetwork();
    await using alice = await LocalDaemon.start(network, { flags: ASKS });
    await using bob = await LocalDaemon.start(network);
    const requests = signal === "file" ? meetingByFile(folder) : meeting(server.url);
    const { offering, answering } = await begin(requests, alice, bob);
    const [ofAlice, ofBob] = [await pairingOf(alice, offering), await pairingOf(bob, answering)];
    assertEquals(ofAlice.sas, ofBob.sas);
    assertEquals(ofBob.identity, await identityOf(alice));
    assertEquals(ofBob.state, "pending");
    assertEquals(Date.parse(ofBob.expiresAt) - Date.parse(ofBob.requestedAt), 30_000);
    assertEquals(String(ofBob.deviceName), "alice's laptop");
    assertEquals(ofBob.peerCode, signal === "file" ? undefined : "alice");
    await alice.client.decidePairing(ofAlice.pairingId, { decision: "allow_always" });
    // One yes is not enough: until the other comes, nothing can be sent over the session.
    const [undecided] = await bob.client.listSessions();
    assertEquals(undecided?.state, "deciding");
    await refuses(
      "PEER_NOT_CONNECTED",
      () =>
        bob.client.send({ paths: ["/etc/hostname"], sessionId: answering.sessionId, priority: 0 }),
    );
    await bob.client.decidePairing(ofBob.pairingId, { decision: "allow_always" });
    await openedSession(alice, offering);
    const open = await openedSession(bob, answering);
    assertEquals(open.identity, await identityOf(alice));
    const [peer] = await bob.client.listPeers();
    assertEquals(peer?.trust, "allow_always");
    assertEquals(peer?.connected, true);
  });
}

Deno.test("a peer that is pinned as allowed is let in without a question", async () => {
  await using server = startRendezvousServer();
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  await using bob = await LocalDaemon.start(network);
  const first = await pairDaemons(server.url, alice, bob);
  await alice.client.closeSession(first.alice.sessionId);
  assertEquals((await closedSession(bob, first.bob)).state, "closed");
  const { offering, answering } = await begin(meeting(server.url), alice, bob);
  await openedSession(alice, offering);
  await openedSession(bob, answering);
  assertEquals(bob.events.filter(({ type }) => type === "pairing-requested").length, 1);
});

Deno.test("when a pinned peer was last seen is told once its session is over, also after a restart; not while it is open", async () => {
  await using server = startRendezvousServer();
  await using folder = await TempFolder.make();
  const dataDir = folder.path("bob");
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  const seen = async ({ client }: DaemonUnderTest) => (await client.listPeers())[0]?.lastSeenAt;
  let endedAt: string | undefined;
  {
    await using bob = await LocalDaemon.start(network, { dataDir });
    const first = await pairDaemons(server.url, alice, bob);
    assertEquals(await seen(bob), undefined);
    await alice.client.closeSession(first.alice.sessionId);
    endedAt = (await closedSession(bob, first.bob)).endedAt;
    assertEquals(await seen(bob), endedAt);
  }
  await using bob = await LocalDaemon.start(network, { dataDir });
  assertEquals(await seen(bob), endedAt);
});

Deno.test("a peer that was allowed once is asked about again, and nothing is pinned", async () => {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  await using bob = await LocalDaemon.start(network);
  const first = await pairBy(meetingByFile(folder), alice, bob, "allow_once");
  assertEquals((await bob.client.listPeers())[0]?.trust, "none");
  await alice.client.closeSession(first.alice.sessionId);
  await closedSession(bob, first.bob);
  const { answering } = await begin(meetingByFile(folder), alice, bob);
  assertEquals((await pairingOf(bob, answering)).state, "pending");
});

Deno.test("a denied peer is refused; denied always, it is refused again without a question, also after a restart", async () => {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  const dataDir = folder.path("bob");
  await using alice = await LocalDaemon.start(network);
  {
    await using bob = await LocalDaemon.start(network, { dataDir });
    const once = await begin(meetingByFile(folder), alice, bob);
    const asked = await pairingOf(bob, once.answering);
    await bob.client.decidePairing(asked.pairingId, { decision: "deny_once" });
    const refused = await closedSession(bob, once.answering);
    assertEquals([refused.state, refused.failure?.code], ["failed", "PEER_DENIED"]);
    await closedSession(alice, once.offering);
    const again = await begin(meetingByFile(folder), alice, bob);
    const { pairingId } = await pairingOf(bob, again.answering);
    await bob.client.decidePairing(pairingId, { decision: "deny_always" });
    await closedSession(bob, again.answering);
    await closedSession(alice, again.offering);
    assertEquals((await bob.client.listPeers())[0]?.trust, "deny_always");
  }
  {
    // Before anybody has come: what is pinned can be decided about anew, both ways.
    await using bob = await LocalDaemon.start(network, { dataDir });
    const { identity = "" } = (await bob.client.listPeers())[0] ?? {};
    for (const decision of ["allow_always", "deny_always"] as const) {
      assertEquals((await bob.client.trust(identity, { decision })).trust, decision);
    }
  }
  await using bob = await LocalDaemon.start(network, { dataDir });
  const { answering } = await begin(meetingByFile(folder), alice, bob);
  assertEquals((await closedSession(bob, answering)).failure?.code, "PEER_DENIED");
  assertEquals(bob.events.filter(({ type }) => type === "pairing-requested").length, 0);
});

Deno.test("a known peer code with another key is refused: KEY_MISMATCH, with both fingerprints", async () => {
  await using server = startRendezvousServer();
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  await using mallory = await LocalDaemon.start(network);
  const pinned = await (async () => {
    await using bob = await LocalDaemon.start(network);
    const { alice: session } = await pairDaemons(server.url, alice, bob);
    await bob.stop();
    await closedSession(alice, session);
    return session.identity ?? "";
  })();
  const { offering, answering } = await begin(meeting(server.url), alice, mallory);
  const mismatch = await alice.event("key-mismatch");
  const presented = await identityOf(mallory);
  assertEquals([mismatch.pinned, mismatch.presented], [pinned, presented]);
  assertEquals(mismatch.peerCode, "bob");
  assertEquals((await closedSession(alice, offering)).failure?.code, "KEY_MISMATCH");
  // The one who was refused is told why, and cannot say yes for the other.
  assertEquals((await closedSession(mallory, answering)).failure?.code, "KEY_MISMATCH");
  assertEquals(alice.events.filter(({ type }) => type === "session-opened").length, 1);

  // To pin the new key takes its SAS, or an explicit untrust of the old one.
  const replacing = (sas: string) => () =>
    alice.client.trust(presented, { decision: "allow_always", replaces: pinned, sas });
  const sas = (await alice.client.getSession(offering.sessionId)).sas ?? "";
  const wrong = sas === "000000" ? "111111" : "000000";
  await refuses(
    "KEY_MISMATCH",
    () => alice.client.trust(presented, { decision: "allow_always" }),
  );
  await refuses("SAS_MISMATCH", replacing(wrong));
  assertEquals((await alice.client.getPeer(pinned)).trust, "allow_always");
  assertEquals((await replacing(sas)()).trust, "allow_always");
  await refuses("PEER_NOT_FOUND", () => alice.client.untrust(pinned));
});

Deno.test("a key that is replaced by SAS loses its sessions as one that is untrusted", async () => {
  await using server = startRendezvousServer();
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  await using bob = await LocalDaemon.start(network);
  await using other = await LocalDaemon.start(network);
  const sessions = await pairDaemons(server.url, alice, bob);
  const replaces = await identityOf(bob);
  const { offering } = await begin(meeting(server.url), alice, other);
  const { presented } = await alice.event("key-mismatch");
  const { sas = "" } = await closedSession(alice, offering);
  // The code is not the stranger's: what is sent to it goes to its owner.
  assertEquals((await alice.client.getPeer(presented)).peerCode, undefined);
  await alice.client.trust(presented, { decision: "allow_always", replaces, sas });
  assertEquals((await alice.client.getPeer(presented)).peerCode, "bob");
  const { state } = await alice.client.getSession(sessions.alice.sessionId);
  assert(["closing", "closed"].includes(state), state);
  await closedSession(bob, sessions.bob);
  await alice.event(
    "peer-changed",
    ({ peer }) => peer.identity === replaces && peer.trust === "none",
  );
});

Deno.test("untrust ends the peer's sessions and forgets its code, so that another key may come under it", async () => {
  await using server = startRendezvousServer();
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  await using bob = await LocalDaemon.start(network);
  await using other = await LocalDaemon.start(network);
  const sessions = await pairDaemons(server.url, alice, bob);
  await alice.client.untrust(sessions.alice.identity ?? "");
  await closedSession(alice, sessions.alice);
  await closedSession(bob, sessions.bob);
  const { offering } = await begin(meeting(server.url), alice, other);
  assertEquals((await pairingOf(alice, offering)).identity, await identityOf(other));
});

Deno.test("with --pairing-policy deny an unknown identity is refused unasked, with allow it is let in and pinned", async () => {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using denies = await LocalDaemon.start(network, { flags: ["--pairing-policy", "deny"] });
  await using allows = await LocalDaemon.start(network, { flags: ["--pairing-policy", "allow"] });
  await using allowsToo = await LocalDaemon.start(network, {
    flags: ["--pairing-policy", "allow"],
  });
  const refused = await begin(meetingByFile(folder), denies, allows);
  assertEquals((await closedSession(denies, refused.offering)).failure?.code, "PEER_DENIED");
  await closedSession(allows, refused.answering);
  const { offering } = await begin(meetingByFile(folder), allows, allowsToo);
  const { identity = "" } = await openedSession(allows, offering);
  assertEquals((await allows.client.getPeer(identity)).trust, "allow_always");
  for (const daemon of [denies, allows, allowsToo]) {
    assert(!daemon.events.some(({ type }) => type === "pairing-requested"));
  }
});

Deno.test("a session that ends while its pairing waits takes the request back", async () => {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  await using bob = await LocalDaemon.start(network);
  const { offering, answering } = await begin(meetingByFile(folder), alice, bob);
  const { pairingId } = await pairingOf(bob, answering);
  await pairingOf(alice, offering);
  network.paths[0]?.lose();
  const { pairing } = await bob.event("pairing-decided");
  assertEquals([pairing.pairingId, pairing.state], [pairingId, "expired"]);
  await closedSession(bob, answering);
  await refuses(
    "INVALID_STATE",
    () => bob.client.decidePairing(pairingId, { decision: "allow_always" }),
  );
  assertEquals(await bob.client.listPairings(), []);
  assertEquals((await bob.client.listPeers())[0]?.trust, "none");
});

Deno.test("a yes that comes when the session is over, but its channel is not closed yet, opens nothing", async () => {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using bob = await LocalDaemon.start(network);
  await using peer = await HandDrivenPeer.meet(network, folder, bob);
  const { pairing } = await bob.event("pairing-requested");
  // Breaks the protocol, and does not take what it is told of that.
  await peer.channel.send("not an envelope");
  peer.path.stall();
  await bob.event("pairing-decided");
  await refuses(
    "INVALID_STATE",
    () => bob.client.decidePairing(pairing.pairingId, { decision: "allow_always" }),
  );
  peer.path.resume();
  const { session } = await bob.event("session-closed");
  assertEquals([session.openedAt, session.failure?.code], [undefined, "ENVELOPE_INVALID"]);
  assertEquals((await bob.client.listPeers())[0]?.trust, "none");
});

Deno.test("MUST bound concurrent peer connections: several sessions at once up to --max-peers, one more is refused", async () => {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network, { flags: ["--max-peers", "2"] });
  await using bob = await LocalDaemon.start(network);
  await using carol = await LocalDaemon.start(network);
  const withBob = await pairBy(meetingByFile(folder), alice, bob);
  await pairBy(meetingByFile(folder), alice, carol);
  assertEquals((await alice.client.status()).sessions, { open: 2, limit: 2 });
  await refuses("LIMIT_EXCEEDED", () => alice.pair(meetingByFile(folder).offerer));
  // One that ends makes room, and one that is still being opened takes it.
  await alice.client.closeSession(withBob.alice.sessionId);
  await closedSession(alice, withBob.alice);
  const waiting = await alice.pair(meetingByFile(folder).answerer);
  await refuses("LIMIT_EXCEEDED", () => alice.pair(meetingByFile(folder).offerer));
  await alice.client.closeSession(waiting.sessionId);
  assertEquals((await closedSession(alice, waiting)).state, "closed");
});

Deno.test("a peer that comes again takes the place of its old session, whose transfers are interrupted", async () => {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  await using bob = await LocalDaemon.start(network);
  const first = await pairBy(meetingByFile(folder), alice, bob);
  const paths = [folder.path("file")];
  await Deno.writeTextFile(folder.path("file"), "x");
  const identity = first.alice.identity ?? "";
  await alice.client.send({ paths, identity, priority: 0 });
  await bob.event("transfer-offered");
  // Bob's machine was off for a moment, and alice does not know.
  network.paths[0]?.stall();
  const second = await begin(meetingByFile(folder), alice, bob);
  const { transfer } = await alice.event("transfer-failed");
  assertEquals([transfer.state, transfer.failure?.code], ["interrupted", "CONNECTION_LOST"]);
  network.paths[0]?.resume();
  await closedSession(alice, first.alice);
  const open = await openedSession(alice, second.offering);
  const peer = await alice.client.getPeer(open.identity ?? "");
  assertEquals(peer.sessionId, second.offering.sessionId);
});

Deno.test("MUST NOT perform discovery or rendezvous: a session that the app did not ask for is never opened, and its deadline is told", async () => {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  const { answerer } = meetingByFile(folder);
  const lonely = await alice.pair({ ...answerer, phaseTimeoutSecs: 1 });
  const { state, failure } = await closedSession(alice, lonely);
  assertEquals([state, failure?.code], ["failed", "DEADLINE"]);
  assertEquals(network.paths.length, 0);
});

Deno.test('a pairing decision is on disk when it is answered and told: "Identity store and pin store MUST survive crashes"', async () => {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  await using bob = await LocalDaemon.start(network);
  const { offering, answering } = await begin(meetingByFile(folder), alice, bob);
  const trusted = async (daemon: DaemonUnderTest) => {
    const text = await Deno.readTextFile(join(daemon.dataDir, "pins", "trust.json"))
      .catch(() => '{"peers":{}}');
    return Object.entries(JSON.parse(text).peers);
  };
  const ofAlice = await pairingOf(alice, offering);
  const ofBob = await pairingOf(bob, answering);
  await alice.client.decidePairing(ofAlice.pairingId, { decision: "allow_always" });
  assertEquals(await trusted(alice), [[ofAlice.identity, "allow_always"]]);
  const deciding = bob.client.decidePairing(ofBob.pairingId, { decision: "deny_always" });
  await bob.event("pairing-decided");
  assertEquals(await trusted(bob), [[ofBob.identity, "deny_always"]]);
  await deciding;
});

Deno.test("a decision that can't be kept is told as such, with the reason: nothing is pinned", async () => {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  await using bob = await LocalDaemon.start(network);
  const { answering } = await begin(meetingByFile(folder), alice, bob);
  const { pairingId, identity } = await pairingOf(bob, answering);
  await Deno.rename(join(bob.dataDir, "pins"), join(bob.dataDir, "away"));
  const decision = "allow_always";
  for (
    const asked of [
      () => bob.client.decidePairing(pairingId, { decision }),
      () => bob.client.trust(identity, { decision }),
    ]
  ) {
    const { code, message } = await assertRejects(asked, ApiError);
    assertEquals(code, "STORAGE_FAILED");
    assertMatch(message, /pins is no longer the folder .* \(FOLDER_CHANGED\)$/);
  }
  assertEquals((await bob.client.getPeer(identity)).trust, "none");
});

Deno.test("a device name told through files is kept with the pin", async () => {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network, { flags: ASKS });
  await using bob = await LocalDaemon.start(network);
  await pairBy(meetingByFile(folder), alice, bob);
  const [peer] = await bob.client.listPeers();
  assertEquals(String(peer?.deviceName), "alice's laptop");
});
