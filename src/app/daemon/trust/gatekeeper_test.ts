import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { DaemonError, StorageError } from "../../../base/errors.ts";
import { KeyPair } from "../../../protocol/crypto/keys.ts";
import { TemporaryFolder } from "../../../storage/testing/temporary_folder.ts";
import { type SeenPeer, TrustStore } from "../../../storage/trust_store.ts";
import type { PairingPolicy, UnprovenPolicy } from "../../../vocabulary/policies.ts";
import { HandClock, MemoryEvents, memoryLog } from "../../testing/fixtures.ts";
import { Gatekeeper } from "./gatekeeper.ts";
import { type IdentifiedPeer, PairingRequests } from "./pairing_requests.ts";

const never = new Promise<never>(() => {});
const KEY = "ab".repeat(32);
const OTHER = "cd".repeat(32);

/** A pin of the code bob, with its proof. */
const PIN: SeenPeer = { identity: KEY, code: "bob", deviceName: "", seenAt: 0, proven: true };

/** Somebody under the code bob. */
const bob = (identity: string, more: Partial<IdentifiedPeer> = {}): IdentifiedPeer => ({
  sessionId: "s",
  identity,
  deviceName: "phone",
  peerCode: "bob",
  proven: true,
  sas: "A1B2C3",
  ...more,
});

interface Policies {
  readonly pairingPolicy: PairingPolicy;
  readonly unprovenPeers: UnprovenPolicy;
}

/** A gatekeeper with pins on a disk, for one test. */
class Gate implements AsyncDisposable {
  readonly clock = new HandClock();
  readonly events = new MemoryEvents();
  readonly log = memoryLog();
  readonly pairings: PairingRequests;
  readonly keeper: Gatekeeper;

  private constructor(
    readonly folder: TemporaryFolder,
    readonly trust: TrustStore,
    readonly data: Disposable,
    policies: Policies,
  ) {
    const { clock, events, log } = this;
    this.pairings = new PairingRequests({ events, now: clock.now, after: clock.after });
    this.keeper = new Gatekeeper({
      trust,
      pairings: this.pairings,
      ...policies,
      events,
      log,
      now: clock.now,
    });
  }

  static async open(
    pairingPolicy: PairingPolicy = "ask",
    unprovenPeers: UnprovenPolicy = "ask",
  ): Promise<Gate> {
    const folder = await TemporaryFolder.make();
    const data = await folder.dataFolder();
    return new Gate(folder, await TrustStore.open(folder.fs, data), data, {
      pairingPolicy,
      unprovenPeers,
    });
  }

  /** What becomes of a peer about whom the application says that. */
  async decided(peer: IdentifiedPeer, decision: "allow_once" | "allow_always" | "deny_always") {
    const verdict = this.keeper.judge(peer, never);
    const [pairing] = this.pairings.pending();
    const unproven = !peer.proven && decision.startsWith("allow");
    await this.pairings.decide(pairing?.pairingId ?? "", { decision, unproven });
    return await verdict;
  }

  /** Says nothing about a peer until its time is over; gives what the application saw. */
  async unanswered(peer: IdentifiedPeer) {
    const verdict = this.keeper.judge(peer, never);
    const [pairing] = this.pairings.pending();
    this.clock.pass(30_000);
    const { admitted } = await verdict;
    return { admitted, pairing };
  }

  /** The code of what becomes of a peer about whom nobody is asked. */
  async codeFor(peer: IdentifiedPeer, isExpected = false) {
    const verdict = this.keeper.judge(peer, never, isExpected);
    assertEquals(this.pairings.pending(), [], "nobody is to be asked");
    const { admitted, ...more } = await verdict;
    return admitted ? "admitted" : "code" in more && more.code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.data[Symbol.dispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

async function codeOf(call: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(call, DaemonError)).code;
}

Deno.test("when a peer was last seen: of who was let in, no claim of a proven one, and at most 256", async () => {
  await using gate = await Gate.open();
  await gate.trust.allow(PIN);
  gate.clock.pass(5);
  await gate.keeper.left({ identity: KEY, proven: false });
  assertEquals(gate.keeper.lastSeenAt(KEY), undefined);
  await gate.keeper.left({ identity: KEY, proven: true });
  assertEquals([gate.keeper.lastSeenAt(KEY), gate.trust.find(KEY)?.seenAt], [5, 5]);
  await gate.keeper.left({ identity: OTHER, proven: false });
  assertEquals([gate.keeper.lastSeenAt(OTHER), gate.trust.find(OTHER)], [5, undefined]);
  for (let i = 0; i < 256; i++) {
    await gate.keeper.left({ identity: i.toString(16).padStart(64, "0"), proven: false });
  }
  assertEquals(gate.keeper.lastSeenAt(OTHER), undefined);
});

Deno.test("ask: an unknown identity is let in by a yes; allow_always is pinned, allow_once is not", async () => {
  await using gate = await Gate.open();
  assertEquals(await gate.decided(bob(KEY), "allow_once"), { admitted: true });
  assertEquals(gate.trust.decisionFor(KEY), undefined);
  assertEquals(await gate.decided(bob(KEY), "allow_always"), { admitted: true });
  assertEquals(gate.trust.decisionFor(KEY), "allow_always");
  // Pinned: nobody is asked any more.
  assertEquals(await gate.keeper.judge(bob(KEY), never), { admitted: true });
});

Deno.test("ask: no decision in 30 s refuses, with a code of its own", async () => {
  await using gate = await Gate.open();
  const verdict = gate.keeper.judge(bob(KEY), never);
  gate.clock.pass(30_000);
  const { admitted, ...refusal } = await verdict;
  assertEquals([admitted, "code" in refusal && refusal.code], [false, "PAIRING_EXPIRED"]);
  assertEquals(gate.trust.decisionFor(KEY), undefined);
});

Deno.test("deny_always is pinned, and is stronger than every policy", async () => {
  for (const policy of ["ask", "deny", "allow"] as const) {
    await using gate = await Gate.open(policy);
    if (policy === "ask") await gate.decided(bob(KEY), "deny_always");
    else await gate.trust.deny(KEY);
    assertEquals(gate.trust.decisionFor(KEY), "deny_always");
    const verdict = await gate.keeper.judge(bob(KEY), never);
    assertEquals(verdict.admitted === false && verdict.code, "PEER_DENIED");
  }
});

Deno.test("policy deny lets in whom is pinned and nobody else; policy allow pins whoever comes, with a warning", async () => {
  await using denying = await Gate.open("deny");
  await denying.trust.allow({
    identity: KEY,
    code: "bob",
    deviceName: "",
    seenAt: 0,
    proven: true,
  });
  assertEquals((await denying.keeper.judge(bob(KEY), never)).admitted, true);
  assertEquals(
    (await denying.keeper.judge(bob(OTHER, { peerCode: "eve" }), never)).admitted,
    false,
  );
  assertEquals(denying.events.types, []);

  await using allowing = await Gate.open("allow");
  assertEquals((await allowing.keeper.judge(bob(KEY), never)).admitted, true);
  assertEquals(allowing.trust.decisionFor(KEY), "allow_always");
  assertEquals(allowing.log.lines.filter((line) => line.startsWith("warn")).length, 1);
});

Deno.test("KEY_MISMATCH: a known code with another key is refused under every policy, loudly, with both fingerprints", async () => {
  for (const policy of ["ask", "deny", "allow"] as const) {
    await using gate = await Gate.open(policy);
    await gate.trust.allow({ identity: KEY, code: "bob", deviceName: "", seenAt: 0, proven: true });
    const verdict = await gate.keeper.judge(bob(OTHER), never);
    assertEquals(verdict, {
      admitted: false,
      wireCode: "KEY_MISMATCH",
      code: "KEY_MISMATCH",
      message: "peer code bob is pinned to another identity key, and the session was refused: if " +
        "the peer has a new key, type that (boltctl trust KEY --name NAME --replaces IDENTITY)",
    });
    const [event] = gate.events.published;
    if (event?.type !== "key-mismatch") throw new Error("no event told of it");
    assertEquals([event.pinned, event.presented, event.peerCode], [KEY, OTHER, "bob"]);
    const [line = ""] = gate.log.lines.filter((one) => one.startsWith("error"));
    assertEquals([line.includes(KEY), line.includes(OTHER)], [true, true]);
    assertEquals(gate.trust.decisionFor(OTHER), undefined);
  }
});

Deno.test("a mismatch is also one when the newcomer's key is pinned under another code", async () => {
  await using gate = await Gate.open();
  await gate.trust.allow({ identity: KEY, code: "bob", deviceName: "", seenAt: 0, proven: true });
  await gate.trust.allow({
    identity: OTHER,
    code: "carol",
    deviceName: "",
    seenAt: 0,
    proven: true,
  });
  const verdict = await gate.keeper.judge(bob(OTHER), never);
  assertEquals(verdict.admitted === false && verdict.code, "KEY_MISMATCH");
});

Deno.test("a peer without a code (file signaling) is pinned by its key alone", async () => {
  await using gate = await Gate.open();
  const { peerCode: _, ...peer } = bob(KEY);
  await gate.decided(peer, "allow_always");
  assertEquals((await gate.keeper.judge(peer, never)).admitted, true);
  const other = gate.keeper.judge({ ...peer, identity: OTHER }, never);
  assertEquals(gate.pairings.pending().length, 1);
  gate.clock.pass(30_000);
  assertEquals((await other).admitted, false);
});

Deno.test("a pinned key is replaced only by the right SAS of who came under its code", async () => {
  await using gate = await Gate.open();
  await gate.trust.allow({ identity: KEY, code: "bob", deviceName: "", seenAt: 0, proven: true });
  assertEquals(await codeOf(() => gate.keeper.replace(OTHER, KEY, "A1B2C3")), "PEER_NOT_FOUND");
  await gate.keeper.judge(bob(OTHER), never);
  assertEquals(await codeOf(() => gate.keeper.allow(OTHER)), "KEY_MISMATCH");
  assertEquals(await codeOf(() => gate.keeper.replace(OTHER, OTHER, "A1B2C3")), "KEY_MISMATCH");
  assertEquals(await codeOf(() => gate.keeper.replace(OTHER, KEY, "000000")), "SAS_MISMATCH");
  assertEquals(gate.trust.decisionFor(KEY), "allow_always");
  await gate.keeper.replace(OTHER, KEY, "A1B2C3");
  assertEquals(gate.trust.decisionFor(KEY), undefined);
  assertEquals(gate.trust.decisionFor(OTHER), "allow_always");
  assertEquals((await gate.keeper.judge(bob(KEY), never)).admitted, false);
});

Deno.test("replacing by SAS counts its wrong attempts with those of the requests", async () => {
  await using gate = await Gate.open();
  await gate.trust.allow({ identity: KEY, code: "bob", deviceName: "", seenAt: 0, proven: true });
  await gate.keeper.judge(bob(OTHER), never);
  for (let i = 0; i < 10; i++) {
    assertEquals(await codeOf(() => gate.keeper.replace(OTHER, KEY, "000000")), "SAS_MISMATCH");
  }
  assertEquals(
    await codeOf(() => gate.keeper.replace(OTHER, KEY, "A1B2C3")),
    "SAS_ATTEMPTS_EXHAUSTED",
  );
});

Deno.test("an identity that was not met can't be allowed; one that was, can", async () => {
  await using gate = await Gate.open("deny");
  assertEquals(await codeOf(() => gate.keeper.allow(KEY)), "PEER_NOT_FOUND");
  await gate.keeper.judge(bob(KEY), never);
  await gate.keeper.allow(KEY);
  assertEquals((await gate.keeper.judge(bob(KEY), never)).admitted, true);
});

Deno.test("an identity that is pinned from an earlier run can be allowed without being met; one that has proven nothing only knowingly", async () => {
  await using gate = await Gate.open();
  await gate.trust.deny(OTHER);
  assertEquals(await codeOf(() => gate.keeper.allow(OTHER)), "POLICY_REFUSED");
  await gate.keeper.allow(OTHER, { unproven: true });
  assertEquals(gate.trust.decisionFor(OTHER), "allow_always");
  await gate.trust.deny(KEY, "proven");
  await gate.keeper.allow(KEY);
  assertEquals(gate.trust.decisionFor(KEY), "allow_always");
  assertEquals(await gate.keeper.judge(bob(KEY), never), { admitted: true });
  // And its code is bound from now on.
  assertEquals((await gate.keeper.judge(bob(OTHER), never)).admitted, false);
});

Deno.test("what a pinned peer calls itself is kept, also when it comes without a code; its code stays", async () => {
  await using gate = await Gate.open();
  const { peerCode: _, ...uncoded } = bob(KEY);
  // Denied, then allowed by an identity alone: no name, until it comes.
  await gate.trust.deny(KEY, "proven");
  await gate.keeper.allow(KEY);
  await gate.keeper.judge({ ...uncoded, deviceName: "bob's laptop" }, never);
  assertEquals(gate.trust.list()[0]?.deviceName, "bob's laptop");
  await gate.keeper.judge({ ...bob(KEY), deviceName: "bob's phone" }, never);
  await gate.keeper.judge({ ...uncoded, deviceName: "bob's tablet" }, never);
  // An older peer tells no name through files.
  await gate.keeper.judge({ ...uncoded, deviceName: "" }, never);
  const [pinned] = gate.trust.list();
  assertEquals([pinned?.deviceName, pinned?.codes.at(-1)], ["bob's tablet", "bob"]);
});

Deno.test("a pinned peer is let in though its name can't be kept; not under a new code that can't", async () => {
  await using gate = await Gate.open();
  await gate.trust.allow({ identity: KEY, code: "bob", deviceName: "", seenAt: 0, proven: true });
  await Deno.rename(gate.folder.at("data/pins"), gate.folder.at("away"));
  assertEquals(await gate.keeper.judge(bob(KEY), never), { admitted: true });
  const { peerCode: _, ...uncoded } = bob(KEY);
  assertEquals(await gate.keeper.judge({ ...uncoded, deviceName: "bob" }, never), {
    admitted: true,
  });
  assertEquals(gate.log.lines.filter((line) => line.startsWith("warn")).length, 2);
  // Its first code but for the one that stands for files.
  const files = KEY.slice(0, 16);
  await Deno.rename(gate.folder.at("away"), gate.folder.at("data/pins"));
  await gate.trust.forget(KEY);
  await gate.trust.allow({ ...PIN, code: files });
  await Deno.rename(gate.folder.at("data/pins"), gate.folder.at("away"));
  await assertRejects(() => gate.keeper.judge(bob(KEY, { peerCode: "new" }), never), StorageError);
});

Deno.test("who was met is remembered up to a bound", async () => {
  await using gate = await Gate.open("deny");
  for (let i = 0; i < 300; i++) {
    await gate.keeper.judge(bob(i.toString(16).padStart(64, "0")), never);
  }
  assertEquals(gate.keeper.met.size, 256);
  assertEquals(gate.keeper.met.has("0".repeat(64)), false);
});

Deno.test("a first proof is kept also of a peer that comes without a code and a name, whose name stays", async () => {
  await using gate = await Gate.open();
  const pin = { identity: KEY, code: "bob", deviceName: "laptop", seenAt: 0 };
  await gate.trust.allow({ ...pin, proven: false });
  const { peerCode: _, ...uncoded } = bob(KEY);
  await gate.keeper.judge({ ...uncoded, deviceName: "" }, never);
  assertEquals(gate.trust.wasProven(KEY), true);
  assertEquals(gate.trust.list()[0]?.deviceName, "laptop");
});

/** Somebody under the code bob who proves nothing. */
const claimant = (identity: string, more: Partial<IdentifiedPeer> = {}) =>
  bob(identity, { proven: false, ...more });

/** Everything that is kept about peers. */
const kept = ({ trust }: Gate) =>
  JSON.stringify([trust.list(), trust.ownerOf("bob"), trust.mustProve(KEY)]);

Deno.test("--unproven-peers refuse: a session that is not proven is refused, pinned or not, under every pairing policy, and told what to do", async () => {
  for (const policy of ["ask", "deny", "allow"] as const) {
    await using gate = await Gate.open(policy, "refuse");
    await gate.trust.allow({ ...PIN, proven: false });
    const refusal = await gate.keeper.judge(claimant(KEY), never);
    assertEquals(!refusal.admitted && refusal.code, "PEER_DENIED");
    assertMatch(refusal.admitted ? "" : refusal.message, /--unproven-peers refuse/);
    assertEquals(await gate.codeFor(claimant(OTHER, { peerCode: "eve" })), "PEER_DENIED");
    assertEquals(await gate.codeFor(bob(KEY)), "admitted");
  }
});

Deno.test("--unproven-peers ask: somebody is asked in each session, also about who is pinned; pins and a policy that deny refuse", async () => {
  for (const policy of ["ask", "allow"] as const) {
    await using gate = await Gate.open(policy);
    for (let session = 0; session < 2; session++) {
      assertEquals(await gate.decided(claimant(KEY), "allow_always"), { admitted: true });
    }
    assertEquals(gate.trust.decisionFor(KEY), "allow_always");
    assertEquals((await gate.unanswered(claimant(KEY))).pairing?.knownAs, "phone");
    await gate.trust.deny(OTHER);
    assertEquals(await gate.codeFor(claimant(OTHER, { peerCode: "eve" })), "PEER_DENIED");
  }
  await using denying = await Gate.open("deny");
  await denying.trust.allow({ ...PIN, proven: false });
  assertEquals(await denying.codeFor(claimant(KEY)), "PEER_DENIED");
  assertEquals(await denying.codeFor(claimant(OTHER, { peerCode: "eve" })), "PEER_DENIED");
});

Deno.test("--unproven-peers allow: pins and the pairing policy decide, as the published protocol has it", async () => {
  await using asking = await Gate.open("ask", "allow");
  await asking.trust.allow({ ...PIN, proven: false });
  assertEquals(await asking.codeFor(claimant(KEY)), "admitted");
  assertEquals((await asking.unanswered(claimant(OTHER, { peerCode: "eve" }))).admitted, false);
  await using allowing = await Gate.open("allow", "allow");
  assertEquals(await allowing.codeFor(claimant(KEY)), "admitted");
  assertEquals(allowing.trust.decisionFor(KEY), "allow_always");
  await using denying = await Gate.open("deny", "allow");
  assertEquals(await denying.codeFor(claimant(KEY)), "PEER_DENIED");
});

Deno.test("trust of an identity that was met without a proof needs the word unproven; the SAS replaces no pin with it", async () => {
  await using gate = await Gate.open("deny");
  await gate.codeFor(claimant(KEY));
  assertEquals(await codeOf(() => gate.keeper.allow(KEY)), "POLICY_REFUSED");
  assertEquals(gate.trust.list(), []);
  await gate.keeper.allow(KEY, { unproven: true });
  assertEquals([gate.trust.decisionFor(KEY), gate.trust.wasProven(KEY)], ["allow_always", false]);
  // Another one, under its code.
  await gate.codeFor(claimant(OTHER));
  assertEquals(await codeOf(() => gate.keeper.replace(OTHER, KEY, "000000")), "SAS_MISMATCH");
  assertEquals(await codeOf(() => gate.keeper.replace(OTHER, KEY, "A1B2C3")), "POLICY_REFUSED");
  assertEquals(gate.trust.decisionFor(KEY), "allow_always");
});

Deno.test("what an unproven session says changes nothing of an identity that proves itself: no name, code, pin, nor decision", async () => {
  for (const mark of ["proven", "by key"] as const) {
    await using gate = await Gate.open("ask", "allow");
    const waiting = gate.keeper.judge(claimant(KEY, { peerCode: "eve" }), never);
    const pairingId = gate.pairings.pending()[0]?.pairingId ?? "";
    // It is only now that the identity's owner comes.
    if (mark === "proven") await gate.trust.allow(PIN);
    else await gate.keeper.trustByKey(KEY, "bob");
    const before = kept(gate);
    for (const decision of ["allow_always", "allow_once", "deny_always"] as const) {
      const decide = () => gate.pairings.decide(pairingId, { decision, unproven: true });
      assertEquals(await codeOf(decide), "POLICY_REFUSED");
    }
    await gate.pairings.decide(pairingId, { decision: "deny_once" });
    assertEquals((await waiting).admitted, false);
    assertEquals(kept(gate), before);
    await gate.trust.seen({ ...PIN, deviceName: "eve", code: "eve", proven: false });
    assertEquals(kept(gate), before);
    // Denied and allowed again, it has no code from the one who claimed it.
    await gate.trust.deny(KEY);
    await gate.keeper.allow(KEY);
    assertEquals([gate.trust.ownerOf("eve"), gate.trust.mustProve(KEY)], [undefined, true]);
  }
});

Deno.test("a decision about an unproven session that is made while the identity's key is being trusted is refused, and the session with it", async () => {
  for (const decision of ["allow_always", "deny_always"] as const) {
    await using gate = await Gate.open("ask", "allow");
    const waiting = gate.keeper.judge(claimant(KEY, { peerCode: "eve" }), never);
    const pairingId = gate.pairings.pending()[0]?.pairingId ?? "";
    const disk = Promise.withResolvers<void>();
    gate.folder.fs.inject({ on: "sync", times: 1, action: { before: () => disk.promise } });
    const trusting = gate.keeper.trustByKey(KEY, "bob");
    const deciding = codeOf(() => gate.pairings.decide(pairingId, { decision, unproven: true }));
    disk.resolve();
    await trusting;
    assertEquals(await deciding, "POLICY_REFUSED");
    assertEquals(gate.pairings.get(pairingId).state, "denied");
    const admission = await waiting;
    assertEquals(!admission.admitted && admission.code, "IDENTITY_REFUSED");
    const [pin] = gate.trust.list();
    assertEquals([pin?.decision, pin?.name, pin?.codes], ["allow_always", "bob", []]);
  }
});

for (const policy of ["ask", "allow"] as const) {
  Deno.test(`--unproven-peers allow, --pairing-policy ${policy}: who claims an identity that must prove itself since its HELLO is refused at its admission, and told of`, async () => {
    await using gate = await Gate.open(policy, "allow");
    await gate.trust.allow({ ...PIN, proven: false });
    const refusal = async (judged: ReturnType<Gatekeeper["judge"]>) => {
      const admission = await judged;
      const event = gate.events.published.at(-1);
      assertEquals(event?.type === "identity-refused" && event.claimed, KEY);
      return admission.admitted ? [] : [admission.code, admission.wireCode ?? "none"] as const;
    };
    // While what was seen waits to be kept, and before it is looked at.
    const disk = Promise.withResolvers<void>();
    gate.folder.fs.inject({ on: "sync", times: 1, action: { before: () => disk.promise } });
    const trusting = gate.keeper.trustByKey(KEY, "bob");
    const during = gate.keeper.judge(claimant(KEY), never);
    disk.resolve();
    await trusting;
    const refused = ["IDENTITY_REFUSED", "KEY_MISMATCH"] as const;
    assertEquals(await refusal(during), refused);
    assertEquals(await refusal(gate.keeper.judge(claimant(KEY), never)), refused);
    assertEquals(gate.pairings.pending(), []);
    assertEquals(gate.trust.list()[0]?.deviceName, "");
  });
}

Deno.test("an identity that has proven itself in this run is not framed by who only claims it", async () => {
  await using gate = await Gate.open();
  await gate.decided(bob(KEY, { deviceName: "bob" }), "allow_once");
  const waiting = gate.keeper.judge(claimant(KEY, { deviceName: "eve", sas: "FFFFFF" }), never);
  assertEquals(gate.keeper.met.get(KEY)?.deviceName, "bob");
  const pairingId = gate.pairings.pending()[0]?.pairingId ?? "";
  const framing = () =>
    gate.pairings.decide(pairingId, { decision: "deny_always", unproven: true });
  assertEquals(await codeOf(framing), "POLICY_REFUSED");
  assertEquals(gate.trust.list(), []);
  await gate.pairings.decide(pairingId, { decision: "deny_once" });
  await waiting;
  // An explicit reset, for a peer that went back to an older program.
  gate.keeper.forgetProof(KEY);
  await gate.decided(claimant(KEY), "allow_always");
  assertEquals(gate.trust.list()[0]?.proven, false);
});

Deno.test("under the code of a peer that proves itself, who proves nothing is refused as a claim, and the key of its owner is not told as changed", async () => {
  for (const mark of ["proven", "by key"] as const) {
    await using gate = await Gate.open();
    if (mark === "proven") await gate.trust.allow(PIN);
    else {
      await gate.trust.allow({ ...PIN, proven: false });
      await gate.keeper.trustByKey(KEY, "bob");
    }
    const before = kept(gate);
    assertEquals(await gate.codeFor(claimant(OTHER)), "IDENTITY_REFUSED");
    const [event] = gate.events.published;
    if (event?.type !== "identity-refused") throw new Error("no event told of it");
    assertEquals([event.claimed, event.step, event.peerCode], [OTHER, "peer-code", "bob"]);
    assertEquals(gate.log.lines.filter((line) => line.includes("KEY_MISMATCH")), []);
    assertEquals(kept(gate), before);
    // Who proves another key has another key.
    assertEquals(await gate.codeFor(bob(OTHER)), "KEY_MISMATCH");
  }
});

Deno.test("trust by key takes an identity that was never met, and it must prove itself from the start", async () => {
  await using gate = await Gate.open("deny");
  assertEquals(await codeOf(() => gate.keeper.allow(KEY)), "PEER_NOT_FOUND");
  await gate.keeper.trustByKey(KEY, "bob");
  const [pin] = gate.trust.list();
  assertEquals([pin?.byKey, pin?.proven, pin?.name, pin?.codes], [true, false, "bob", []]);
  const identity = KeyPair.generate("identity", () => new Uint8Array(32).fill(7)).publicKey;
  assertEquals(gate.keeper.refuses({ identity, proven: false }), undefined);
  await gate.keeper.trustByKey(identity.hex, "carol");
  assertEquals(gate.keeper.refuses({ identity, proven: false })?.step, "expectation");
  assertEquals(gate.keeper.refuses({ identity, proven: true }), undefined);
  assertEquals(await gate.codeFor(bob(KEY)), "admitted");
});

Deno.test("what is refused about a key that was typed says what to do next", async () => {
  await using gate = await Gate.open();
  const unmet = () => gate.keeper.allow(KEY, { name: "bob", unproven: true });
  const { message } = await assertRejects(unmet, DaemonError);
  assertMatch(message, /without --unproven/);
  assertEquals(message.includes("--name"), false);
  await assertRejects(
    () => gate.keeper.trustByKey(KEY, "bob", OTHER),
    DaemonError,
    "boltctl peers",
  );
});

Deno.test("no two peers have one name, whatever its capitals; a name may be changed", async () => {
  await using gate = await Gate.open();
  await gate.keeper.trustByKey(KEY, "bob");
  assertEquals(await codeOf(() => gate.keeper.trustByKey(OTHER, "Bob")), "PEER_NAME_TAKEN");
  assertEquals(gate.trust.decisionFor(OTHER), undefined);
  await gate.keeper.trustByKey(KEY, "robert");
  await gate.keeper.trustByKey(OTHER, "Bob");
  assertEquals([gate.trust.nameOf(KEY), gate.trust.nameOf(OTHER)], ["robert", "Bob"]);
});

Deno.test("a typed key takes the place of a pinned one, with its name", async () => {
  await using gate = await Gate.open();
  assertEquals(await codeOf(() => gate.keeper.trustByKey(OTHER, "bob", KEY)), "KEY_MISMATCH");
  await gate.trust.allow(PIN, "bob");
  await gate.keeper.trustByKey(OTHER, "bob", KEY);
  assertEquals(gate.trust.list().map(({ identity }) => identity), [OTHER]);
  assertEquals(gate.trust.ownerOf("bob"), undefined);
});

Deno.test("allow_once has no memory: no pin, no mark, and its code is nobody's", async () => {
  await using gate = await Gate.open();
  for (const peer of [bob(KEY), claimant(KEY)]) await gate.decided(peer, "allow_once");
  assertEquals([gate.trust.list(), gate.trust.ownerOf("bob")], [[], undefined]);
  assertEquals((await gate.unanswered(bob(OTHER))).pairing?.knownAs, undefined);
});

Deno.test("a pinned identity under a code that is not its own is asked about, and only that decision binds the code", async () => {
  await using gate = await Gate.open();
  await gate.trust.allow(PIN, "bobby");
  const foreign = bob(KEY, { peerCode: "alice" });
  assertEquals((await gate.unanswered(foreign)).pairing?.knownAs, "bobby");
  await gate.decided(foreign, "allow_once");
  assertEquals(gate.trust.ownerOf("alice"), undefined);
  await gate.decided(foreign, "allow_always");
  assertEquals(gate.trust.ownerOf("alice"), KEY);
  assertEquals(await gate.codeFor(foreign), "admitted");
  // Through files there is no code that could be a foreign one.
  const { peerCode: _, ...uncoded } = foreign;
  assertEquals(await gate.codeFor(uncoded), "admitted");
  await using denying = await Gate.open("deny");
  await denying.trust.allow(PIN);
  assertEquals(await denying.codeFor(foreign), "PEER_DENIED");
  await using allowing = await Gate.open("allow");
  await allowing.trust.allow(PIN);
  assertEquals(await allowing.codeFor(foreign), "admitted");
});

Deno.test("the first code of an identity that is trusted by key, or was pinned through files, is taken unasked; a second one is not", async () => {
  await using gate = await Gate.open();
  await gate.keeper.trustByKey(KEY, "bob");
  const { peerCode: _, ...uncoded } = bob(OTHER);
  await gate.decided(uncoded, "allow_always");
  for (const [identity, first, second] of [[KEY, "bob", "b2"], [OTHER, "eve", "e2"]] as const) {
    assertEquals(await gate.codeFor(bob(identity, { peerCode: first })), "admitted");
    assertEquals(gate.trust.ownerOf(first), identity);
    assertEquals((await gate.unanswered(bob(identity, { peerCode: second }))).admitted, false);
  }
});

Deno.test("who was asked for by its identity is let in for this session unasked, under every pairing policy; a denied one and a known code's other key are not", async () => {
  for (const policy of ["ask", "deny", "allow"] as const) {
    await using gate = await Gate.open(policy);
    assertEquals(await gate.codeFor(bob(KEY), true), "admitted");
    assertEquals([gate.trust.list(), gate.trust.ownerOf("bob")], [[], undefined]);
    // Pinned, it stays under its own code.
    await gate.trust.allow(PIN);
    assertEquals(await gate.codeFor(bob(KEY, { peerCode: "alice" }), true), "admitted");
    assertEquals(gate.trust.ownerOf("alice"), undefined);
    assertEquals(await gate.codeFor(bob(OTHER), true), "KEY_MISMATCH");
    await gate.trust.deny(KEY);
    assertEquals(await gate.codeFor(bob(KEY), true), "PEER_DENIED");
  }
});

Deno.test("a session that ends after our nonce left counts as a wrong SAS, over all codes; under the code of a peer that must prove itself it does not", async () => {
  await using gate = await Gate.open();
  await gate.trust.allow(PIN);
  for (let i = 0; i < 20; i++) gate.keeper.countSilentAttempt("bob");
  gate.pairings.checkTypedSas("A1B2C3", "A1B2C3");
  for (let i = 0; i < 9; i++) gate.keeper.countSilentAttempt(i % 2 === 0 ? undefined : `c${i}`);
  gate.pairings.checkTypedSas("A1B2C3", "A1B2C3");
  gate.keeper.countSilentAttempt("eve");
  const check = () => Promise.try(() => gate.pairings.checkTypedSas("A1B2C3", "A1B2C3"));
  assertEquals(await codeOf(check), "SAS_ATTEMPTS_EXHAUSTED");
  // A pinned peer is let in all the same: no code decides about it.
  assertEquals(await gate.codeFor(bob(KEY)), "admitted");
});
