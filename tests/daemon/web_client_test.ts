/**
 * Sessions with a web client: no hello and ack, no offers of files, no pings.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { LocalDaemon } from "../support/daemon.ts";
import { HandDrivenPeer } from "../support/hand_driven_peer.ts";
import { join } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { namesIn, offerOf, sha256, someBytes, transferIn } from "../support/transfers.ts";

/** A daemon and a web client that it has let in. */
async function meet(stack: AsyncDisposableStack) {
  const network = new MemoryNetwork();
  const server = stack.use(startRendezvousServer());
  const bob = stack.use(await LocalDaemon.start(network));
  const client = stack.use(await HandDrivenPeer.meetAsWebClient(network, server.url, bob));
  await client.befriend(bob);
  return { bob, client };
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

Deno.test("a web client's file that is declined is cancelled, and nothing of it is kept", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, client } = await meet(stack);
  const id = client.offer({ filename: "web.bin", size: BYTES.length, fileHash: sha256(BYTES) });
  client.sendChunk(id, (length) => BYTES.subarray(0, length));
  const offer = await offerOf(bob, "web.bin");
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
