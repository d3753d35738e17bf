/**
 * Files that wait for their linked peer, between two daemons with everything real but the connection,
 * which is in memory.
 *
 * @module
 */
import { assert, assertEquals, assertGreater } from "@std/assert";
import type { Transfer } from "../../src/ipc/api/schemas.ts";
import { MAX_WAITING_FOR_PEER } from "../../src/app/daemon/transfers/queue_rules.ts";
import {
  LocalDaemon,
  meeting,
  meetingByFile,
  openedSession,
  pairingOf,
} from "../support/daemon.ts";
import { connected, linkThat } from "../support/links.ts";
import { lastPath, muteAfterOneMessage, stallAfter } from "../support/memory_paths.ts";
import { join } from "../support/paths.ts";
import { parseExposition } from "../support/exposition.ts";
import { refuses, send, World } from "../support/linked_world.ts";
import { namesIn, offerOf, Pair, sha256, someBytes, transferIn } from "../support/transfers.ts";

/** Windows has no modes and, for most users, no links. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const MIB = 1024 ** 2;
/** Many times what a channel takes at once. */
const SIZE = 12 * MIB + 77;

/** The transfer when it is back in its queue. */
function backInQueue(daemon: LocalDaemon, { transferId }: Transfer): Promise<unknown> {
  return daemon.event(
    "transfer-queued",
    ({ transfer }) =>
      transfer.transferId === transferId && transfer.protocolTransferId !== undefined,
  );
}

Deno.test("files for a linked peer that is away wait over restarts, and go in order of priority when it comes", async () => {
  await using world = await World.make();
  const paths = await Promise.all(
    ["a", "b", "c", "first"].map((name) => world.file(name, someBytes(1000 + name.length))),
  );
  const [a = "", b = "", c = "", first = ""] = paths;
  let alice = await world.start("alice");
  const sent = await alice.client.send({ paths: [a, b], identity: world.toBob });
  for (const { state, waitingFor, sessionId, createdAt, expiresAt = "" } of sent) {
    assertEquals([state, waitingFor, sessionId], ["queued", "peer", undefined]);
    assertEquals(Date.parse(expiresAt) - Date.parse(createdAt), 7 * 24 * 3600_000);
  }
  await world.stop("alice");
  alice = await world.start("alice");
  sent.push(await send(alice, world.toBob, c));
  const urgent = await send(alice, world.toBob, first, { priority: 1 });
  await world.crash("alice");
  alice = await world.start("alice");
  const waiting = await alice.client.getTransfer(urgent.transferId);
  assertEquals([waiting.state, waiting.waitingFor, waiting.priority], ["queued", "peer", 1]);
  assertEquals(waiting.expiresAt, urgent.expiresAt);

  const bob = await world.start("bob");
  for (const one of [...sent, urgent]) {
    const { confirmed, expiresAt, path } = await transferIn(alice, one, "completed");
    assertEquals([confirmed, expiresAt, path], [true, undefined, one.path]);
  }
  await offerOf(bob, "c"); // bob's last event of that kind may come later than alice's end
  const offers = bob.events.flatMap((event) =>
    event.type === "transfer-offered" ? [String(event.transfer.name)] : []
  );
  assertEquals(offers, ["first", "a", "b", "c"]);
});

Deno.test("at no moment is a file that flows in the journal without the try that its next one names", async () => {
  await using world = await World.make();
  const { alice } = await world.startBoth();
  for (const size of [0, 1, SIZE]) {
    const path = await world.file(`f${size}`, someBytes(size));
    await transferIn(alice, await send(alice, world.toBob, path), "completed");
  }
  const journal = await Deno.readTextFile(join(world.data.alice, "journal.ndjson"));
  const [, ...records]: { state: string; lastTry?: string }[] = journal.trimEnd().split("\n")
    .flatMap((line) => JSON.parse(line).entry); // changes that waited together are a list
  const flows = records.filter(({ state }) => state === "active");
  assertGreater(flows.length, 2);
  assertEquals(flows.filter(({ lastTry }) => lastTry === undefined), []);
});

Deno.test("a file whose path is cut goes on by itself as the same transfer, and another one after it", async () => {
  await using world = await World.make();
  const { alice, bob } = await world.startBoth();
  const path = await world.file("backup");
  const stalled = stallAfter(lastPath(world.network), 4 * MIB);
  const sent = await send(alice, world.toBob, path);
  const next = await send(alice, world.toBob, await world.file("next", someBytes(10)));
  await stalled;
  lastPath(world.network).lose();
  await backInQueue(alice, sent);
  assertEquals((await alice.client.getTransfer(next.transferId)).state, "queued");
  const { resumedFrom = 0, transferred } = await transferIn(alice, sent, "completed");
  assertGreater(resumedFrom, MIB);
  assertEquals(transferred, SIZE);
  await transferIn(alice, next, "completed");
  assertEquals(await namesIn(bob.inbox), ["backup", "next"]);
  // One transfer, told of as such: it never ended before.
  const failed = alice.events.filter(({ type }) => type === "transfer-failed");
  assertEquals([failed, (await alice.client.listTransfers({})).transfers.length], [[], 2]);
});

for (const who of [["alice"], ["bob"], ["alice", "bob"]] as const) {
  for (const how of ["stop", "crash"] as const) {
    Deno.test(`a file goes on as the same transfer after a ${how} of ${who.join(" and ")} in its middle`, async () => {
      await using world = await World.make();
      const { alice } = await world.startBoth();
      const path = await world.file("backup");
      const stalled = stallAfter(lastPath(world.network), 4 * MIB);
      const sent = await send(alice, world.toBob, path);
      await stalled;
      // A daemon that stops in order has its peer's confirmation.
      if (how === "stop") lastPath(world.network).resume();
      for (const one of who) await world[how](one);
      if (world.alice !== undefined) await backInQueue(world.alice, sent);
      for (const one of who) await world.start(one);
      assert(world.alice !== undefined && world.bob !== undefined);
      const ended = await transferIn(world.alice, sent, "completed");
      assertEquals([ended.confirmed, ended.transferred], [true, SIZE]);
      assertEquals(await namesIn(world.bob.inbox), ["backup"]);
      const content = await Deno.readFile(join(world.bob.inbox, "backup"));
      assertEquals(sha256(content), sha256(someBytes(SIZE)));
    });
  }
}

for (const size of [0, 1, SIZE]) {
  for (const how of ["the path is lost", "alice crashes", "bob crashes"] as const) {
    Deno.test(`a file of ${size} bytes that arrived unheard of arrives once: ${how}`, async () => {
      await using world = await World.make();
      const { alice, bob } = await world.startBoth();
      const path = await world.file("backup", someBytes(size));
      muteAfterOneMessage(lastPath(world.network));
      const sent = await send(alice, world.toBob, path);
      await transferIn(bob, await offerOf(bob, "backup"), "completed");
      const who = how === "alice crashes" ? "alice" : "bob";
      if (how === "the path is lost") lastPath(world.network).lose();
      else {
        await world.crash(who);
        await world.start(who);
      }
      assert(world.alice !== undefined && world.bob !== undefined);
      const { confirmed, resumedFrom } = await transferIn(world.alice, sent, "completed");
      assertEquals([confirmed, resumedFrom], [true, size]);
      assertEquals(await namesIn(world.bob.inbox), ["backup"]);
    });
  }
}

for (const size of [0, SIZE]) {
  Deno.test(`a file of ${size} bytes arrives once also where its transfer has been forgotten meanwhile`, async () => {
    await using world = await World.make();
    const { alice, bob } = await world.startBoth();
    muteAfterOneMessage(lastPath(world.network));
    const sent = await send(alice, world.toBob, await world.file("backup", someBytes(size)));
    await transferIn(bob, await offerOf(bob, "backup"), "completed");
    await world.crash("bob");
    // As when more transfers came since than the journal has room for.
    await Deno.remove(join(world.data.bob, "journal.ndjson"));
    const again = await world.start("bob");
    const { confirmed, resumedFrom } = await transferIn(alice, sent, "completed");
    assertEquals([confirmed, resumedFrom], [true, size]);
    assertEquals(await namesIn(again.inbox), ["backup"]);
    assertEquals((await again.client.listReceived()).files.length, 1);
  });
}

Deno.test("it arrives once also where the receiver lets the sender in once and pins nothing", async () => {
  await using world = await World.make();
  const [alice, bob] = [await world.start("alice"), await world.start("bob")];
  await Promise.all([connected(alice, "bob"), connected(bob, "alice")]);
  await bob.client.removeLink("alice");
  await bob.client.untrust(world.toAlice);
  const meets = async () => {
    const { answerer } = meeting(world.server.url);
    const asked = await bob.pair({ ...answerer, room: "r", session: "s" });
    const { pairingId, sas } = await pairingOf(bob, asked);
    await bob.client.decidePairing(pairingId, { decision: "allow_once", sas, acceptFiles: true });
    await openedSession(bob, asked);
  };
  await meets();
  muteAfterOneMessage(lastPath(world.network));
  const sent = await send(alice, world.toBob, await world.file("backup", someBytes(10)));
  const offer = await offerOf(bob, "backup");
  await transferIn(bob, offer, "completed");
  lastPath(world.network).lose();
  await backInQueue(alice, sent);
  await meets();
  await transferIn(alice, sent, "completed");
  assertEquals(await namesIn(bob.inbox), ["backup"]);
});

test("a source that is gone or changed when its turn comes ends with its own code, and the others go", async () => {
  await using world = await World.make();
  const alice = await world.start("alice");
  const sent: Record<string, Transfer> = {};
  for (const name of ["gone", "longer", "touched", "swapped", "link", "good"]) {
    sent[name] = await send(alice, world.toBob, await world.file(name, someBytes(1000)));
  }
  await Deno.remove(world.folder.path("gone"));
  await Deno.writeFile(world.folder.path("longer"), someBytes(1001));
  await Deno.utime(world.folder.path("touched"), 1, 1);
  // Of the same size and time of change, as `touch -r` sets it.
  const { mtime } = await Deno.stat(world.folder.path("swapped"));
  assert(mtime !== null);
  const other = await world.file("other", someBytes(1000));
  await Deno.utime(other, mtime, mtime);
  await Deno.rename(other, world.folder.path("swapped"));
  await Deno.remove(world.folder.path("link"));
  await Deno.symlink(world.folder.path("good"), world.folder.path("link"));
  const bob = await world.start("bob");
  const codes = {
    gone: "SOURCE_GONE",
    longer: "SOURCE_CHANGED",
    touched: "SOURCE_CHANGED",
    swapped: "SOURCE_CHANGED",
    link: "SOURCE_UNUSABLE",
  };
  for (const [name, code] of Object.entries(codes)) {
    const { failure } = await transferIn(alice, sent[name] ?? {} as Transfer, "failed");
    assertEquals(failure?.code, code);
  }
  await transferIn(alice, sent["good"] ?? {} as Transfer, "completed");
  assertEquals(await namesIn(bob.inbox), ["good"]);
});

Deno.test("a source that is gone or changed after a part of it was sent ends with its own code", async () => {
  for (const [name, code] of [["gone", "SOURCE_GONE"], ["changed", "SOURCE_CHANGED"]] as const) {
    await using world = await World.make();
    const { alice } = await world.startBoth();
    const path = await world.file(name);
    const stalled = stallAfter(lastPath(world.network), 4 * MIB);
    const sent = await send(alice, world.toBob, path);
    await stalled;
    if (name === "gone") await Deno.remove(path);
    else await Deno.utime(path, 1, 1);
    lastPath(world.network).lose();
    assertEquals((await transferIn(alice, sent, "failed")).failure?.code, code);
  }
});

for (
  const [what, act] of [
    ["the link is removed", (alice: LocalDaemon) => alice.client.removeLink("bob")],
    ["the peer is untrusted", (alice: LocalDaemon, bob: string) => alice.client.untrust(bob)],
    [
      "the peer is denied",
      (alice: LocalDaemon, bob: string) => alice.client.trust(bob, { decision: "deny_always" }),
    ],
  ] as const
) {
  Deno.test(`files that wait are told and end when ${what}`, async () => {
    await using world = await World.make();
    const alice = await world.start("alice");
    const sent = await send(alice, world.toBob, await world.file("backup", someBytes(10)));
    await act(alice, world.toBob);
    const { failure } = await transferIn(alice, sent, "interrupted");
    assertEquals(failure?.code, "PEER_NOT_LINKED");
    await refuses("PEER_NOT_CONNECTED", () => send(alice, world.toBob, sent.path ?? ""));
    await world.stop("alice");
    const again = await world.start("alice");
    assertEquals((await again.client.getTransfer(sent.transferId)).state, "interrupted");
  });
}

Deno.test("the file under way is cancelled when the link is removed, and what waits behind it ends", async () => {
  await using world = await World.make();
  const { alice } = await world.startBoth();
  const stalled = stallAfter(lastPath(world.network), 4 * MIB);
  const sent = await send(alice, world.toBob, await world.file("backup"));
  const next = await send(alice, world.toBob, await world.file("next", someBytes(10)));
  await stalled;
  lastPath(world.network).resume();
  await alice.client.removeLink("bob");
  await transferIn(alice, next, "interrupted");
  await alice.heard.find(
    "the end of the file under way",
    (event): event is Extract<typeof event, { type: "transfer-failed" }> =>
      event.type === "transfer-failed" && event.transfer.transferId === sent.transferId,
  );
});

Deno.test("a link that rests ends no file: what is under way goes on with the link", async () => {
  for (const who of ["alice", "bob"] as const) {
    await using world = await World.make();
    const both = await world.startBoth();
    const { alice, bob } = both;
    const stalled = stallAfter(lastPath(world.network), 4 * MIB);
    const sent = await send(alice, world.toBob, await world.file("backup"));
    await stalled;
    lastPath(world.network).resume();
    const other = who === "alice" ? "bob" : "alice";
    await both[who].client.pauseLink(other);
    await backInQueue(alice, sent);
    await linkThat(both[who], other, ({ state }) => state === "paused");
    const { waitingFor } = await alice.client.getTransfer(sent.transferId);
    assert(waitingFor === "peer" || waitingFor === "session", waitingFor);
    await both[who].client.resumeLink(other);
    const { resumedFrom = 0 } = await transferIn(alice, sent, "completed");
    assertGreater(resumedFrom, MIB);
    assertEquals(await namesIn(bob.inbox), ["backup"]);
  }
});

Deno.test("a file that nobody has decided about waits again when the peer restarts", async () => {
  await using world = await World.make();
  const { alice, bob } = await world.startBoth();
  await bob.client.setAutoAccept(world.toAlice, { enabled: false });
  const sent = await send(alice, world.toBob, await world.file("backup", someBytes(10)));
  await offerOf(bob, "backup");
  await world.stop("bob");
  await backInQueue(alice, sent);
  const again = await world.start("bob");
  const offer = await offerOf(again, "backup");
  await again.client.acceptTransfer(offer.transferId, {});
  await transferIn(alice, sent, "completed");
});

Deno.test("with a peer that can't resume, a file that was not accepted goes back, and one that was is interrupted: it might arrive twice", async () => {
  await using world = await World.make({ bob: ["--extensions", "proven-identity"] });
  const { alice, bob } = await world.startBoth();
  await bob.client.setAutoAccept(world.toAlice, { enabled: false });
  const sent = await send(alice, world.toBob, await world.file("backup"));
  await offerOf(bob, "backup");
  lastPath(world.network).lose();
  await backInQueue(alice, sent);
  const second = await bob.event(
    "transfer-offered",
    ({ transfer }) =>
      transfer.sessionId !==
        bob.events.flatMap((event) =>
          event.type === "transfer-offered" ? [event.transfer.sessionId] : []
        )[0],
  );
  const stalled = stallAfter(lastPath(world.network), MIB);
  await bob.client.acceptTransfer(second.transfer.transferId, {});
  await stalled;
  lastPath(world.network).lose();
  assertEquals((await transferIn(alice, sent, "interrupted")).failure?.code, "CONNECTION_LOST");
});

Deno.test("after a crash, too, a file that a peer without resume had accepted is interrupted", async () => {
  await using world = await World.make({ bob: ["--extensions", "proven-identity"] });
  const { alice } = await world.startBoth();
  const stalled = stallAfter(lastPath(world.network), MIB);
  const sent = await send(alice, world.toBob, await world.file("backup"));
  await stalled;
  await world.crash("alice");
  const again = await world.start("alice");
  const { state, failure } = await again.client.getTransfer(sent.transferId);
  assertEquals([state, failure?.code], ["interrupted", "DAEMON_STOPPED"]);
});

Deno.test("without a link all is as before: refused when the peer is away, interrupted when it is lost", async () => {
  await using pair = await Pair.make();
  const { sent } = await pair.heldMidway();
  lastPath(pair.network).lose();
  const { failure, expiresAt } = await transferIn(pair.alice, sent, "interrupted");
  assertEquals([failure?.code, expiresAt], ["CONNECTION_LOST", undefined]);
  await refuses("PEER_NOT_CONNECTED", () => send(pair.alice, pair.toBob, sent.path ?? ""));
});

Deno.test("nothing that waits goes to a session that only claims to be the peer", async () => {
  await using world = await World.make();
  const alice = await world.start("alice");
  const sent = await send(alice, world.toBob, await world.file("secret", someBytes(10)));
  // With bob's key and without a proof of it, as an older program, or somebody on the way.
  await using claims = await LocalDaemon.start(world.network, {
    dataDir: world.data.bob,
    flags: ["--extensions", "none", "--pairing-policy", "allow"],
  });
  const { offerer, answerer } = meetingByFile(world.folder);
  await alice.pair(offerer);
  await claims.pair(answerer);
  const { claimed, step } = await alice.event("identity-refused");
  assertEquals([claimed, step], [world.toBob, "expectation"]);
  const { state, waitingFor } = await alice.client.getTransfer(sent.transferId);
  assertEquals([state, waitingFor], ["queued", "peer"]);
});

Deno.test("a file is given up when its time is over, also in a run later than the one that took it", async () => {
  await using world = await World.make();
  let alice = await world.start("alice");
  const path = await world.file("backup", someBytes(10));
  const first = await send(alice, world.toBob, path, { expireSecs: 1 });
  assertEquals((await transferIn(alice, first, "interrupted")).failure?.code, "TRANSFER_EXPIRED");
  const second = await send(alice, world.toBob, path, { expireSecs: 1 });
  await world.stop("alice");
  alice = await world.start("alice");
  const { failure } = await alice.event(
    "transfer-failed",
    ({ transfer }) => transfer.transferId === second.transferId,
  ).then(({ transfer }) => transfer);
  assertEquals(failure?.code, "TRANSFER_EXPIRED");
});

/** What `/metrics` of a daemon says of its queue, and of what it keeps. */
async function queueMetrics({ client }: LocalDaemon): Promise<Record<string, number>> {
  const families = parseExposition(await client.metrics());
  const valueOf = (name: string) => families.get(name)?.samples.get("") ?? NaN;
  return {
    files: valueOf("bolt_queue_files"),
    oldest: valueOf("bolt_queue_oldest_seconds"),
    kept: valueOf("bolt_kept_bytes"),
  };
}

Deno.test("/metrics tells how many files wait, for how long, and what is kept of those cut off", async () => {
  await using world = await World.make();
  let { alice, bob } = await world.startBoth();
  assertEquals(await queueMetrics(alice), { files: 0, oldest: 0, kept: 0 });
  const stalled = stallAfter(lastPath(world.network), 4 * MIB);
  const sent = await send(alice, world.toBob, await world.file("backup"));
  await stalled;
  await world.crash("bob");
  await backInQueue(alice, sent);
  await send(alice, world.toBob, await world.file("next", someBytes(10)));
  const { files, oldest = 0, kept } = await queueMetrics(alice);
  assertEquals([files, kept], [2, 0]);
  const age = (Date.now() - Date.parse(sent.createdAt)) / 1000;
  assert(oldest > 0 && oldest <= age, `${oldest} of ${age} s`);
  await world.stop("alice"); // nothing goes on yet
  bob = await world.start("bob");
  const [part] = (await bob.client.listTransfers({ direction: "incoming" })).transfers;
  assertGreater(part?.keptBytes ?? 0, 0);
  assertEquals((await queueMetrics(bob)).kept, part?.keptBytes);
  alice = await world.start("alice");
  await transferIn(alice, sent, "completed");
  assertEquals((await queueMetrics(bob)).kept, 0);
});

Deno.test("a file that waits can be cancelled, and is not sent", async () => {
  await using world = await World.make();
  const alice = await world.start("alice");
  const sent = await send(alice, world.toBob, await world.file("no", someBytes(10)));
  const next = await send(alice, world.toBob, await world.file("yes", someBytes(10)));
  await alice.client.cancelTransfer(sent.transferId);
  await transferIn(alice, sent, "cancelled");
  const bob = await world.start("bob");
  await transferIn(alice, next, "completed");
  assertEquals(await namesIn(bob.inbox), ["yes"]);
});

Deno.test("no more files wait for one peer than its bound, over restarts", async () => {
  await using world = await World.make();
  let alice = await world.start("alice");
  const path = await world.file("small", someBytes(1));
  const paths = Array.from({ length: 100 }, () => path);
  for (let n = 0; n < MAX_WAITING_FOR_PEER; n += paths.length) {
    await alice.client.send({ paths, identity: world.toBob });
  }
  await refuses("LIMIT_EXCEEDED", () => send(alice, world.toBob, path));
  await world.stop("alice");
  alice = await world.start("alice");
  await refuses("LIMIT_EXCEEDED", () => send(alice, world.toBob, path));
});

Deno.test("a send with a key is carried out once, over a restart and its file's end", async () => {
  await using world = await World.make();
  let alice = await world.start("alice");
  const path = await world.file("backup", someBytes(10));
  const request = { paths: [path], identity: world.toBob, idempotencyKey: "nightly-1" };
  const [sent] = await alice.client.send(request);
  assert(sent !== undefined);
  const idsOf = (transfers: readonly Transfer[]) => transfers.map(({ transferId }) => transferId);
  assertEquals(idsOf(await alice.client.send(request)), [sent.transferId]);
  await refuses("IDEMPOTENCY_KEY_REUSED", () => alice.client.send({ ...request, priority: 1 }));
  await world.crash("alice");
  alice = await world.start("alice");
  assertEquals(idsOf(await alice.client.send(request)), [sent.transferId]);
  const bob = await world.start("bob");
  await transferIn(alice, sent, "completed");
  assertEquals((await alice.client.send(request)).map(({ state }) => state), ["completed"]);
  assertEquals(await namesIn(bob.inbox), ["backup"]);
  for (const idempotencyKey of ["", "with blank", "\u00e4", "x".repeat(256)]) {
    await refuses("INVALID_PARAMETERS", () => alice.client.send({ ...request, idempotencyKey }));
  }
});
