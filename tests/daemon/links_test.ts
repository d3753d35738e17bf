/**
 * Links of daemons with everything real but the connection, which is in memory.
 *
 * @module
 */
import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import {
  type RendezvousEvent,
  type RendezvousServer,
  startRendezvousServer,
} from "../../scripts/rendezvous/server.ts";
import { ApiError } from "../../src/ipc/client/client.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import {
  closedSession,
  LocalDaemon,
  meeting,
  openedSession,
  pairBy,
  pairDaemons,
} from "../support/daemon.ts";
import { addLink, connected, identityOf, linkBetween, linkThat } from "../support/links.ts";
import { join } from "../support/paths.ts";
import { RelayPeer } from "../support/relay_peer.ts";
import { TempFolder } from "../support/temp_folder.ts";

/** Two daemons, and what links them. */
class Linked implements AsyncDisposable {
  private constructor(
    readonly stack: AsyncDisposableStack,
    readonly network: MemoryNetwork,
    readonly server: RendezvousServer,
    readonly alice: LocalDaemon,
    readonly bob: LocalDaemon,
    readonly told: ReturnType<typeof linkBetween>,
  ) {}

  /** Starts them; nothing is linked yet. */
  static async make(onEvent?: (event: RendezvousEvent) => void): Promise<Linked> {
    await using stack = new AsyncDisposableStack();
    const server = stack.use(startRendezvousServer(onEvent === undefined ? {} : { onEvent }));
    const network = new MemoryNetwork();
    const alice = stack.use(await LocalDaemon.start(network));
    const bob = stack.use(await LocalDaemon.start(network));
    const told = linkBetween(
      server.url,
      { name: "alice", identity: await identityOf(alice) },
      { name: "bob", identity: await identityOf(bob) },
    );
    return new Linked(stack.move(), network, server, alice, bob, told);
  }

  /** Links both, and waits until they are connected. */
  async connect(): Promise<{ readonly alice: string; readonly bob: string }> {
    await addLink(this.alice, this.told.offerer);
    await addLink(this.bob, this.told.answerer);
    return { alice: await connected(this.alice, "bob"), bob: await connected(this.bob, "alice") };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stack.disposeAsync();
  }
}

/** Fails unless the daemon refuses with this code, and says why. */
async function refuses(code: string, says: string, call: () => Promise<unknown>): Promise<void> {
  const error = await assertRejects(call, ApiError);
  assertEquals(error.code, code);
  assertStringIncludes(error.message, says);
}

Deno.test("a session that is closed, at either end, is made again; a link is shown with its peer", async () => {
  await using linked = await Linked.make();
  const { alice, bob } = linked;
  const first = await linked.connect();
  await bob.client.closeSession(first.bob);
  const second = await connected(alice, "bob", first.alice);
  await alice.client.closeSession(second);
  const third = await linkThat(
    alice,
    "bob",
    ({ state, sessionId }) =>
      state === "connected" && ![first.alice, second].includes(sessionId ?? ""),
  );
  const peer = await alice.client.getPeer(linked.told.offerer.identity);
  assertEquals(peer.link, { name: "bob", state: "connected" });
  assertEquals(peer.sessionId, third.sessionId);
  assertEquals(third.source, "api");
  assertEquals([third.peerAtServer, third.server, third.refusals], [true, "registered", 0]);
});

Deno.test("while the peer is away there is no session and no attempt, and other sessions have the room", async () => {
  await using linked = await Linked.make();
  const { alice, told } = linked;
  await addLink(alice, told.offerer);
  const waiting = await linkThat(alice, "bob", ({ server }) => server === "registered");
  assertEquals([waiting.state, waiting.attempts, waiting.nextTryAt], ["trying", 0, undefined]);
  assertEquals((await alice.client.status()).sessions.open, 0);
  assertMatch(await alice.client.metrics(), /^bolt_links\{state="trying"\} 1$/m);
});

Deno.test("an impostor at the peer's code is refused, told, counted and tried again, until the peer is there", async () => {
  await using linked = await Linked.make();
  const { alice, bob, told, network, server } = linked;
  {
    await using mallory = await LocalDaemon.start(network, {
      flags: ["--pairing-policy", "allow"],
    });
    await addLink(alice, told.offerer);
    await mallory.pair({ ...meeting(server.url).answerer, room: "r", session: "s" });
    const refused = await linkThat(alice, "bob", ({ state }) => state === "refused");
    assertEquals(refused.failure?.code, "IDENTITY_REFUSED");
    const { step, claimed } = await alice.event("identity-refused");
    assertEquals([step, claimed], ["expected-identity", await identityOf(mallory)]);
    assertEquals((await alice.client.getLink("bob")).refusals, 1);
    assertMatch(await alice.client.metrics(), /^bolt_link_refusals_total 1$/m);
    await mallory.stop();
  }
  await addLink(bob, told.answerer);
  await connected(alice, "bob");
});

Deno.test("an impostor that asks for a session does not end the one that is open", async () => {
  await using linked = await Linked.make();
  const { alice, bob, network, server, told } = linked;
  // Alice's code is free at the server: people have opened her session under another one.
  await addLink(bob, told.answerer);
  const { identity } = told.answerer;
  const { offerer, answerer } = meeting(server.url);
  const session = await bob.pair({
    ...{ ...answerer, room: "other", expectPeer: "other", expectIdentity: identity },
  });
  await alice.pair({
    ...{ ...offerer, room: "other", peerId: "other" },
    expectIdentity: told.offerer.identity,
  });
  await openedSession(bob, session);
  assertEquals(await connected(bob, "alice"), session.sessionId);
  await using mallory = await LocalDaemon.start(network, { flags: ["--pairing-policy", "allow"] });
  await mallory.pair({ ...meeting(server.url).offerer, room: "r", session: "s" });
  await bob.event("identity-refused");
  const link = await bob.client.getLink("alice");
  assertEquals([link.state, link.sessionId, link.refusals], ["connected", session.sessionId, 1]);
});

Deno.test("who is untrusted while connected is let go and not tried; trusted again, it is back at once", async () => {
  await using linked = await Linked.make();
  const { alice, told: { offerer: { identity, name } } } = linked;
  const { alice: sessionId } = await linked.connect();
  await alice.client.untrust(identity);
  const refused = await linkThat(alice, "bob", ({ state }) => state === "refused");
  assertEquals(refused.failure?.code, "POLICY_REFUSED");
  await closedSession(alice, await alice.client.getSession(sessionId));
  const { attempts } = await alice.client.getLink("bob");
  await alice.client.trust(identity, { decision: "deny_always" });
  assertEquals((await alice.client.getLink("bob")).state, "refused");
  assertEquals((await alice.client.getLink("bob")).attempts, attempts);
  await alice.client.trust(identity, { decision: "allow_always", name });
  await connected(alice, "bob", sessionId);
});

Deno.test("to pause or remove a link ends its session; a link that rests stays so over a restart", async () => {
  await using folder = await TempFolder.make();
  await using linked = await Linked.make();
  const { bob, network, told } = linked;
  const dataDir = folder.path("carol");
  let carol = await LocalDaemon.start(network, { dataDir });
  try {
    const between = linkBetween(
      linked.server.url,
      { name: "carol", identity: await identityOf(carol) },
      { name: "bob", identity: told.offerer.identity },
    );
    await addLink(carol, between.offerer);
    await addLink(bob, between.answerer);
    const sessionId = await connected(carol, "bob");
    const paused = await carol.client.pauseLink("BOB");
    assertEquals(paused.state, "paused");
    await closedSession(carol, await carol.client.getSession(sessionId));
    await carol.stop();
    await carol[Symbol.asyncDispose]();
    carol = await LocalDaemon.start(network, { dataDir });
    assertEquals((await carol.client.listLinks()).map(({ state }) => state), ["paused"]);
    await carol.client.resumeLink("bob");
    const again = await connected(carol, "bob");
    await carol.client.removeLink("bob");
    await closedSession(carol, await carol.client.getSession(again));
    assertEquals(await carol.client.listLinks(), []);
    await refuses("LINK_NOT_FOUND", "boltctl link list", () => carol.client.getLink("bob"));
    assertEquals(
      JSON.parse(await Deno.readTextFile(join(dataDir, "pins/links.json"))),
      { version: 1, links: [] },
    );
  } finally {
    await carol[Symbol.asyncDispose]();
  }
});

Deno.test("many links and a pairing of one code share one registration", async () => {
  const registered: string[] = [];
  await using linked = await Linked.make(({ kind, detail }) => {
    if (kind === "registered") registered.push(detail);
  });
  const { alice, bob, network, server, told } = linked;
  const identity = await identityOf(alice);
  await using stack = new AsyncDisposableStack();
  for (const name of ["carol", "dave", "erin"]) {
    const daemon = stack.use(await LocalDaemon.start(network));
    const between = linkBetween(
      server.url,
      { name: "alice", identity },
      { name, identity: await identityOf(daemon) },
    );
    await addLink(alice, between.offerer);
    await addLink(daemon, between.answerer);
  }
  await pairDaemons(server.url, alice, bob); // another room and session, the same code
  for (const name of ["carol", "dave", "erin"]) await connected(alice, name);
  assertEquals(registered.filter((code) => code === "alice"), ["alice"]);
  // The session that people have opened is the link's, too.
  await alice.client.trust(told.offerer.identity, { decision: "allow_always", name: "bob" });
  assertEquals((await alice.client.addLink(told.offerer)).state, "connected");
});

Deno.test("a pairing with keep becomes a link at both ends once people have said yes, and is made again after a restart", async () => {
  await using folder = await TempFolder.make();
  await using server = startRendezvousServer();
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  const dataDir = folder.path("bob");
  const { offerer, answerer } = meeting(server.url);
  const keep = { keep: true, phaseTimeoutSecs: 20 } as const;
  let sessionId: string;
  {
    await using bob = await LocalDaemon.start(network, { dataDir });
    const sessions = await pairBy(
      {
        offerer: { ...offerer, ...keep },
        answerer: { ...answerer, ...keep },
      },
      alice,
      bob,
    );
    const { link } = await alice.event("link-added");
    assertEquals([link.name, link.role, link.peerId, link.remoteCode], [
      ...["bob", "offerer"],
      ...["alice", "bob"],
    ]);
    assertEquals((await bob.event("link-added")).link.name, "alice");
    sessionId = sessions.alice.sessionId;
    assertEquals(await connected(alice, "bob"), sessionId);
    await bob.stop();
  }
  await using bob = await LocalDaemon.start(network, { dataDir });
  await connected(bob, "alice");
  await connected(alice, "bob", sessionId);
});

Deno.test("a pairing with keep that is let in once only is not kept, and that is told", async () => {
  await using server = startRendezvousServer();
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  await using bob = await LocalDaemon.start(network);
  const { offerer, answerer } = meeting(server.url);
  await pairBy({ offerer: { ...offerer, keep: true }, answerer }, alice, bob, "allow_once");
  const { message } = await alice.event("link-not-kept");
  assertStringIncludes(message, "for this session only");
  assertEquals(await alice.client.listLinks(), []);
});

Deno.test("what can't be a link is refused with what to do", async () => {
  await using linked = await Linked.make();
  const { alice, told: { offerer }, server, network } = linked;
  const { client } = alice;
  await refuses("POLICY_REFUSED", "boltctl trust KEY --name", () => client.addLink(offerer));
  await refuses(
    "POLICY_REFUSED",
    "this daemon's own identity",
    async () => await client.addLink({ ...offerer, identity: await identityOf(alice) }),
  );
  await addLink(alice, offerer);
  await refuses("LINK_EXISTS", "the link bob", () => client.addLink({ ...offerer, name: "b" }));
  const eve = "e5".repeat(32);
  await client.trust(eve, { decision: "allow_always", name: "eve" });
  await refuses(
    "LINK_EXISTS",
    "the link bob",
    () => client.addLink({ ...offerer, name: "BOB", identity: eve }),
  );
  const file = { role: "answerer", signal: "file", offer: "/tmp/o", answer: "/tmp/a" } as const;
  const byFile = { ...file, keep: true };
  // A file has no server at which a peer could be waited for.
  await refuses("INVALID_PARAMETERS", "/keep is unknown", () => client.pair(byFile));
  const { peerId: _, ...codeless } = meeting(server.url).offerer;
  await refuses(
    "INVALID_PARAMETERS",
    "/peerId is required with keep",
    () => client.pair({ ...codeless, keep: true }),
  );
  await refuses(
    "INVALID_PARAMETERS",
    "/keep does not go with a web client",
    () => client.pair({ ...meeting(server.url).offerer, web: true, keep: true }),
  );
  await refuses(
    "INVALID_PARAMETERS",
    "/transport does not go with a web client",
    () => client.pair({ ...meeting(server.url).offerer, web: true, transport: "tcp" }),
  );
  await using plain = await LocalDaemon.start(network, { flags: ["--extensions", "none"] });
  await plain.client.trust(eve, { decision: "allow_always", name: "eve" });
  await refuses(
    "POLICY_REFUSED",
    "no identity can be expected",
    () => plain.client.addLink({ ...offerer, identity: eve }),
  );
});

Deno.test("a link waits while there is no room for its session, and says so", async () => {
  await using linked = await Linked.make();
  const { bob, told, network, server } = linked;
  await using full = await LocalDaemon.start(network, { flags: ["--max-peers", "1"] });
  const blocker = await full.pair({ ...meeting(server.url).answerer, peerId: "full" });
  const between = linkBetween(
    server.url,
    { name: "carol", identity: await identityOf(full) },
    { name: "bob", identity: told.offerer.identity },
  );
  await addLink(full, between.offerer);
  await addLink(bob, between.answerer);
  const waiting = await linkThat(full, "bob", ({ failure }) => failure !== undefined);
  assertEquals([waiting.state, waiting.failure?.code], ["trying", "LIMIT_EXCEEDED"]);
  await full.client.closeSession(blocker.sessionId);
  await connected(full, "bob");
});

Deno.test("thirty links that can all begin at one moment stay below the server's limit of messages", async () => {
  const closed: string[] = [];
  await using stack = new AsyncDisposableStack();
  const server = stack.use(startRendezvousServer({
    onEvent: ({ kind, detail }) => {
      if (kind === "closed") closed.push(detail);
    },
  }));
  const network = new MemoryNetwork();
  const folder = stack.use(await TempFolder.make());
  const dataDir = folder.path("alice");
  const identity = await (async () => {
    await using alice = await LocalDaemon.start(network, { dataDir });
    return await identityOf(alice);
  })();
  const links = await Promise.all(Array.from({ length: 30 }, async (_, n) => {
    const daemon = stack.use(await LocalDaemon.start(network));
    const name = `peer${n}`;
    const between = linkBetween(
      server.url,
      { name: "alice", identity },
      { name, identity: await identityOf(daemon) },
    );
    await addLink(daemon, between.answerer);
    await linkThat(daemon, "alice", ({ server }) => server === "registered");
    return between.offerer;
  }));
  // All peers wait at the server when alice comes there.
  const file = folder.path("links.json");
  await Deno.writeTextFile(file, JSON.stringify({ version: 1, links }));
  const flags = ["--max-peers", "32", "--max-memory", "4096", "--links", file];
  const alice = stack.use(await LocalDaemon.start(network, { dataDir, flags }));
  for (const { name } of links) await connected(alice, name);
  assertEquals(closed, []);
  const attempts = (await alice.client.listLinks()).map((link) => link.attempts);
  assertEquals(attempts, links.map(() => 1));
});

Deno.test("a code that another program takes over is told of its link, which is back when the code is free", async () => {
  await using server = startRendezvousServer({ behaviour: "replace" });
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  await using bob = await LocalDaemon.start(network);
  const told = linkBetween(
    server.url,
    { name: "alice", identity: await identityOf(alice) },
    { name: "bob", identity: await identityOf(bob) },
  );
  await addLink(alice, told.offerer);
  await linkThat(alice, "bob", ({ server }) => server === "registered");
  {
    await using _other = await RelayPeer.register(server.url, "alice");
    // The next heartbeat finds it out.
    const taken = await linkThat(alice, "bob", ({ server }) => server === "taken-over");
    assertEquals([taken.state, taken.failure?.code], ["trying", "CODE_TAKEN_OVER"]);
  }
  await addLink(bob, told.answerer);
  await connected(alice, "bob");
});
