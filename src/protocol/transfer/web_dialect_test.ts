/** What is said otherwise with a web client than with a daemon, and why it must be. */
import { assert, assertEquals } from "@std/assert";
import { parseTransferId, type TransferId } from "../messages/transfer_id.ts";
import type { SessionEffect } from "../session/effects.ts";
import { ALL_CAPABILITIES, RawPeer } from "../testing/raw_peer.ts";
import { RECENT_IDS } from "./recent_ids.ts";

/** A chunk of a web client's file of so many chunks of 10 bytes, the last of them shorter. */
function webChunk(peer: RawPeer, transferId: string, chunkIndex: number, total: number, size = 5) {
  const isLast = chunkIndex === total - 1;
  const fileSize = (total - 1) * 10 + size;
  return {
    type: "file-chunk",
    transferId,
    filename: `file ${transferId.slice(0, 2)}`,
    chunkIndex,
    totalChunks: total,
    chunk: peer.seal(new Uint8Array(isLast ? size : 10)),
    fileSize,
  };
}

/** A web client by hand, let in. */
const webClient = () => RawPeer.open({ peerKind: "web", capabilities: [] });
const [FIRST, SECOND] = ["a1".repeat(16), "b2".repeat(16)] as const;
const cancelOf = (transferId: string) => ({ type: "cancel", transferId, cancelledBy: "receiver" });

function parsedId(id: string): TransferId {
  const parsed = parseTransferId(id);
  assert(parsed !== undefined);
  return parsed;
}

function offeredBy(effects: readonly SessionEffect[]) {
  const offered = effects.find((effect) => effect.type === "transfer-offered");
  assert(offered?.type === "transfer-offered");
  return offered.file;
}

Deno.test("a web client is not offered the ratchet, and sends sealed boxes though it has it", () => {
  const peer = new RawPeer({ peerKind: "web" });
  const [hello] = peer.said(peer.session.start(0));
  assertEquals(hello?.capabilities, ["bolt.profile-envelope-v1", "bolt.file-hash"]);
  peer.session.receive(peer.hello({ capabilities: ALL_CAPABILITIES }), 0);
  assertEquals(peer.session.peer?.btr, "DOWNGRADE");
  peer.session.approve(0);
  const effects = peer.send(webChunk(peer, FIRST, 0, 1));
  const types = effects.map((effect) => effect.type);
  assertEquals(types, ["transfer-offered", "transfer-started", "transfer-chunk", "transfer-ended"]);
});

Deno.test("a web client's file is taken while one of ours flows to it", () => {
  const { peer, transfers } = webClient();
  const { transferId } = transfers.offer({ filename: "ours", size: 40_000 }, 0);
  const types = peer.send(webChunk(peer, FIRST, 0, 1)).map((effect) => effect.type);
  assertEquals(types, ["transfer-offered", "transfer-started", "transfer-chunk", "transfer-ended"]);
  assertEquals(transfers.nextChunk(transferId)?.index, 0);
});

Deno.test("what a web client's file that came whole is cancelled for is said, however long ago it came", () => {
  const { peer, transfers } = webClient();
  peer.send(webChunk(peer, FIRST, 0, 1));
  for (let i = 0; i < 100; i++) {
    peer.send(webChunk(peer, i.toString(16).padStart(32, "0"), 0, 1));
  }
  const { transferId } = offeredBy(peer.send(webChunk(peer, SECOND, 0, 1)));
  assertEquals(peer.said(transfers.takeBack(transferId)), [cancelOf(SECOND)]);
  assertEquals(peer.said(transfers.takeBack(parsedId(FIRST))), [cancelOf(FIRST)]);
});

/** A web client takes any cancel for the end of what it sends, whatever it is about. */
Deno.test("a cancel waits while a web client sends another file, and goes when that has ended", () => {
  const { peer, transfers } = webClient();
  peer.send(webChunk(peer, FIRST, 0, 1));
  peer.send(webChunk(peer, SECOND, 0, 3));
  assertEquals(peer.said(transfers.takeBack(parsedId(FIRST))), []);
  assertEquals(peer.said(peer.send(webChunk(peer, SECOND, 1, 3))), []);
  assertEquals(peer.said(peer.send(webChunk(peer, SECOND, 2, 3))), [cancelOf(FIRST)]);
  // A file that is under way itself is cancelled at once, and the session's end waits for nothing.
  const third = "c3".repeat(16);
  const { transferId } = offeredBy(peer.send(webChunk(peer, third, 0, 3)));
  transfers.takeBack(parsedId(SECOND));
  assertEquals(peer.said(transfers.cancel(transferId, "no")), [cancelOf(third), cancelOf(SECOND)]);
  peer.send(webChunk(peer, "d4".repeat(16), 0, 3));
  transfers.takeBack(parsedId(SECOND));
  const last = peer.said(peer.session.close());
  assertEquals(last, [cancelOf("d4".repeat(16)), cancelOf(SECOND)]);
});

Deno.test("cancels that wait are bounded, and a web client that sends two files at once gets its own", () => {
  const { peer, transfers } = webClient();
  peer.send(webChunk(peer, FIRST, 0, 3));
  assertEquals(peer.said(peer.send(webChunk(peer, SECOND, 0, 3))), [cancelOf(SECOND)]);
  let said = 0;
  for (let i = 0; i < 100; i++) said += peer.said(transfers.takeBack(parsedId(SECOND))).length;
  assertEquals(said, 100 - RECENT_IDS);
});

Deno.test("a web client's pause of its own is not ended by the end of ours", () => {
  const { peer, transfers } = webClient();
  const { transferId } = offeredBy(peer.send(webChunk(peer, FIRST, 0, 3)));
  const words = (effects: readonly SessionEffect[]) => peer.said(effects).map(({ type }) => type);
  assertEquals(words(transfers.pause(transferId, 0)), ["pause"]);
  peer.send({ type: "pause", transferId: FIRST });
  assertEquals(words(transfers.resume(transferId, 0)), []);
  // One that counts the two apart is told ours when its own has ended.
  assertEquals(words(peer.send({ type: "resume", transferId: FIRST })), ["resume"]);
  assertEquals(words(peer.send({ type: "resume", transferId: FIRST })), []);
  peer.send({ type: "pause", transferId: FIRST });
  assertEquals(words(transfers.pause(transferId, 0)), ["pause"]);
  // One that counts them as one ends ours too: it is told it again.
  assertEquals(words(peer.send({ type: "resume", transferId: FIRST })), ["pause"]);
  assertEquals(words(transfers.resume(transferId, 0)), ["resume"]);
});

Deno.test("a pause that a web client's last chunk crosses is ended: it would hold its next file", () => {
  const { peer, transfers } = webClient();
  const { transferId } = offeredBy(peer.send(webChunk(peer, FIRST, 0, 2)));
  transfers.pause(transferId, 0);
  assertEquals(peer.said(peer.send(webChunk(peer, FIRST, 1, 2))), [
    { type: "resume", transferId: FIRST },
  ]);
});

Deno.test("a pause of what we send is not told to a web client that sends: it would hold that", () => {
  const { peer, transfers } = webClient();
  const { transferId } = transfers.offer({ filename: "ours", size: 40_000 }, 0);
  peer.send(webChunk(peer, FIRST, 0, 2));
  assertEquals(peer.said(transfers.pause(transferId, 0)), []);
  assertEquals(transfers.nextChunk(transferId), undefined);
  assertEquals(peer.said(transfers.resume(transferId, 0)), []);
  peer.send(webChunk(peer, FIRST, 1, 2));
  assertEquals(peer.said(transfers.pause(transferId, 0)), [{ type: "pause", transferId }]);
});
