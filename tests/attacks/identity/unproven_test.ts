/**
 * An attacker who plays an old peer, which proves nothing, and one who says nothing at all: what
 * he can't do with it.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { ApiError } from "../../../src/ipc/client/client.ts";
import { type DaemonUnderTest, openedSession, pairingOf } from "../../support/daemon.ts";
import { type Deceit, deceive, SILENT } from "../support/identity_attacks.ts";
import { IdentityStage } from "../support/identity_stage.ts";
import type { VictimEnd } from "../support/victims.ts";

/** Fails unless the daemon refuses with this code. */
async function refuses(code: string, call: () => Promise<unknown>): Promise<void> {
  assertEquals((await assertRejects(call, ApiError)).code, code);
}

const OLD_PEER: Deceit = {
  keys: "own",
  commits: "stripped",
  hello: "claimed identity, as an old peer",
};
/** He names himself, and proves nothing. */
const OLD_STRANGER: Deceit = { ...OLD_PEER, hello: "own identity, proven" };

/** Has both meet him; each claims the identity of the other victim, or one of his own. */
async function meetOldPeer(stage: IdentityStage, deceit: Deceit = OLD_PEER) {
  const { scene, victims } = stage;
  const middle = deceive(scene, { offerer: deceit, answerer: deceit });
  const { offerer, answerer } = await victims.begin(middle.tamper);
  return { alice: offerer, bob: answerer, middle };
}

async function close(stage: IdentityStage, ends: { alice: VictimEnd; bob: VictimEnd }) {
  for (const whose of ["alice", "bob"] as const) {
    const { sessionId } = ends[whose].session;
    await stage.victims[whose].client.closeSession(sessionId);
    await stage.victims[whose].event("session-closed", (e) => e.session.sessionId === sessionId);
  }
}

/** An honest meeting that both people allow. */
async function meetHonestly(stage: IdentityStage, decision: "allow_always" | "allow_once") {
  const { alice, bob } = stage.victims;
  const { offerer, answerer } = await stage.victims.begin(undefined);
  for (const [daemon, { session }] of [[alice, offerer], [bob, answerer]] as const) {
    const { pairingId, sas } = await pairingOf(daemon, session);
    await daemon.client.decidePairing(pairingId, { decision, sas });
    assertEquals((await openedSession(daemon, session)).proven, true);
  }
  return { alice: offerer, bob: answerer };
}

Deno.test("a SAS that people read of an old peer lets nobody in: only an explicit word does", async () => {
  await using stage = await IdentityStage.set({ acquainted: false });
  await using middle = (await meetOldPeer(stage)).middle;
  const { alice } = stage.victims;
  const [session] = await alice.client.listSessions();
  assert(session !== undefined);
  const { pairingId, sas, proven } = await pairingOf(alice, session);
  assertEquals(proven, false);
  for (const decision of ["allow_always", "allow_once"] as const) {
    await refuses(
      "POLICY_REFUSED",
      () => alice.client.decidePairing(pairingId, { decision, sas }),
    );
  }
  assertEquals((await alice.client.getSession(session.sessionId)).state, "deciding");
  assertEquals(await middle.leave(), []);
});

Deno.test("an identity that was let in for good though it proved nothing is asked about each time: whoever claims it next may be another", async () => {
  await using stage = await IdentityStage.set({ acquainted: false });
  const { alice } = stage.victims;
  const first = await meetOldPeer(stage);
  await using _first = first.middle;
  const { pairingId } = await pairingOf(alice, first.alice.session);
  await alice.client.decidePairing(pairingId, { decision: "allow_always", unproven: true });
  await openedSession(alice, first.alice.session);
  await close(stage, first);
  const second = await meetOldPeer(stage);
  await using _second = second.middle;
  assertEquals([second.alice.state, second.alice.session.proven], ["asked", false]);
  await close(stage, second);
});

Deno.test("with --unproven-peers refuse, and with --pairing-policy deny, nobody is asked about an old peer", async () => {
  for (const flags of [["--unproven-peers", "refuse"], ["--pairing-policy", "deny"]]) {
    await using stage = await IdentityStage.set({ acquainted: false, flags });
    const { alice, bob, middle } = await meetOldPeer(stage);
    assertEquals([alice.state, bob.state], ["ended", "ended"], String(flags));
    assertEquals(alice.session.failure?.code, "PEER_DENIED");
    assertEquals(await middle.leave(), []);
  }
});

Deno.test("with --unproven-peers allow the same old peer is let in: what the published protocol does, and the attack's control", async () => {
  const flags = ["--unproven-peers", "allow", "--pairing-policy", "allow"];
  await using stage = await IdentityStage.set({ acquainted: false, flags });
  const { alice, bob, middle } = await meetOldPeer(stage);
  await using _middle = middle;
  assertEquals([alice.state, bob.state], ["opened", "opened"]);
  // Each takes him for the other.
  const { offerer, answerer } = stage.scene.identities;
  assertEquals([alice.session.identity, bob.session.identity], [answerer.hex, offerer.hex]);
  await close(stage, { alice, bob });
});

Deno.test("an old peer that claims an identity which has proven itself, or was trusted by key, is not asked about, and frames nobody", async () => {
  for (const way of ["proven", "told by key"]) {
    await using stage = await IdentityStage.set({ acquainted: way === "proven" });
    if (way !== "proven") await stage.victims.tellKeys();
    const { alice, bob, middle } = await meetOldPeer(stage);
    await using _middle = middle;
    assertEquals([alice.step, bob.step], ["expectation", "expectation"], way);
    await close(stage, { alice, bob });
    assertEquals((await stage.victims.meet()).result, "arrived", way);
  }
});

Deno.test("an identity that was let in once, proven, is not framed with deny by an old peer that claims it", async () => {
  await using stage = await IdentityStage.set({ acquainted: false });
  const { victims, scene } = stage;
  await close(stage, await meetHonestly(stage, "allow_once"));
  const { alice, bob, middle } = await meetOldPeer(stage);
  await using _middle = middle;
  assertEquals(alice.state, "asked");
  const { pairingId } = await pairingOf(victims.alice, alice.session);
  for (const unproven of [false, true]) {
    for (const decision of ["deny_always", "allow_always"] as const) {
      await refuses(
        "POLICY_REFUSED",
        () => victims.alice.client.decidePairing(pairingId, { decision, unproven }),
      );
    }
  }
  await victims.alice.client.decidePairing(pairingId, { decision: "deny_once" });
  await close(stage, { alice, bob });
  const pinned = (await victims.alice.client.listPeers()).find(({ trust }) => trust !== "none");
  assertEquals(pinned?.identity, undefined);
  const again = await meetHonestly(stage, "allow_always");
  await close(stage, again);
  const peer = await victims.alice.client.getPeer(scene.identities.answerer.hex);
  assertEquals(peer.trust, "allow_always");
});

Deno.test("a stranger who proves nothing replaces no pin, neither by coming under its code nor by a SAS", async () => {
  await using stage = await IdentityStage.set();
  const { victims } = stage;
  const pinned = stage.scene.identities.answerer.hex;
  const { alice, bob, middle } = await meetOldPeer(stage, OLD_STRANGER);
  await using _middle = middle;
  assertEquals([alice.step, bob.step], ["peer-code", "peer-code"]);
  await close(stage, { alice, bob });
  const { identity: stranger, sas } = alice.session;
  assert(stranger !== undefined && sas !== undefined);
  assertNotEquals(stranger, pinned);
  const decision = "allow_always";
  const { client } = victims.alice;
  await refuses(
    "POLICY_REFUSED",
    () => client.trust(stranger, { decision, replaces: pinned, sas }),
  );
  await refuses("KEY_MISMATCH", () => client.trust(stranger, { decision }));
  assertEquals((await client.getPeer(pinned)).trust, "allow_always");
  assertEquals((await victims.meet()).result, "arrived");
});

/** What a daemon says to a person who types the right code of an honest meeting. */
async function typeCode(stage: IdentityStage): Promise<readonly string[]> {
  const { alice, bob } = stage.victims;
  const { offerer, answerer } = await stage.victims.begin(undefined);
  const type = async (daemon: DaemonUnderTest, { session }: VictimEnd) => {
    const { pairingId, sas } = await pairingOf(daemon, session);
    try {
      await daemon.client.decidePairing(pairingId, { decision: "allow_once", sas });
      return "let in";
    } catch (error) {
      return error instanceof ApiError ? error.code : "?";
    }
  };
  const said = [await type(alice, offerer), await type(bob, answerer)];
  await close(stage, { alice: offerer, bob: answerer });
  return said;
}

/** He hears both HELLOs, computes both codes, and leaves because they are not equal. */
async function attemptInSilence(stage: IdentityStage): Promise<void> {
  for (const { begin } of SILENT) {
    const { tamper, middle } = begin(stage.scene);
    await using _middle = middle;
    const offers = new Set<string>();
    const { offerer, answerer } = await stage.victims.begin((signal) => {
      if (signal.payload.type === "offer") offers.add(JSON.stringify(signal.payload));
      return tamper(signal);
    });
    assertEquals([offerer.state, answerer.state], ["ended", "ended"]);
    assertEquals(offers.size, 1, "the daemon does not try again by itself");
  }
}

Deno.test("a man in the middle who keeps his HELLO back when the codes do not suit him is counted: ten attempts, and no code lets anybody in", async () => {
  await using stage = await IdentityStage.set({ acquainted: false });
  for (let attempt = 0; attempt < 9; attempt++) await attemptInSilence(stage);
  assertEquals(await typeCode(stage), ["let in", "let in"]);
  await attemptInSilence(stage);
  assertEquals(await typeCode(stage), ["SAS_ATTEMPTS_EXHAUSTED", "SAS_ATTEMPTS_EXHAUSTED"]);
});

Deno.test("where the peer is known and must prove itself no code decides: his silence is not counted", async () => {
  await using stage = await IdentityStage.set();
  for (let attempt = 0; attempt < 11; attempt++) await attemptInSilence(stage);
  const { victims, scene: { identities } } = stage;
  assertEquals((await victims.meet()).result, "arrived");
  // Had it been counted, no code would let anybody in now.
  await victims.alice.client.untrust(identities.answerer.hex);
  await victims.bob.client.untrust(identities.offerer.hex);
  assertEquals(await typeCode(stage), ["let in", "let in"]);
});
