import { assertEquals, assertRejects } from "@std/assert";
import { DaemonError, StorageError } from "../../../base/errors.ts";
import { TemporaryFolder } from "../../../storage/testing/temporary_folder.ts";
import { TrustStore } from "../../../storage/trust_store.ts";
import type { PairingPolicy } from "../../../vocabulary/policies.ts";
import { HandClock, MemoryEvents, memoryLog } from "../../testing/fixtures.ts";
import { Gatekeeper } from "./gatekeeper.ts";
import { type IdentifiedPeer, PairingRequests } from "./pairing_requests.ts";

const never = new Promise<never>(() => {});
const KEY = "ab".repeat(32);
const OTHER = "cd".repeat(32);

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
    policy: PairingPolicy,
  ) {
    const { clock, events, log } = this;
    this.pairings = new PairingRequests({ events, now: clock.now, after: clock.after });
    this.keeper = new Gatekeeper({
      trust,
      pairings: this.pairings,
      policy,
      events,
      log,
      now: clock.now,
    });
  }

  static async open(policy: PairingPolicy = "ask"): Promise<Gate> {
    const folder = await TemporaryFolder.make();
    const data = await folder.dataFolder();
    return new Gate(folder, await TrustStore.open(folder.fs, data), data, policy);
  }

  /** What becomes of a peer about whom the application says that. */
  async decided(peer: IdentifiedPeer, decision: "allow_once" | "allow_always" | "deny_always") {
    const verdict = this.keeper.judge(peer, never);
    const [pairing] = this.pairings.pending();
    this.pairings.decide(pairing?.pairingId ?? "", { decision });
    return await verdict;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.data[Symbol.dispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

async function codeOf(call: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(call, DaemonError)).code;
}

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
      message: "peer code bob is pinned to another identity key: the session was refused",
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
  await gate.keeper.replace(OTHER, KEY, "a1b2c3");
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

Deno.test("an identity that is pinned from an earlier run can be allowed without being met", async () => {
  await using gate = await Gate.open();
  await gate.trust.deny(KEY);
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
  await gate.trust.deny(KEY);
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
