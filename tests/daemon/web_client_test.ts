/**
 * Sessions with a web client: no hello and ack, no offers of files, no pings.
 *
 * @module
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ApiError } from "../../src/ipc/client/api_http.ts";
import type { PairingDecision } from "../../src/ipc/api/schemas.ts";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import type { Channel } from "../../src/transport/channel.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { LocalDaemon } from "../support/daemon.ts";
import { HELD_FILES } from "../../src/app/daemon/transfers/held_files.ts";
import {
  answerAsWebClient,
  askForWebClient,
  HandDrivenPeer,
  newIdentity,
  WEB_CHUNK_BYTES,
} from "../support/hand_driven_peer.ts";
import { RelayPeer } from "../support/relay_peer.ts";
import { createConnector } from "../../src/transport/webrtc/connector.ts";
import { LOOPBACK_ONLY } from "../transport/harness.ts";
import { join } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { namesIn, offerOf, sha256, someBytes, transferIn } from "../support/transfers.ts";

/** A daemon and a web client that it has let in. */
async function meet(
  stack: AsyncDisposableStack,
  decision: Pick<PairingDecision, "acceptFiles"> = {},
) {
  const network = new MemoryNetwork();
  const server = stack.use(startRendezvousServer());
  const bob = stack.use(await LocalDaemon.start(network));
  const identity = newIdentity();
  const come = async () =>
    stack.use(await HandDrivenPeer.meetAsWebClient(network, server.url, bob, identity));
  const client = await come();
  const { sessionId } = await client.befriend(bob, "allow_always", decision);
  const again = async () => {
    const next = await come();
    await next.befriend(bob);
    return next;
  };
  return { bob, client, sessionId, again };
}

const BYTES = someBytes(40_000);

Deno.test("a web client's file comes without an offer: it is held until it is accepted, then received whole", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, client } = await meet(stack);
  assertEquals((await bob.client.listSessions())[0]?.web, true);
  const id = client.offer({ filename: "web.bin", size: BYTES.length, fileHash: sha256(BYTES) });
  await client.event("transfer-started");
  let sent = 0;
  const next = (length: number) => BYTES.subarray(sent, sent += length);
  client.sendChunk(id, next);
  const offer = await offerOf(bob, "web.bin");
  const { by } = await client.event("transfer-paused");
  assertEquals(by, "remote");
  assertEquals(await namesIn(bob.inbox), []);
  await bob.client.acceptTransfer(offer.transferId, {});
  await client.event("transfer-resumed");
  while (sent < BYTES.length) client.sendChunk(id, next);
  const received = await transferIn(bob, offer, "completed");
  assertEquals(await Deno.readFile(received.path ?? ""), BYTES);
  assertEquals(await namesIn(bob.inbox), ["web.bin"]);
});

Deno.test("a page whose browser has lost its HELLO is offered another channel, in the same session", async () => {
  await using stack = new AsyncDisposableStack();
  const network = new MemoryNetwork();
  const server = stack.use(startRendezvousServer());
  const bob = stack.use(await LocalDaemon.start(network));
  const lost: Channel[] = [];
  const client = stack.use(
    await HandDrivenPeer.meetAsWebClient(network, server.url, bob, newIdentity(), [
      (channel) => void lost.push(channel),
    ]),
  );
  const { sessionId } = await client.befriend(bob);
  const [session, ...others] = await bob.client.listSessions();
  assertEquals([session?.sessionId, session?.state, others], [sessionId, "open", []]);
  // What was given up is gone, and told to nobody.
  await Promise.all(lost.map(({ closed }) => closed));
  const told = bob.events.map(({ type }) => type).filter((type) => type.startsWith("session-"));
  assertEquals(told, ["session-started", "session-opened"]);
  const asked = bob.events.filter(({ type }) => type === "pairing-requested");
  assertEquals(asked.length, 1);
});

Deno.test("a session that is closed while it waits for a page's HELLO leaves no channel", async () => {
  await using stack = new AsyncDisposableStack();
  const network = new MemoryNetwork();
  const server = stack.use(startRendezvousServer());
  const bob = stack.use(await LocalDaemon.start(network));
  const relay = stack.use(await RelayPeer.register(server.url, "web"));
  const { sessionId } = await askForWebClient(bob, server.url);
  const { channel } = await answerAsWebClient(network, relay);
  await bob.client.closeSession(sessionId);
  const { session } = await bob.event("session-closed");
  assertEquals(session.state, "closed");
  await channel.closed;
});

/** A file of the client's, of which the first chunk has come. */
async function begun(bob: LocalDaemon, client: HandDrivenPeer) {
  const id = client.offer({ filename: "web.bin", size: BYTES.length, fileHash: sha256(BYTES) });
  client.sendChunk(id, (length) => BYTES.subarray(0, length));
  return { id, offer: await offerOf(bob, "web.bin") };
}

/** What follows the first chunk. */
function sendRest(client: HandDrivenPeer, id: ReturnType<HandDrivenPeer["offer"]>): void {
  for (let sent = 16_384; sent < BYTES.length; sent += 16_384) {
    client.sendChunk(id, (length) => BYTES.subarray(sent, sent + length));
  }
}

Deno.test("a web client's file that is declined is cancelled, and nothing of it is kept", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, client } = await meet(stack);
  const { offer } = await begun(bob, client);
  await bob.client.rejectTransfer(offer.transferId);
  await transferIn(bob, offer, "rejected");
  assertEquals((await client.event("transfer-ended")).outcome, "cancelled");
  assertEquals(await namesIn(bob.inbox), []);
});

Deno.test("a file sent to a web client flows at once, in the chunks that it takes", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, client } = await meet(stack);
  const folder = stack.use(await TempFolder.make());
  const path = join(folder.path(), "ours.bin");
  await Deno.writeFile(path, BYTES);
  const sending = { paths: [path], identity: client.identity, priority: 0 };
  const [sent] = await bob.client.send(sending);
  const { file } = await client.event("transfer-offered");
  assertEquals([file.filename, file.implied], ["ours.bin", true]);
  const got: number[] = [];
  for (let length = 0; length < BYTES.length;) {
    const { data } = await client.event("transfer-chunk");
    got.push(...data);
    length += data.length;
    assertEquals(data.length, Math.min(16_384, BYTES.length - length + data.length));
  }
  assertEquals(Uint8Array.from(got), BYTES);
  await transferIn(bob, { transferId: sent?.transferId ?? "" }, "completed");
});

/** The lengths at which a file of a web client is one chunk more. */
const SIZES = [1, WEB_CHUNK_BYTES, WEB_CHUNK_BYTES + 1, 3 * WEB_CHUNK_BYTES];
const nameOf = (size: number) => `of ${size}.bin`;

Deno.test("files of a web client that come whole before a decision wait for it, each for its own", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, client } = await meet(stack);
  for (const size of SIZES) client.sendWhole(nameOf(size), someBytes(size, size));
  for (const size of SIZES.toReversed()) {
    const offer = await offerOf(bob, nameOf(size));
    assertEquals((await bob.client.getTransfer(offer.transferId)).waitingFor, "decision");
    await bob.client.acceptTransfer(offer.transferId, {});
    const received = await transferIn(bob, offer, "completed");
    assertEquals(await Deno.readFile(received.path ?? ""), someBytes(size, size));
  }
  assertEquals(await namesIn(bob.inbox), SIZES.map(nameOf).sort());
});

Deno.test("five small files of a web client back to back all arrive where they are accepted unasked", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, client } = await meet(stack, { acceptFiles: true });
  const names = ["1", "2", "3", "4", "5"];
  for (const name of names) client.sendWhole(name, someBytes(20_000, Number(name)));
  for (const name of names) {
    const received = await transferIn(bob, await offerOf(bob, name), "completed");
    assertEquals(await Deno.readFile(received.path ?? ""), someBytes(20_000, Number(name)));
  }
  assertEquals(await namesIn(bob.inbox), names);
});

Deno.test("that a web client's files are accepted unasked holds for its session only", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, client, again } = await meet(stack, { acceptFiles: true });
  client.sendWhole("first", someBytes(1));
  await transferIn(bob, await offerOf(bob, "first"), "completed");
  assertEquals((await bob.client.getPeer(client.identity)).autoAccept, false);
  const next = await again();
  next.sendWhole("second", someBytes(1));
  const { transferId, state } = await offerOf(bob, "second");
  assertEquals(state, "offered");
  await bob.client.rejectTransfer(transferId);
  assertEquals(await namesIn(bob.inbox), ["first"]);
});

Deno.test("a session that is let in with its files asks no rule", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, client } = await meet(stack, { acceptFiles: true });
  await bob.client.setAutoAccept(client.identity, { enabled: true, maxSize: 1 });
  client.sendWhole("large", someBytes(2));
  await transferIn(bob, await offerOf(bob, "large"), "completed");
  assertEquals(await namesIn(bob.inbox), ["large"]);
});

Deno.test("of a web client's whole file that is declined nothing stays, and it is told", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, client } = await meet(stack);
  const id = client.sendWhole("web.bin", BYTES);
  const offer = await offerOf(bob, "web.bin");
  await bob.client.rejectTransfer(offer.transferId);
  await transferIn(bob, offer, "rejected");
  assertEquals((await client.event("transfer-ended-late")).transferId, id);
  assertEquals(await namesIn(bob.inbox), []);
});

async function whole(bob: LocalDaemon, client: HandDrivenPeer, name: string) {
  client.sendWhole(name, someBytes(100));
  return await offerOf(bob, name);
}

Deno.test("a web client's file that waits whole outlives its session, and is kept when it is accepted", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, client, sessionId } = await meet(stack);
  const offer = await whole(bob, client, "web.bin");
  client.close();
  await bob.event("session-closed", ({ session }) => session.sessionId === sessionId);
  assertEquals((await bob.client.getTransfer(offer.transferId)).state, "offered");
  await bob.client.acceptTransfer(offer.transferId, {});
  await transferIn(bob, offer, "completed");
  assertEquals(await namesIn(bob.inbox), ["web.bin"]);
});

Deno.test("a web client's file that waits whole ends with the session that is closed here, and with the daemon", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, client, sessionId, again } = await meet(stack);
  const first = await whole(bob, client, "first");
  await bob.client.closeSession(sessionId);
  assertEquals((await transferIn(bob, first, "cancelled")).state, "cancelled");
  assertEquals((await client.event("transfer-ended-late")).transferId, first.transferId);
  const next = await again();
  const second = await whole(bob, next, "second");
  bob.interrupt();
  const { failure } = await transferIn(bob, second, "interrupted");
  assertEquals(failure?.code, "DAEMON_STOPPED");
  assertEquals((await next.event("transfer-ended-late")).transferId, second.transferId);
  assertEquals(await bob.ended, "graceful");
});

for (const size of [10, 3 * WEB_CHUNK_BYTES]) {
  Deno.test(`a web client's file of ${size} bytes under the id of one that waits is refused: who accepts gets what was shown`, async () => {
    await using stack = new AsyncDisposableStack();
    const { bob, client, again } = await meet(stack);
    const id = client.sendWhole("shown", someBytes(5));
    const shown = await offerOf(bob, "shown");
    const next = await again();
    next.sendWhole("other", someBytes(size), id);
    assertEquals((await next.event("transfer-ended-late")).transferId, id);
    assertEquals((await bob.client.getTransfer(shown.transferId)).name, "shown");
    await bob.client.acceptTransfer(shown.transferId, {});
    await transferIn(bob, shown, "completed");
    assertEquals(await namesIn(bob.inbox), ["shown"]);
    assertEquals((await whole(bob, next, "another")).state, "offered");
  });
}

Deno.test("files of a web client beyond what may wait are refused, and told to both", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, client } = await meet(stack);
  const { files } = HELD_FILES.ofPeer;
  for (let i = 0; i <= files; i++) client.sendWhole(`file ${i}`, someBytes(10));
  const over = await transferIn(bob, await offerOf(bob, `file ${files}`), "failed");
  assertEquals(over.failure?.code, "LIMIT_EXCEEDED");
  const { transferId } = await client.event("transfer-ended-late");
  assertEquals(transferId, over.transferId);
  // What was there before waits on, and one that is decided makes room for another.
  const first = await offerOf(bob, "file 0");
  await bob.client.acceptTransfer(first.transferId, {});
  await transferIn(bob, first, "completed");
  assertEquals((await whole(bob, client, "another")).state, "offered");
  const waiting = await bob.client.listTransfers({ limit: 100, state: "offered" });
  assertEquals(waiting.transfers.length, files);
});

Deno.test("a pause by the user holds though a web client's file is accepted meanwhile", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, client } = await meet(stack);
  const { id, offer } = await begun(bob, client);
  await client.event("transfer-paused");
  await bob.client.acceptTransfer(offer.transferId, {});
  await bob.client.pauseTransfer(offer.transferId);
  const { waitingFor } = await transferIn(bob, offer, "paused");
  assertEquals(waitingFor, "resume");
  const heard = client.heard.length;
  // The first chunk has been written long before; the peer is not told to go on.
  await bob.client.resumeTransfer(offer.transferId);
  await client.event("transfer-resumed");
  assertEquals(client.heard.length, heard + 1);
  sendRest(client, id);
  await transferIn(bob, offer, "completed");
});

Deno.test("a pause of a web client's own user holds though its file is accepted meanwhile", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, client } = await meet(stack);
  const { id, offer } = await begun(bob, client);
  await client.event("transfer-paused");
  client.act((transfers, now) => transfers.pause(id, now));
  await bob.client.acceptTransfer(offer.transferId, {});
  assertEquals((await transferIn(bob, offer, "paused")).waitingFor, "peer-resume");
  const heard = client.heard.length;
  client.act((transfers, now) => transfers.resume(id, now));
  // This one counts the pauses of both sides apart: only now it hears that ours has ended.
  const ends = [await client.event("transfer-resumed"), await client.event("transfer-resumed")];
  assertEquals(ends.map(({ by }) => by), ["local", "remote"]);
  assertEquals(client.heard.length, heard + 1);
  sendRest(client, id);
  await transferIn(bob, offer, "completed");
});

Deno.test("an empty file for a web client is refused at once, with its reason", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, client } = await meet(stack);
  const folder = stack.use(await TempFolder.make());
  const [empty, full] = [join(folder.path(), "empty"), join(folder.path(), "full")];
  await Deno.writeFile(empty, new Uint8Array());
  await Deno.writeFile(full, BYTES);
  const sending = { paths: [full, empty], identity: client.identity, priority: 0 };
  const error = await assertRejects(() => bob.client.send(sending), ApiError);
  assertEquals(error.code, "LIMIT_EXCEEDED");
  assertStringIncludes(error.message, "a web client can't be sent an empty file");
  assertEquals((await bob.client.listTransfers({ limit: 10 })).transfers, []);
});

/** What ends a session at the daemon, beside its end. */
const ENDS: { readonly [how: string]: (bob: LocalDaemon, client: HandDrivenPeer) => unknown } = {
  "closed": async (bob) => {
    const [session] = await bob.client.listSessions();
    await bob.client.closeSession(session?.sessionId ?? "");
  },
  "denied": (bob, { identity }) => bob.client.trust(identity, { decision: "deny_always" }),
  "untrusted": (bob, { identity }) => bob.client.untrust(identity),
  "stopped": (bob) => bob.interrupt(),
};
const NETWORKS = {
  "in memory": () => new MemoryNetwork(),
  "over WebRTC": () => ({ connector: createConnector(LOOPBACK_ONLY) }),
};

for (const [where, network] of Object.entries(NETWORKS)) {
  for (const [how, end] of Object.entries(ENDS)) {
    Deno.test(`${where}, a web client in the middle of its file hears at once that it is ${how}`, async () => {
      await using stack = new AsyncDisposableStack();
      const server = stack.use(startRendezvousServer());
      const way = network();
      const bob = stack.use(await LocalDaemon.start(way));
      const client = stack.use(await HandDrivenPeer.meetAsWebClient(way, server.url, bob));
      await client.befriend(bob);
      const id = client.offer({ filename: "f", size: BYTES.length, fileHash: sha256(BYTES) });
      client.sendChunk(id, (length) => BYTES.subarray(0, length));
      await offerOf(bob, "f");
      await end(bob, client);
      // By the end of the channel: silence would be CONNECTION_LOST, and take seconds.
      assertEquals(await client.ended, { by: "remote" });
      assertEquals((await client.event("transfer-ended")).outcome, "cancelled");
    });
  }
}
