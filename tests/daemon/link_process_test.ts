/**
 * Links between real daemons, each a process of its own, over the development server: nobody pairs
 * anything after the links are added.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Behaviour, BEHAVIOURS } from "../../scripts/rendezvous/room.ts";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { sleep, systemTimer } from "../../src/base/timer.ts";
import type { LinkRequest, LinkView } from "../../src/ipc/api/schemas.ts";
import { boltctl } from "../boltctl/support/boltctl.ts";
import { type DaemonUnderTest, meeting, ServedDaemon } from "../support/daemon.ts";
import { addLink, connected, identityOf, linkBetween, linkThat } from "../support/links.ts";
import { join } from "../support/paths.ts";
import { DAEMON, run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";

/** Windows has no POSIX signals, no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

/** A file goes over. */
async function sends(from: ServedDaemon, to: ServedDaemon): Promise<void> {
  const identity = await identityOf(to);
  const [sent] = await from.client.send({ paths: ["/etc/hostname"], identity, priority: 0 });
  const { transfer: { transferId } } = await to.event("transfer-offered");
  await to.client.acceptTransfer(transferId);
  await from.event("transfer-finished", ({ transfer }) => transfer.transferId === sent?.transferId);
}

/** Waits for a condition that no event tells. */
async function until(daemon: DaemonUnderTest, fits: (link: LinkView) => boolean): Promise<void> {
  while (!(await daemon.client.listLinks()).every(fits)) await sleep(systemTimer, 50);
}

/** Daemons whose data outlives their processes. */
class Machines implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly folder: TempFolder;

  private constructor(folder: TempFolder) {
    this.folder = this.#stack.use(folder);
  }

  static async make(): Promise<Machines> {
    return new Machines(await TempFolder.make());
  }

  async start(name: string, flags: readonly string[] = []): Promise<ServedDaemon> {
    return this.#stack.use(await ServedDaemon.start({ dataDir: this.folder.path(name), flags }));
  }

  async kill(...daemons: readonly ServedDaemon[]): Promise<void> {
    for (const daemon of daemons) daemon.run.kill("SIGKILL");
    await Promise.all(daemons.map((daemon) => daemon.run.outcome()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

async function between(url: string, alice: DaemonUnderTest, bob: DaemonUnderTest) {
  return linkBetween(
    url,
    { name: "alice", identity: await identityOf(alice) },
    { name: "bob", identity: await identityOf(bob) },
  );
}

async function restartsOfDaemons(behaviour: Behaviour): Promise<void> {
  await using server = startRendezvousServer({ behaviour });
  await using machines = await Machines.make();
  let alice = await machines.start("alice");
  let bob = await machines.start("bob");
  const told = await between(server.url, alice, bob);
  // The one comes long after the other: its link waits, and makes no session meanwhile.
  await addLink(alice, told.offerer);
  await linkThat(alice, "bob", ({ server }) => server === "registered");
  assertEquals(await alice.client.listSessions(), []);
  await addLink(bob, told.answerer);
  let [a, b] = [await connected(alice, "bob"), await connected(bob, "alice")];
  await sends(alice, bob);

  await machines.kill(bob);
  bob = await machines.start("bob");
  a = await connected(alice, "bob", a);
  b = await connected(bob, "alice");

  await machines.kill(alice);
  alice = await machines.start("alice");
  a = await connected(alice, "bob");
  b = await connected(bob, "alice", b);
  await sends(bob, alice);

  await machines.kill(alice, bob);
  [alice, bob] = await Promise.all([machines.start("alice"), machines.start("bob")]);
  await Promise.all([connected(alice, "bob"), connected(bob, "alice")]);
  const [peer] = await alice.client.listPeers();
  assertEquals([peer?.connected, peer?.link?.state], [true, "connected"]);
  await alice.stop();
  await bob.stop();
}

async function restartOfServer(behaviour: Behaviour): Promise<void> {
  await using machines = await Machines.make();
  let server = startRendezvousServer({ behaviour });
  const { port, url } = server;
  try {
    let alice = await machines.start("alice");
    const bob = await machines.start("bob");
    const told = await between(url, alice, bob);
    await addLink(alice, told.offerer);
    await addLink(bob, told.answerer);
    await connected(alice, "bob");
    const before = await connected(bob, "alice");

    // An open session needs no server; it is the same afterwards.
    await server.close();
    await until(alice, ({ server }) => server === "unreachable");
    assertEquals((await alice.client.listLinks()).map(({ state }) => state), ["connected"]);
    server = startRendezvousServer({ behaviour, port });
    await until(alice, ({ server }) => server === "registered");
    await until(bob, ({ server, sessionId }) => server === "registered" && sessionId === before);

    // Now both: the server goes, one daemon restarts, and the waits grow before it is back.
    await server.close();
    await machines.kill(alice);
    alice = await machines.start("alice");
    const isWaitingLong = ({ nextTryAt, server }: LinkView) =>
      server === "unreachable" && Date.parse(nextTryAt ?? "") - Date.now() > 3_000;
    await Promise.all([until(alice, isWaitingLong), until(bob, isWaitingLong)]);
    server = startRendezvousServer({ behaviour, port });
    await connected(alice, "bob");
    await connected(bob, "alice", before);
    await alice.stop();
    await bob.stop();
  } finally {
    await server.close();
  }
}

for (const behaviour of BEHAVIOURS) {
  Deno.test(
    `at a server that is ${behaviour}, two links find each other, and again after either daemon was killed, and both`,
    () => restartsOfDaemons(behaviour),
  );
  Deno.test(
    `a ${behaviour} server that is away for longer than several waits is found again, and the peer with it`,
    () => restartOfServer(behaviour),
  );
}

test("between processes: an impostor at the peer's code is refused until the peer comes; who disconnects is told that it comes back; untrusted and removed links are let go", async () => {
  await using server = startRendezvousServer();
  await using machines = await Machines.make();
  const alice = await machines.start("alice");
  const bob = await machines.start("bob");
  const mallory = await machines.start("mallory", ["--pairing-policy", "allow"]);
  const told = await between(server.url, alice, bob);
  await addLink(alice, told.offerer);
  await mallory.pair({ ...meeting(server.url).answerer, room: "r", session: "s" });
  const refused = await linkThat(alice, "bob", ({ state }) => state === "refused");
  assertEquals([refused.failure?.code, refused.refusals], ["IDENTITY_REFUSED", 1]);
  await mallory.stop();
  await addLink(bob, told.answerer);
  const ended = await connected(alice, "bob");
  const program = boltctl(join(alice.dataDir, "daemon.sock"));
  const { stdout } = await run(program, ["disconnect", "bob"]);
  assertStringIncludes(stdout, "The link bob opens another one; boltctl link pause");
  const first = await connected(alice, "bob", ended);

  const { identity, name } = told.offerer;
  await alice.client.untrust(identity);
  await linkThat(alice, "bob", ({ failure }) => failure?.code === "POLICY_REFUSED");
  await linkThat(bob, "alice", ({ state }) => state === "trying");
  await alice.client.trust(identity, { decision: "allow_always", name });
  await connected(alice, "bob", first);
  await alice.client.removeLink("bob");
  await alice.event("link-removed");
  assertEquals((await alice.client.getPeer(identity)).connected, false);
  await alice.stop();
  await bob.stop();
});

for (const role of ["offerer", "answerer"] as const) {
  Deno.test(`the ${role} is killed in the middle of an attempt: once it is back the other begins anew, and does not wait out the phase`, async () => {
    await using server = startRendezvousServer();
    await using machines = await Machines.make();
    const alice = await machines.start("alice");
    const bob = await machines.start("bob", ["--log-level", "debug"]);
    const told = await between(server.url, alice, bob);
    // Longer than any wait here.
    const ends = [told.offerer, told.answerer].map((end) => ({ ...end, phaseTimeoutSecs: 300 }));
    const [offerer, answerer] = ends;
    assert(offerer !== undefined && answerer !== undefined);
    await addLink(bob, answerer);
    await linkThat(bob, "alice", ({ server }) => server === "registered");
    await addLink(alice, offerer);
    const [killed, left, name] = role === "answerer"
      ? [bob, alice, "bob"] as const
      : [alice, bob, "alice"] as const;
    // The answerer has candidates when it has the offer.
    await left.run.said(role === "answerer" ? "hello/ack complete" : "ICE candidate");
    await machines.kill(killed);
    await machines.start(role === "answerer" ? "bob" : "alice");
    await connected(left, name);
    await left.stop();
  });
}

/** Writes a file of links, as a script would. */
async function write(path: string, links: readonly LinkRequest[]): Promise<void> {
  await Deno.writeTextFile(path, JSON.stringify({ version: 1, links }, null, 2));
}

test("machines that scripts set up need a file a side: the links are made, SIGHUP takes what has changed, and a bad file changes nothing", async () => {
  await using server = startRendezvousServer();
  await using machines = await Machines.make();
  const [ofAlice, ofBob] = ["alice.json", "bob.json"].map((name) => machines.folder.path(name));
  assert(ofAlice !== undefined && ofBob !== undefined);
  await write(ofAlice, []);
  await write(ofBob, []);
  const alice = await machines.start("alice", ["--links", ofAlice]);
  const bob = await machines.start("bob", ["--links", ofBob]);
  const told = await between(server.url, alice, bob);
  await write(ofAlice, [told.offerer]);
  await write(ofBob, [told.answerer]);
  alice.run.kill("SIGHUP");
  bob.run.kill("SIGHUP");
  const first = await connected(alice, "bob");
  await connected(bob, "alice");
  const [peer] = await alice.client.listPeers();
  assertEquals([peer?.trustedByKey, peer?.name, peer?.link?.name], [true, "bob", "bob"]);
  assertEquals((await alice.client.getLink("bob")).source, "file");

  // The same again, and a bad one: nothing changes.
  const said = (text: string) => alice.run.said(text);
  alice.run.kill("SIGHUP");
  await said("the file of links was read again links=1");
  await Deno.writeTextFile(ofAlice, '{"version":1,\n"links":[}');
  alice.run.kill("SIGHUP");
  await said(`${ofAlice} is not JSON, at line 2, column 10`);
  await said("the links are as before");
  assertEquals((await alice.client.getLink("bob")).sessionId, first);

  // Another session name on both sides: the link is made anew.
  await write(ofAlice, [{ ...told.offerer, session: "2" }]);
  await write(ofBob, [{ ...told.answerer, session: "2" }]);
  alice.run.kill("SIGHUP");
  bob.run.kill("SIGHUP");
  await connected(alice, "bob", first);
  assertEquals((await alice.client.getLink("bob")).session, "2");

  // None any more: the link and its session end, the daemon goes on.
  await write(ofAlice, []);
  alice.run.kill("SIGHUP");
  await alice.event("link-removed", ({ link }) => link.session === "2");
  await said("the file of links was read again links=0");
  assertEquals(await alice.client.listLinks(), []);
  await alice.stop();
  await bob.stop();
});

Deno.test("a bad file of links at the start is fatal, and named by line or member", async () => {
  await using folder = await TempFolder.make();
  const path = folder.path("links.json");
  const fatal = async (text: string, says: string) => {
    await Deno.writeTextFile(path, text);
    const flags = ["serve", "--data-dir", folder.path("data"), "--links", path];
    const { code, stderr } = await run(DAEMON, flags);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `FATAL: ${path} ${says}`);
  };
  await fatal('{\n"version": 1\n"links": []}', "is not JSON, at line 3, column 1");
  await fatal('{"version":1,"links":[{"name":"bob"}]}', "has links[0].role missing: it is one of");
});

test("without --links a SIGHUP ends the daemon in order", async () => {
  await using machines = await Machines.make();
  const alice = await machines.start("alice");
  alice.run.kill("SIGHUP");
  const { code, stderr } = await alice.run.outcome();
  assertEquals(code, 0, stderr);
});
