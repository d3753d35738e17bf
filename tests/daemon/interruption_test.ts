/**
 * What is left when a peer, or the daemon itself, goes in the middle of something.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ApiError } from "../../src/ipc/client/client.ts";
import { LocalDaemon } from "../support/daemon.ts";
import { HandDrivenPeer } from "../support/hand_driven_peer.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { join } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { HELD, namesIn, offerOf, Pair, someBytes, transferIn } from "../support/transfers.ts";

/** Windows has no modes and, for most users, no links. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

for (const policy of ["remove", "keep"] as const) {
  Deno.test(`a transfer whose channel is lost is interrupted at both ends; --on-interrupt ${policy}: so for the partial file, and transfer-status tells it after a restart`, async () => {
    await using folder = await TempFolder.make();
    const dataDir = folder.path("bob");
    const flags = ["--on-interrupt", policy];
    const names = policy === "keep" ? (id: string) => [`.${id}.part`] : () => [];
    const id = await (async () => {
      await using pair = await Pair.make({ bobsData: dataDir, bob: flags });
      const { sent, offer } = await pair.heldMidway();
      pair.network.paths[0]?.lose();
      const ends = [
        await transferIn(pair.alice, sent, "interrupted"),
        await transferIn(pair.bob, offer, "interrupted"),
      ];
      for (const { failure } of ends) assertEquals(failure?.code, "CONNECTION_LOST");
      assertEquals(await namesIn(pair.bob.inbox), names(offer.transferId));
      return offer.transferId;
    })();
    await using bob = await LocalDaemon.start(new MemoryNetwork(), { dataDir, flags });
    const { state, failure, transferred } = await bob.client.getTransfer(id);
    assertEquals([state, failure?.code], ["interrupted", "CONNECTION_LOST"]);
    assert(transferred > 0 && transferred < HELD);
    assertEquals(await namesIn(bob.inbox), names(id));
  });
}

Deno.test("a partial file is kept for a lost channel only: cancelled by either end, it goes", async () => {
  for (const who of ["alice", "bob"] as const) {
    await using pair = await Pair.make({ bob: ["--on-interrupt", "keep"] });
    const { sent, offer } = await pair.heldMidway();
    await pair[who].client.cancelTransfer((who === "alice" ? sent : offer).transferId);
    await transferIn(pair.bob, offer, "cancelled");
    assertEquals(await namesIn(pair.bob.inbox), []);
  }
});

test("a partial file whose inbox is swapped for another folder is removed by the next start with the right one", async () => {
  await using folder = await TempFolder.make();
  const dataDir = folder.path("bob");
  const inbox = join(dataDir, "inbox");
  {
    await using pair = await Pair.make({ bobsData: dataDir });
    const { sent, offer } = await pair.heldMidway();
    await Deno.rename(inbox, `${inbox}.away`);
    await Deno.mkdir(inbox, { mode: 0o700 });
    await pair.alice.client.cancelTransfer(sent.transferId);
    await transferIn(pair.bob, offer, "cancelled");
    assertEquals(await namesIn(`${inbox}.away`), [`.${offer.transferId}.part`]);
  }
  await Deno.remove(inbox);
  await Deno.rename(`${inbox}.away`, inbox);
  await using bob = await LocalDaemon.start(new MemoryNetwork(), { dataDir });
  assertEquals(await namesIn(bob.inbox), []);
});

for (const extensions of ["all", "none"] as const) {
  const end = extensions === "all" ? "interrupted, and can go on" : "cancelled";
  Deno.test(`Drain active transfers: send CANCEL, wait bounded time: the peer sees it ${end} with --extensions ${extensions}, and the end is graceful`, async () => {
    for (const who of ["alice", "bob"] as const) {
      await using pair = await Pair.make({ alice: ["--extensions", extensions] });
      const { sent, offer } = await pair.heldMidway();
      await pair[who].client.shutdown();
      await pair[who].event("daemon-stopping", ({ reason }) => reason === "api");
      assertEquals(await pair[who].ended, "graceful");
      const [other, theirs, ours] = who === "alice"
        ? [pair.bob, offer, sent]
        : [pair.alice, sent, offer];
      const state = extensions === "all" ? "interrupted" : "cancelled";
      const ends = [
        await transferIn(other, theirs, state),
        await transferIn(pair[who], ours, state),
      ];
      const codes = ends.map(({ failure }) => failure?.code);
      assertEquals(
        codes,
        extensions === "all"
          ? ["PEER_STOPPED", "DAEMON_STOPPED"]
          : ["CANCELLED_BY_PEER", undefined],
      );
      const kept = extensions === "all" ? [`.${offer.transferId}.part`] : [];
      assertEquals(await namesIn(pair.bob.inbox), kept);
    }
  });
}

Deno.test("a cancel at the shutdown is told when the peer has taken it, not before", async () => {
  for (const who of ["alice", "bob"] as const) {
    await using pair = await Pair.make({ [who]: ["--shutdown-timeout-secs", "3600"] });
    const { sent, offer } = await pair.heldMidway();
    const [other, ours, theirs] = who === "alice"
      ? [pair.bob, sent, offer]
      : [pair.alice, offer, sent];
    pair.network.paths[0]?.stall();
    pair[who].interrupt();
    await pair[who].event("daemon-stopping");
    assertEquals((await pair[who].client.getTransfer(ours.transferId)).state, "paused");
    pair.network.paths[0]?.resume();
    await transferIn(other, theirs, "interrupted");
    await transferIn(pair[who], ours, "interrupted");
    assertEquals(await pair[who].ended, "graceful");
  }
});

for (const how of ["close", "untrust", "deny"] as const) {
  const ended = (pair: Pair, { sessionId = "" }: { readonly sessionId?: string }) => {
    const { client } = pair.alice;
    if (how === "close") return client.closeSession(sessionId);
    if (how === "untrust") return client.untrust(pair.toBob);
    return client.trust(pair.toBob, { decision: "deny_always" });
  };

  Deno.test(`${how}: the cancel of what the session carries is told when the peer has taken it, however late within --shutdown-timeout-secs`, async () => {
    await using pair = await Pair.make({ alice: ["--shutdown-timeout-secs", "3600"] });
    const { sent, offer } = await pair.heldMidway();
    const { sessionId = "" } = await pair.alice.client.getTransfer(sent.transferId);
    pair.network.paths[0]?.stall();
    await ended(pair, { sessionId });
    const { transferId } = sent;
    assertEquals((await pair.alice.client.getTransfer(transferId)).state, "paused");
    assertEquals((await pair.alice.client.getSession(sessionId)).state, "closing");
    pair.network.paths[0]?.resume();
    await transferIn(pair.bob, offer, "cancelled");
    await transferIn(pair.alice, sent, "cancelled");
    await pair.alice.event("session-closed", ({ session }) => session.state === "closed");
  });
}

Deno.test("a session that is closed while its peer takes nothing ends after --shutdown-timeout-secs, and its transfer is told as interrupted, not as cancelled", async () => {
  await using pair = await Pair.make({ alice: ["--shutdown-timeout-secs", "1"] });
  const { sent } = await pair.heldMidway();
  const { sessionId = "" } = await pair.alice.client.getTransfer(sent.transferId);
  pair.network.paths[0]?.stall();
  await pair.alice.client.closeSession(sessionId);
  const { failure } = await transferIn(pair.alice, sent, "interrupted");
  assertEquals(failure?.code, "CONNECTION_LOST");
  pair.network.paths[0]?.resume();
});

Deno.test("a daemon that stops while a session is being closed waits for that cancel too", async () => {
  await using pair = await Pair.make({ alice: ["--shutdown-timeout-secs", "3600"] });
  const { sent, offer } = await pair.heldMidway();
  const { sessionId = "" } = await pair.alice.client.getTransfer(sent.transferId);
  pair.network.paths[0]?.stall();
  await pair.alice.client.closeSession(sessionId);
  pair.alice.interrupt();
  await pair.alice.event("daemon-stopping");
  pair.network.paths[0]?.resume();
  await transferIn(pair.bob, offer, "cancelled");
  await transferIn(pair.alice, sent, "cancelled");
  assertEquals(await pair.alice.ended, "graceful");
});

Deno.test("two daemons that stop at once, in the middle of a transfer, both end in order", async () => {
  await using pair = await Pair.make();
  const { sent, offer } = await pair.heldMidway();
  pair.alice.interrupt();
  pair.bob.interrupt();
  assertEquals([await pair.alice.ended, await pair.bob.ended], ["graceful", "graceful"]);
  await transferIn(pair.alice, sent, "interrupted");
  await transferIn(pair.bob, offer, "interrupted");
});

Deno.test("while it stops, a daemon begins nothing: what it is asked is refused, what it is offered declined", async () => {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using bob = await LocalDaemon.start(network, {
    flags: ["--shutdown-timeout-secs", "3600"],
  });
  await using holding = await HandDrivenPeer.meet(network, folder, bob);
  await holding.befriend(bob);
  await using other = await HandDrivenPeer.meet(network, folder, bob);
  await other.befriend(bob);
  const path = folder.path("small");
  await Deno.writeFile(path, someBytes(10));
  const toHolding = { paths: [path], identity: holding.identity, priority: 0 };
  await bob.client.send(toHolding);
  await holding.event("transfer-offered");
  holding.path.stall();
  bob.interrupt();
  await bob.event("daemon-stopping");

  const error = await assertRejects(() => bob.client.send(toHolding), ApiError);
  assertEquals(error.code, "STOPPING");
  other.offer({ filename: "late", size: 10, fileHash: "00".repeat(32) });
  const { outcome, by } = await other.event("transfer-ended");
  assertEquals([outcome, by], ["cancelled", "remote"]);
  const { transfers } = await bob.client.listTransfers({ limit: 10 });
  assertEquals(transfers.map(({ name }) => name), ["small"]);

  holding.path.resume();
  assertEquals(await bob.ended, "graceful");
});

Deno.test("then force close: a peer that takes nothing holds the shutdown up for --shutdown-timeout-secs, no longer; its transfer is left as it was, and told as interrupted by the next start", async () => {
  await using folder = await TempFolder.make();
  const dataDir = folder.path("bob");
  const id = await (async () => {
    await using pair = await Pair.make({
      bobsData: dataDir,
      bob: ["--shutdown-timeout-secs", "1"],
    });
    const { offer } = await pair.heldMidway();
    const { transferId } = offer;
    pair.network.paths[0]?.stall();
    pair.bob.interrupt();
    assertEquals(await pair.bob.ended, "forced");
    assertMatch(await pair.bob.lastWord ?? "", /^1 transfer is left .* 1\): /);
    const last = await pair.bob.event("daemon-stopped");
    assertEquals([last.graceful, last.transfersLeft], [false, [transferId]]);
    assertEquals(pair.bob.events.filter(({ type }) => type === "transfer-failed"), []);
    const journal = await Deno.readTextFile(join(dataDir, "journal.ndjson"));
    const { entry } = JSON.parse(journal.trim().split("\n").at(-1) ?? "");
    assertEquals([entry.transferId, entry.state], [transferId, "paused"]);
    pair.network.paths[0]?.resume();
    return transferId;
  })();
  await using bob = await LocalDaemon.start(new MemoryNetwork(), { dataDir });
  const { state, failure } = await bob.client.getTransfer(id);
  assertEquals([state, failure?.code], ["interrupted", "DAEMON_STOPPED"]);
  assertMatch(failure?.message ?? "", /^the daemon stopped, or was killed, before/);
});

Deno.test("a file that was sent whole, but whose peer has not said that it has it, is left too", async () => {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using bob = await LocalDaemon.start(network, { flags: ["--shutdown-timeout-secs", "1"] });
  await using peer = await HandDrivenPeer.meet(network, folder, bob);
  await peer.befriend(bob);
  const path = folder.path("small");
  await Deno.writeFile(path, someBytes(10));
  const sending = { paths: [path], identity: peer.identity, priority: 0 };
  const [sent] = await bob.client.send(sending);
  const { file } = await peer.event("transfer-offered");
  peer.act((transfers, now) => transfers.accept(file.transferId, now));
  peer.path.stall();
  await transferIn(bob, { transferId: sent?.transferId ?? "" }, "active");
  bob.interrupt();
  assertEquals(await bob.ended, "forced");
  const { transfersLeft } = await bob.event("daemon-stopped");
  assertEquals(transfersLeft, [sent?.transferId]);
  assertEquals(bob.events.filter(({ type }) => /^transfer-(finished|failed)$/.test(type)), []);
  peer.path.resume();
});

Deno.test("a peer that is lost during the shutdown leaves its transfer behind at once", async () => {
  await using pair = await Pair.make({ alice: ["--shutdown-timeout-secs", "3600"] });
  const { sent } = await pair.heldMidway();
  pair.network.paths[0]?.stall();
  pair.alice.interrupt();
  await pair.alice.event("daemon-stopping");
  pair.network.paths[0]?.lose();
  assertEquals(await pair.alice.ended, "forced");
  const { transfersLeft } = await pair.alice.event("daemon-stopped");
  assertEquals(transfersLeft, [sent.transferId]);
});

Deno.test("sessions without a transfer keep the shutdown orderly, whatever their peers take", async () => {
  await using pair = await Pair.make({ alice: ["--shutdown-timeout-secs", "1"] });
  pair.network.paths[0]?.stall();
  pair.alice.interrupt();
  assertEquals(await pair.alice.ended, "graceful");
  pair.network.paths[0]?.resume();
});

Deno.test("a second request forces the shutdown at once", async () => {
  await using pair = await Pair.make({ alice: ["--shutdown-timeout-secs", "3600"] });
  await pair.heldMidway();
  pair.network.paths[0]?.stall();
  pair.alice.interrupt();
  await pair.alice.event("daemon-stopping", ({ reason }) => reason === "signal");
  pair.alice.interrupt();
  assertEquals(await pair.alice.ended, "forced");
  pair.network.paths[0]?.resume();
});

Deno.test("a forced shutdown by the API waits for nobody", async () => {
  await using pair = await Pair.make({ alice: ["--shutdown-timeout-secs", "3600"] });
  await pair.heldMidway();
  pair.network.paths[0]?.stall();
  await pair.alice.client.shutdown({ force: true });
  assertEquals(await pair.alice.ended, "forced");
  pair.network.paths[0]?.resume();
});

Deno.test("Persist any resumable state before exit: what was queued is told as interrupted, and why, also after a restart", async () => {
  await using folder = await TempFolder.make();
  const dataDir = folder.path("bob");
  const ids: string[] = [];
  {
    await using pair = await Pair.make({ bobsData: dataDir });
    const paths = [await pair.file("a", someBytes(1)), await pair.file("b", someBytes(1))];
    const sending = { paths, identity: pair.toAlice, priority: 0 };
    for (const { transferId } of await pair.bob.client.send(sending)) ids.push(transferId);
    await offerOf(pair.alice, "a");
    await pair.bob.stop();
    // Each end is told before the daemon's own.
    const offered = await transferIn(pair.bob, { transferId: ids[0] ?? "" }, "interrupted");
    assertEquals(offered.failure?.code, "DAEMON_STOPPED");
    const queued = await transferIn(pair.bob, { transferId: ids[1] ?? "" }, "interrupted");
    assertEquals(queued.failure?.code, "DAEMON_STOPPED");
  }
  await using bob = await LocalDaemon.start(new MemoryNetwork(), { dataDir });
  const ends = [];
  for (const id of ids) {
    const { state, failure } = await bob.client.getTransfer(id);
    ends.push([state, failure?.code]);
  }
  assertEquals(ends, [["interrupted", "DAEMON_STOPPED"], ["interrupted", "DAEMON_STOPPED"]]);
});

Deno.test("a session that ends while the next file is hashed interrupts that transfer", async () => {
  await using pair = await Pair.make();
  // As long as a file may be, without using the disk: hashing it takes many seconds.
  const path = pair.folder.path("sparse");
  await Deno.writeFile(path, new Uint8Array());
  await Deno.truncate(path, 9 * 2 ** 30);
  const [sent] = await pair.alice.client.send({ paths: [path], identity: pair.toBob, priority: 0 });
  // Our own disk's work: no peer can hold it up, and it keeps no other transfer from flowing.
  const id = sent?.transferId ?? "";
  assertEquals((await pair.alice.client.getTransfer(id)).waitingFor, "hash");
  assertEquals((await pair.alice.client.status()).transfers.active, 0);
  pair.network.paths[0]?.lose();
  const end = await transferIn(pair.alice, { transferId: id }, "interrupted");
  assertEquals(end.failure?.code, "CONNECTION_LOST");
  // And it does not hold the shutdown up.
  await pair.alice.stop();
});

Deno.test("an accepted file that waits for a slot can be cancelled, and is over when its peer goes", async () => {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using bob = await LocalDaemon.start(network);
  const peers = [];
  await using stack = new AsyncDisposableStack();
  for (const filename of ["first", "second", "third"]) {
    const peer = stack.use(await HandDrivenPeer.meet(network, folder, bob));
    await peer.befriend(bob);
    peers.push(peer);
    peer.offer({ filename, size: 10, fileHash: "00".repeat(32) });
    const { transferId } = await offerOf(bob, filename);
    await bob.client.acceptTransfer(transferId, {});
  }
  // The first holds the only place, as its peer sends nothing.
  const [first, second, third] = [
    await offerOf(bob, "first"),
    await offerOf(bob, "second"),
    await offerOf(bob, "third"),
  ];
  await transferIn(bob, first, "active");
  const waiting = await bob.client.getTransfer(second.transferId);
  assertEquals([waiting.state, waiting.waitingFor], ["paused", "slot"]);
  await bob.client.cancelTransfer(second.transferId);
  await transferIn(bob, second, "cancelled");
  peers[2]?.path.lose();
  await transferIn(bob, third, "interrupted");
  assertEquals((await bob.client.status()).transfers, { active: 1, waiting: 0, limit: 1 });
});
