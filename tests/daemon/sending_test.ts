/**
 * Files from one daemon to another: queue, decisions, names, pauses, ends.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { ApiError } from "../../src/ipc/client/client.ts";
import { LocalDaemon, meetingByFile, pairBy } from "../support/daemon.ts";
import { join } from "../support/paths.ts";
import {
  LONG,
  namesIn,
  offerOf,
  Pair,
  sha256,
  SHORT,
  someBytes,
  stallAtFirstChunk,
  transferIn,
} from "../support/transfers.ts";

/** Windows has no modes and, for most users, no links. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

/** Fails unless the daemon refuses with this code. */
async function refuses(code: string, call: () => Promise<unknown>): Promise<void> {
  assertEquals((await assertRejects(call, ApiError)).code, code);
}

Deno.test("an offer waits for accept, is told with size and hash, and its file is what was sent", async () => {
  await using pair = await Pair.make();
  const bytes = someBytes(200_000);
  const sent = await pair.send("photo.jpg", bytes);
  const offer = await offerOf(pair.bob, "photo.jpg");
  assertEquals([offer.size, offer.fileHash], [bytes.length, sha256(bytes)]);
  assertEquals(await namesIn(pair.bob.inbox), []);
  await pair.bob.client.acceptTransfer(offer.transferId, {});
  const received = await transferIn(pair.bob, offer, "completed");
  assertEquals(received.path, join(pair.bob.inbox, "photo.jpg"));
  assertEquals(await Deno.readFile(received.path ?? ""), bytes);
  assertEquals(await namesIn(pair.bob.inbox), ["photo.jpg"]);
  const done = await transferIn(pair.alice, sent, "completed");
  assertEquals([done.transferred, done.fileHash], [bytes.length, sha256(bytes)]);
  await refuses("INVALID_STATE", () => pair.bob.client.acceptTransfer(offer.transferId, {}));
  await refuses("INVALID_STATE", () => pair.alice.client.cancelTransfer(sent.transferId));
});

Deno.test("a declined offer is rejected at both ends, and nothing is left of it", async () => {
  await using pair = await Pair.make();
  const sent = await pair.send("no.txt", someBytes(10));
  const offer = await offerOf(pair.bob, "no.txt");
  await pair.bob.client.rejectTransfer(offer.transferId);
  await transferIn(pair.bob, offer, "rejected");
  const { failure } = await transferIn(pair.alice, sent, "rejected");
  assertEquals(failure?.code, "TRANSFER_REJECTED");
  // A cancel carries no reason: what it can mean is said.
  assertMatch(failure?.message ?? "", /declined.*name.*space/);
  assertEquals(await namesIn(pair.bob.inbox), []);
});

Deno.test("a file can be accepted under another name, not under one that leads elsewhere", async () => {
  await using pair = await Pair.make();
  await pair.send("theirs.txt", someBytes(10));
  const offer = await offerOf(pair.bob, "theirs.txt");
  for (const name of ["../up", "/etc/x", "a/b", "..", "a\\b"]) {
    await refuses(
      "INVALID_PARAMETERS",
      () => pair.bob.client.acceptTransfer(offer.transferId, { name }),
    );
  }
  await pair.bob.client.acceptTransfer(offer.transferId, { name: "ours.txt" });
  await transferIn(pair.bob, offer, "completed");
  assertEquals(await namesIn(pair.bob.inbox), ["ours.txt"]);
});

Deno.test("a peer set to auto-accept needs no accept, until it is set back", async () => {
  await using pair = await Pair.make();
  await pair.bob.client.setAutoAccept(pair.toAlice, { enabled: true });
  await pair.send("first.txt", someBytes(10));
  await transferIn(pair.bob, await offerOf(pair.bob, "first.txt"), "completed");
  await pair.bob.client.setAutoAccept(pair.toAlice, { enabled: false });
  await pair.send("second.txt", someBytes(10));
  const second = await offerOf(pair.bob, "second.txt");
  assertEquals((await pair.bob.client.getTransfer(second.transferId)).state, "offered");
});

Deno.test("a taken name gets a number, or with --on-collision refuse the file is not taken", async () => {
  for (const policy of ["number", "refuse"]) {
    await using pair = await Pair.make({ bob: ["--on-collision", policy] });
    await Deno.writeTextFile(join(pair.bob.inbox, "a.txt"), "mine");
    const sent = await pair.send("a.txt", someBytes(10));
    const offer = await offerOf(pair.bob, "a.txt");
    await pair.bob.client.acceptTransfer(offer.transferId, {});
    if (policy === "number") {
      await transferIn(pair.bob, offer, "completed");
      await transferIn(pair.alice, sent, "completed");
      assertEquals(await namesIn(pair.bob.inbox), ["a (1).txt", "a.txt"]);
    } else {
      const { failure, transferred } = await transferIn(pair.bob, offer, "failed");
      assertEquals([failure?.code, transferred], ["NAME_TAKEN", 0], "before a byte of it comes");
      const told = (await transferIn(pair.alice, sent, "failed")).failure;
      assertEquals(told?.code, "LIMIT_EXCEEDED");
      assertStringIncludes(told?.message ?? "", "a file of that name is here already");
      assertEquals(await namesIn(pair.bob.inbox), ["a.txt"]);
    }
    assertEquals(await Deno.readTextFile(join(pair.bob.inbox, "a.txt")), "mine");
  }
});

Deno.test("what waits for one peer goes by priority, then in the order asked", async () => {
  await using pair = await Pair.make();
  // The first is the session's only offer until it is taken, while the others queue.
  await pair.send("held", someBytes(1));
  await offerOf(pair.bob, "held");
  for (const [name, priority] of [["low", -1], ["a", 0], ["b", 0], ["high", 5]] as const) {
    await pair.send(name, someBytes(1), priority);
  }
  const { transfers } = await pair.alice.client.status();
  assertEquals(transfers, { active: 0, waiting: 5, limit: 1 });
  await pair.bob.client.setAutoAccept(pair.toAlice, { enabled: true });
  await transferIn(pair.bob, await offerOf(pair.bob, "low"), "completed");
  // Small files are kept together: which has its name first says nothing of the order.
  const order = pair.bob.events.flatMap((event) =>
    event.type === "transfer-offered" ? [String(event.transfer.name)] : []
  );
  assertEquals(order, ["held", "high", "a", "b", "low"]);
});

Deno.test("--max-transfers lets transfers with several peers run at once, and no more", async () => {
  await using pair = await Pair.make({ alice: ["--max-transfers", "2"] });
  await using carol = await LocalDaemon.start(pair.network);
  await using dave = await LocalDaemon.start(pair.network);
  const peers = [pair.toBob];
  for (const peer of [carol, dave]) {
    const { alice } = await pairBy(meetingByFile(pair.folder), pair.alice, peer);
    peers.push(alice.identity ?? "");
  }
  const paths = [await pair.file("to all", someBytes(SHORT))];
  const sent = [];
  for (const identity of peers) {
    sent.push(...await pair.alice.client.send({ paths, identity, priority: 0 }));
  }
  for (const [i, peer] of [pair.bob, carol, dave].entries()) {
    // The two can't end before the third was asked.
    if (i < 2) stallAtFirstChunk(pair.network.paths[i]);
    await peer.client.acceptTransfer((await offerOf(peer, "to all")).transferId, {});
    const [transfer] = sent.slice(i);
    const { waitingFor } = await transferIn(
      pair.alice,
      { transferId: transfer?.transferId ?? "" },
      i < 2 ? "active" : "paused",
    );
    assertEquals(waitingFor, i < 2 ? undefined : "slot");
  }
  assertEquals((await pair.alice.client.status()).transfers, { active: 2, waiting: 1, limit: 2 });
  for (const path of pair.network.paths) path.resume();
  for (const { transferId } of sent) await transferIn(pair.alice, { transferId }, "completed");
});

for (const who of ["sender", "receiver"] as const) {
  Deno.test(`the ${who} can pause and resume, and both are told`, async () => {
    await using pair = await Pair.make();
    const { sent, offer } = await pair.flowing();
    const { daemon, id } = {
      sender: { daemon: pair.alice, id: sent.transferId },
      receiver: { daemon: pair.bob, id: offer.transferId },
    }[who];
    await daemon.client.pauseTransfer(id);
    pair.goOn();
    await transferIn(pair.alice, sent, "paused");
    await transferIn(pair.bob, offer, "paused");
    await daemon.client.resumeTransfer(id);
    await pair.alice.event("transfer-resumed");
    await pair.bob.event("transfer-resumed");
    await transferIn(pair.alice, sent, "completed");
    const { path = "" } = await transferIn(pair.bob, offer, "completed");
    assertEquals(sha256(await Deno.readFile(path)), sha256(someBytes(LONG)));
  });

  Deno.test(`the ${who} can cancel what flows: both are told, nothing is left in the inbox`, async () => {
    await using pair = await Pair.make();
    const { sent, offer } = await pair.flowing();
    const { daemon, id } = {
      sender: { daemon: pair.alice, id: sent.transferId },
      receiver: { daemon: pair.bob, id: offer.transferId },
    }[who];
    await daemon.client.pauseTransfer(id);
    pair.goOn();
    await daemon.client.cancelTransfer(id);
    await transferIn(pair.alice, sent, "cancelled");
    await transferIn(pair.bob, offer, "cancelled");
    assertEquals(await namesIn(pair.bob.inbox), []);
    // The session goes on.
    await pair.send("next", someBytes(10));
    const next = await offerOf(pair.bob, "next");
    await pair.bob.client.acceptTransfer(next.transferId, {});
    await transferIn(pair.bob, next, "completed");
  });
}

Deno.test("a transfer that both ends pause goes on when both have resumed it", async () => {
  await using pair = await Pair.make();
  const { sent, offer } = await pair.heldMidway(40_000_000);
  await pair.bob.client.pauseTransfer(offer.transferId);
  await pair.alice.event("transfer-paused");
  await pair.alice.client.resumeTransfer(sent.transferId);
  assertEquals((await pair.alice.client.getTransfer(sent.transferId)).state, "paused");
  await pair.bob.client.resumeTransfer(offer.transferId);
  await transferIn(pair.alice, sent, "completed");
  await transferIn(pair.bob, offer, "completed");
});

Deno.test("what waits in the queue can be cancelled, and is never offered", async () => {
  await using pair = await Pair.make();
  await pair.send("first", someBytes(10));
  const waiting = await pair.send("second", someBytes(10));
  const first = await offerOf(pair.bob, "first");
  await refuses("INVALID_STATE", () => pair.alice.client.pauseTransfer(waiting.transferId));
  await pair.alice.client.cancelTransfer(waiting.transferId);
  await transferIn(pair.alice, waiting, "cancelled");
  await pair.bob.client.acceptTransfer(first.transferId, {});
  await transferIn(pair.bob, first, "completed");
  await pair.send("third", someBytes(10));
  await offerOf(pair.bob, "third");
  assert(!JSON.stringify(pair.bob.events).includes("second"));
});

Deno.test("a file that changes while it is sent: SOURCE_CHANGED, said plainly, and nothing arrives", async () => {
  await using pair = await Pair.make();
  const sent = await pair.send("log.txt", someBytes(LONG));
  const offer = await offerOf(pair.bob, "log.txt");
  await Deno.writeFile(pair.folder.path("log.txt"), someBytes(LONG, 1));
  await pair.bob.client.acceptTransfer(offer.transferId, {});
  const { failure } = await transferIn(pair.alice, sent, "failed");
  assertEquals(failure?.code, "SOURCE_CHANGED");
  assertStringIncludes(failure?.message ?? "", "changed while it was being sent");
  await transferIn(pair.bob, offer, "cancelled");
  assertEquals(await namesIn(pair.bob.inbox), []);
});

Deno.test("offers that cross, both send at the same moment: both files arrive", async () => {
  await using pair = await Pair.make();
  const { alice, bob } = pair;
  await alice.client.setAutoAccept(pair.toBob, { enabled: true });
  await bob.client.setAutoAccept(pair.toAlice, { enabled: true });
  const [path] = pair.network.paths;
  const paths = [await pair.file("crossing", someBytes(100_000))];
  // Each has offered before it hears of the other's offer.
  path?.stall();
  await Promise.all([
    alice.client.send({ paths, identity: pair.toBob, priority: 0 }),
    bob.client.send({ paths, identity: pair.toAlice, priority: 0 }),
  ]);
  for (const daemon of [alice, bob]) {
    await daemon.event("transfer-offered", ({ transfer }) => transfer.direction === "outgoing");
  }
  path?.resume();
  for (const daemon of [alice, bob]) {
    await daemon.event("transfer-finished", ({ transfer }) => transfer.direction === "outgoing");
    await daemon.event("transfer-finished", ({ transfer }) => transfer.direction === "incoming");
    assertEquals(await namesIn(daemon.inbox), ["crossing"]);
  }
});

test("what can't be sent is refused at once, and nothing of that request is queued", async () => {
  await using pair = await Pair.make();
  const fine = await pair.file("fine", someBytes(1));
  const link = pair.folder.path("link");
  await Deno.symlink(fine, link);
  const huge = await pair.file("huge", someBytes(1));
  await Deno.truncate(huge, 10 * 1024 ** 3 + 1);
  const refusals = [
    [pair.folder.path("absent"), "FILE_UNREADABLE", "does not exist"],
    // With the file of that size in it.
    [pair.folder.path(), "LIMIT_EXCEEDED", "more than the 10737418240 bytes that may be sent"],
    ["/", "FILE_UNREADABLE", "has no name of its own"],
    [link, "FILE_UNREADABLE", "is a symbolic link"],
    ["/dev/zero", "FILE_UNREADABLE", "a device"],
    [huge, "LIMIT_EXCEEDED", "more than the 10737418240 that may be sent"],
    ["-", "INVALID_PARAMETERS", "absolute path"],
  ] as const;
  for (const [path, code, sentence] of refusals) {
    const call = () =>
      pair.alice.client.send({ paths: [fine, path], identity: pair.toBob, priority: 0 });
    const error = await assertRejects(call, ApiError);
    assertEquals(error.code, code, path);
    assertStringIncludes(error.message, sentence);
    assert(!/os error|--allow|\(E[A-Z]+\)|pattern/.test(error.message), error.message);
  }
  await refuses(
    "PEER_NOT_CONNECTED",
    () => pair.alice.client.send({ paths: [fine], identity: "ab".repeat(32), priority: 0 }),
  );
  assertEquals((await pair.alice.client.listTransfers({ limit: 50 })).transfers, []);
});

Deno.test("the hash of a large file is told of while it is made, and a cancel ends it", async () => {
  await using pair = await Pair.make();
  const path = await pair.file("large", someBytes(1));
  await Deno.truncate(path, 8 * 1024 ** 3); // without blocks on the disk; some seconds to hash
  const [sent] = await pair.alice.client.send({ paths: [path], identity: pair.toBob, priority: 0 });
  const { transferId = "" } = sent ?? {};
  const { hashed, size } = await pair.alice.event(
    "transfer-hashing",
    (event) => event.transferId === transferId,
  );
  assert(hashed > 0 && hashed < size);
  const shown = await pair.alice.client.getTransfer(transferId);
  assertEquals([shown.state, shown.transferred], ["queued", 0]);
  assert((shown.hashed ?? 0) >= hashed);
  const cancelled = await pair.alice.client.cancelTransfer(transferId);
  assertEquals([cancelled.state, cancelled.hashed], ["cancelled", undefined]);
});
