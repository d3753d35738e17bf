/**
 * Sessions whose peer proves nothing, peers that are trusted by key, and sessions that are asked for
 * with an identity: at whole daemons, everything real but the connection, which is in memory.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { ApiError } from "../../src/ipc/client/client.ts";
import type { SessionView } from "../../src/ipc/api/schemas.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import {
  closedSession,
  type DaemonUnderTest,
  LocalDaemon,
  meeting,
  meetingByFile,
  openedSession,
  pairingOf,
  ServedDaemon,
} from "../support/daemon.ts";
import { HandDrivenPeer, newIdentity } from "../support/hand_driven_peer.ts";
import { join } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";

/** Windows has no modes and, for most users, no links. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

/** Fails unless the daemon refuses with this code; gives its words. */
async function refuses(code: string, call: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(call, ApiError);
  assertEquals(error.code, code);
  return error.message;
}

const identityOf = async (daemon: DaemonUnderTest) => (await daemon.client.status()).identity;

/** The newest session of a daemon. */
async function newest(daemon: DaemonUnderTest): Promise<SessionView> {
  const session = (await daemon.client.listSessions()).at(-1);
  if (session === undefined) throw new Error("the daemon has no session");
  return session;
}

/** What a test begins with. */
async function begin(stack: AsyncDisposableStack, flags: readonly string[] = []) {
  const folder = stack.use(await TempFolder.make());
  const network = new MemoryNetwork();
  const bob = stack.use(await LocalDaemon.start(network, { flags }));
  type Options = Parameters<typeof HandDrivenPeer.meet>[3];
  const meet = async (options: Options = {}) =>
    stack.use(await HandDrivenPeer.meet(network, folder, bob, options));
  return { folder, network, bob, meet };
}

Deno.test("a peer that proves nothing is asked about each time, and let in only by a decision that says unproven", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, folder, meet } = await begin(stack);
  const identity = newIdentity();
  const peer = await meet({ identity, proves: false });
  const { pairing } = await bob.event("pairing-requested");
  assertEquals([pairing.proven, pairing.knownAs], [false, undefined]);
  const { pairingId, sas } = pairing;
  const decision = "allow_always";
  const unsaid = () => bob.client.decidePairing(pairingId, { decision, sas });
  assertMatch(await refuses("POLICY_REFUSED", unsaid), /--unproven/);
  const session = await peer.befriend(bob);
  assertEquals(session.proven, false);
  const known = await bob.client.getPeer(peer.identity);
  assertEquals([known.trust, known.proven, known.connected], ["allow_always", false, true]);
  assertMatch(await bob.client.metrics(), /^bolt_sessions_opened_total\{proven="false"\} 1$/m);
  // It has never proven anything: what is sent to its identity goes to who claims it.
  await Deno.writeTextFile(folder.path("file"), "x");
  await bob.client.send({ paths: [folder.path("file")], identity: peer.identity });
  await peer.event("transfer-offered");

  const again = await meet({ identity, proves: false });
  const fits = (asked: { pairing: { sessionId: string } }) =>
    asked.pairing.sessionId !== session.sessionId;
  const asked = (await bob.event("pairing-requested", fits)).pairing;
  assertEquals(asked.knownAs !== undefined, true);
  await bob.client.decidePairing(asked.pairingId, { decision: "deny_once" });
  await again.ended;
});

Deno.test("--unproven-peers refuse refuses them, and the failure says so; the start of allow says what it means", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, meet } = await begin(stack, ["--unproven-peers", "refuse"]);
  await (await meet({ proves: false })).ended;
  const { failure } = await closedSession(bob, await newest(bob));
  assertEquals(failure?.code, "PEER_DENIED");
  assertMatch(String(failure?.message), /--unproven-peers refuse/);
  assertEquals((await bob.client.status()).unprovenPeers, "refuse");
  await using open = await ServedDaemon.start({ flags: ["--unproven-peers", "allow"] });
  await open.run.said("--unproven-peers allow");
});

for (const signal of ["file", "rendezvous"] as const) {
  Deno.test(`by ${signal}, two daemons that are told each other's key, and never met, need no person`, async () => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await TempFolder.make());
    const server = stack.use(startRendezvousServer());
    const network = new MemoryNetwork();
    const flags = ["--pairing-policy", "deny", "--unproven-peers", "refuse"];
    const alice = stack.use(await LocalDaemon.start(network, { flags }));
    const bob = stack.use(await LocalDaemon.start(network, { flags }));
    const decision = "allow_always";
    const [keyOfAlice, keyOfBob] = [await identityOf(alice), await identityOf(bob)];
    const told = await alice.client.trust(keyOfBob, { decision, name: "bob" });
    assertEquals([told.name, told.trustedByKey, told.proven], ["bob", true, false]);
    await bob.client.trust(keyOfAlice, { decision, name: "alice" });
    const requests = signal === "file" ? meetingByFile(folder) : meeting(server.url);
    const [offering, answering] = [
      await alice.pair(requests.offerer),
      await bob.pair(requests.answerer),
    ];
    const open = await openedSession(alice, offering);
    assertEquals([open.proven, open.name], [true, "bob"]);
    await openedSession(bob, answering);
    const { name, proven, peerCode } = await alice.client.getPeer(keyOfBob);
    assertEquals([name, proven], ["bob", true]);
    if (signal === "rendezvous") assertEquals(peerCode, "bob");
    const other = "ab".repeat(32);
    await refuses("PEER_NAME_TAKEN", () => alice.client.trust(other, { decision, name: "BOB" }));
    for (const name of ["", "a  b", " bob", "b\u202eob", keyOfBob]) {
      await refuses("INVALID_PARAMETERS", () => alice.client.trust(other, { decision, name }));
    }
  });
}

Deno.test("a session that is asked for with an identity takes only who proves it, without a question, and pins nobody", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, meet } = await begin(stack, ["--pairing-policy", "deny"]);
  const identity = newIdentity();
  const expectIdentity = identity.publicKey.hex;
  for (const other of [{}, { proves: false }, { identity, proves: false }] as const) {
    await (await meet({ ...other, expectIdentity })).ended;
    const session = await closedSession(bob, await newest(bob));
    assertEquals(session.failure?.code, "IDENTITY_REFUSED");
    const { step } = await bob.event(
      "identity-refused",
      ({ sessionId }) => sessionId === session.sessionId,
    );
    assertEquals(step, "expected-identity");
  }
  const peer = await meet({ identity, expectIdentity });
  const open = await openedSession(bob, await newest(bob));
  assertEquals([open.identity, open.proven], [peer.identity, true]);
  assertEquals((await bob.client.getPeer(peer.identity)).trust, "none");
  assert(!bob.events.some(({ type }) => type === "pairing-requested"));
});

Deno.test("our own key is nobody else's: it is neither trusted nor expected, and the refusal says whose is", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, folder } = await begin(stack);
  const own = await identityOf(bob);
  const trust = () => bob.client.trust(own, { decision: "allow_always", name: "me" });
  assertMatch(await refuses("POLICY_REFUSED", trust), /boltctl identity.*other end/);
  const { answerer } = meetingByFile(folder);
  const pair = () => bob.pair({ ...answerer, expectIdentity: own });
  assertMatch(await refuses("POLICY_REFUSED", pair), /boltctl identity.*other end/);
  assertEquals([await bob.client.listPeers(), await bob.client.listSessions()], [[], []]);
});

Deno.test("without proven identity no session is begun that expects one, and the start counts those whose keys were typed among the refused", async () => {
  await using folder = await TempFolder.make();
  const dataDir = folder.path("data");
  {
    await using daemon = await ServedDaemon.start({ dataDir });
    await daemon.client.trust("cd".repeat(32), { decision: "allow_always", name: "typed" });
    await daemon.stop();
  }
  await using daemon = await ServedDaemon.start({ dataDir, flags: ["--extensions", "none"] });
  await daemon.run.said("refused=cdcdcdcd");
  const { answerer } = meetingByFile(folder);
  const pair = () => daemon.pair({ ...answerer, expectIdentity: "cd".repeat(32) });
  assertMatch(await refuses("POLICY_REFUSED", pair), /--extensions/);
});

Deno.test("an identity is not expected of a web client", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob } = await begin(stack);
  const { offerer } = meeting("ws://127.0.0.1:9");
  if (offerer.signal !== "rendezvous") throw new Error("unreachable");
  const request = { ...offerer, web: true, expectIdentity: "ab".repeat(32) };
  await refuses("INVALID_PARAMETERS", () => bob.pair(request));
});

Deno.test("who only claims an identity ends no session in which it is proven, and is not found by it", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, folder, meet } = await begin(stack);
  const identity = newIdentity();
  const { hex } = identity.publicKey;
  const proven = await meet({ identity });
  const first = await proven.befriend(bob, "allow_once");
  const claims = await meet({ identity, proves: false });
  const second = await claims.befriend(bob, "allow_once");
  assertEquals((await bob.client.getSession(first.sessionId)).state, "open");
  assertEquals((await bob.client.getPeer(hex)).sessionId, first.sessionId);
  await Deno.writeTextFile(folder.path("file"), "x");
  const paths = [folder.path("file")];
  await bob.client.send({ paths, identity: hex });
  await proven.event("transfer-offered");
  // By its id the other one is reached while it is alone.
  await bob.client.closeSession(first.sessionId);
  await closedSession(bob, first);
  const byIdentity = () => bob.client.send({ paths, identity: hex });
  assertMatch(await refuses("PEER_NOT_CONNECTED", byIdentity), /name the session/);
  assertEquals((await bob.client.getPeer(hex)).connected, false);
  await bob.client.send({ paths, sessionId: second.sessionId });
  await claims.event("transfer-offered");
});

Deno.test("who claims an identity that we have not met yet gets it denied for ever by nobody's mistake", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, meet } = await begin(stack);
  const peer = await meet({ proves: false });
  const session = await newest(bob);
  const { pairingId } = await pairingOf(bob, session);
  const decision = "deny_always";
  const mistake = () => bob.client.decidePairing(pairingId, { decision });
  assertMatch(await refuses("POLICY_REFUSED", mistake), /deny_once/);
  assertEquals((await bob.client.getPeer(peer.identity)).trust, "none");
  await bob.client.decidePairing(pairingId, { decision, unproven: true });
  await peer.ended;
  assertEquals((await closedSession(bob, session)).failure?.code, "PEER_DENIED");
  assertEquals((await bob.client.getPeer(peer.identity)).trust, decision);
});

Deno.test("an identity that is denied for ever when it comes again loses its open session too", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, meet } = await begin(stack);
  const identity = newIdentity();
  const first = await meet({ identity });
  const open = await first.befriend(bob, "allow_once");
  const second = await meet({ identity });
  const asking = await newest(bob);
  const { pairingId } = await pairingOf(bob, asking);
  await bob.client.decidePairing(pairingId, { decision: "deny_always" });
  assertEquals((await closedSession(bob, open)).state, "closed");
  await first.ended;
  await second.ended;
  assertEquals((await closedSession(bob, asking)).failure?.code, "PEER_DENIED");
});

Deno.test("a pinned peer that has lost its proof is refused, and told as such; untrusted, it is paired anew", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, meet } = await begin(stack, ["--unproven-peers", "allow"]);
  const identity = newIdentity();
  const { hex } = identity.publicKey;
  await (await meet({ identity })).befriend(bob);
  const older = await meet({ identity, proves: false });
  const { claimed, step, message } = await bob.event("identity-refused");
  assertEquals([claimed, step], [hex, "expectation"]);
  assertMatch(String(message), /proven itself before.*untrust/);
  await older.ended;
  assertEquals((await bob.client.getPeer(hex)).connected, true);
  await bob.client.untrust(hex);
  const open = await (await meet({ identity, proves: false })).befriend(bob);
  assertEquals([open.identity, open.proven], [hex, false]);
  assertEquals((await bob.client.getPeer(hex)).proven, false);
});

Deno.test("trusting a key ends the sessions that only claim it", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, meet } = await begin(stack);
  const peer = await meet({ proves: false });
  const session = await peer.befriend(bob);
  await bob.client.trust(peer.identity, { decision: "allow_always", name: "bob" });
  assertEquals((await closedSession(bob, session)).state, "closed");
});

Deno.test("a peer that is silent after our nonce left counts as a wrong SAS, is not tried again, and is not counted where an identity is expected", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, network, meet } = await begin(stack);
  const silence = async (expectIdentity?: string) => {
    const more = expectIdentity === undefined ? {} : { expectIdentity };
    const peer = await meet({ silent: true, ...more });
    await peer.channel.receive(); // the daemon's HELLO
    await peer[Symbol.asyncDispose]();
    return await closedSession(bob, await newest(bob));
  };
  for (let i = 0; i < 10; i++) await silence("ab".repeat(32));
  for (let i = 0; i < 9; i++) assertEquals((await silence()).openedAt, undefined);
  assertEquals(network.paths.length, 19);
  const confirm = async () => {
    const peer = await meet();
    const { pairingId, sas } = await pairingOf(bob, await newest(bob));
    const decide = () => bob.client.decidePairing(pairingId, { decision: "allow_once", sas });
    return { peer, decide };
  };
  await (await confirm()).decide();
  await silence();
  const { decide } = await confirm();
  await refuses("SAS_ATTEMPTS_EXHAUSTED", decide);
  // Whom we expect is let in all the same.
  const identity = newIdentity();
  await meet({ identity, expectIdentity: identity.publicKey.hex });
  await openedSession(bob, await newest(bob));
});

Deno.test("a peer that proves itself and goes away before anybody has answered counts as a wrong SAS: it knew the code first", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, meet } = await begin(stack);
  const asked = async () => {
    const peer = await meet();
    return { peer, ...await pairingOf(bob, await newest(bob)) };
  };
  const decides = ({ pairingId, sas }: Awaited<ReturnType<typeof asked>>) =>
    bob.client.decidePairing(pairingId, { decision: "allow_once", sas });
  // Ended on this side, it is not counted.
  for (let i = 0; i < 10; i++) {
    const { sessionId, peer } = await asked();
    await bob.client.closeSession(sessionId);
    await peer.ended;
  }
  const goesAway = async () => {
    const { peer } = await asked();
    const session = await newest(bob);
    await peer[Symbol.asyncDispose]();
    await closedSession(bob, session);
  };
  for (let i = 0; i < 9; i++) await goesAway();
  await decides(await asked());
  await goesAway();
  const last = await asked();
  await refuses("SAS_ATTEMPTS_EXHAUSTED", () => decides(last));
});

test("pins of before are read, and the start says whose auto-accept rests until a first proof; not that of a typed key", async () => {
  await using folder = await TempFolder.make();
  const dataDir = folder.path("data");
  const [older, typed] = ["ab".repeat(32), "cd".repeat(32)];
  {
    await using daemon = await ServedDaemon.start({ dataDir });
    await daemon.client.trust(typed, { decision: "allow_always", name: "typed" });
    await daemon.client.setAutoAccept(typed, { enabled: true });
    await daemon.stop();
    assert(!daemon.run.stderr.includes("auto-accept rests"));
  }
  const write = (name: string, content: unknown) =>
    Deno.writeTextFile(join(dataDir, "pins", name), JSON.stringify(content), { mode: 0o600 });
  await write("trust.json", { version: 1, peers: { [older]: "allow_always" } });
  const bob = { identity: older, deviceName: "bob", seenAt: 1 };
  await write("peers.json", { version: 1, codes: { bob }, autoAccept: [older] });
  await using daemon = await ServedDaemon.start({ dataDir });
  await daemon.run.said("auto-accept rests");
  await daemon.run.said(older.slice(0, 8));
  const [peer] = await daemon.client.listPeers();
  assertEquals([peer?.proven, peer?.trustedByKey, peer?.autoAccept], [false, false, true]);
});
