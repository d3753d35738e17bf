import { assert, assertEquals, assertThrows } from "@std/assert";
import { sha256 } from "../crypto/sha256.ts";
import { toHex } from "../crypto/encoding.ts";
import { MisuseError } from "../errors.ts";
import type { SessionEffect } from "../session/effects.ts";
import type { SessionOptions } from "../session/session.ts";
import { closedWith, RawPeer } from "../testing/raw_peer.ts";
import { zeroedBy } from "../testing/disposals.ts";
import { test } from "../testing/both_encodings.ts";
import type { RatchetFields } from "../messages/frame.ts";
import { RawRatchet } from "../testing/raw_ratchet.ts";
import { seededRandom } from "../testing/seeded_random.ts";
import { deliver, newPair, openPair, settle, type TestPeer } from "../testing/session_pair.ts";
import type { EndedEffect } from "./effects.ts";
import type { TransferId } from "../messages/transfer_id.ts";

const hashOf = (file: Uint8Array): string => toHex(sha256(file));

function fileOf(
  size: number,
): { bytes: Uint8Array; filename: string; size: number; fileHash: string } {
  const bytes = seededRandom(`file ${size}`)(size);
  return { bytes, filename: "a file", size, fileHash: hashOf(bytes) };
}

/** Hands in the next piece of a file. Says whether there was one. */
function pump(peer: TestPeer, id: TransferId, bytes: Uint8Array, now = 0): boolean {
  const next = peer.transfers?.nextChunk(id);
  if (next === undefined) return false;
  const piece = bytes.subarray(next.offset, next.offset + next.length);
  peer.do(peer.transfers?.sendChunk(id, piece, now) ?? []);
  return true;
}

/** What a side has received, as one array. */
function received(peer: TestPeer): Uint8Array {
  const chunks = peer.all("transfer-chunk");
  const bytes = new Uint8Array(chunks.reduce((sum, { data }) => sum + data.length, 0));
  for (const { offset, data } of chunks) bytes.set(data, offset);
  return bytes;
}

/** Sends a file from `a` to `b`, all the way. */
function transfer(
  a: TestPeer,
  b: TestPeer,
  file: ReturnType<typeof fileOf> & { chunkSize?: number },
): void {
  const offered = a.transfers?.offer(file, 0);
  assert(offered !== undefined);
  const { transferId, effects } = offered;
  a.do(effects);
  settle(a, b);
  if (b.all("transfer-offered").at(-1)?.file.implied === false) {
    b.do(b.transfers?.accept(transferId, 0) ?? []);
  }
  settle(a, b);
  while (pump(a, transferId, file.bytes)) settle(a, b);
}

const outcomes = (peer: TestPeer): string[] =>
  peer.all("transfer-ended").map(({ outcome }) => outcome);

const MODES: Record<string, Partial<SessionOptions>> = {
  "ratcheted": {},
  "not ratcheted": { capabilities: ["bolt.file-hash"] },
  "without hashes": { capabilities: [] },
};

for (const [mode, both] of Object.entries(MODES)) {
  test(`files of every awkward size arrive whole, one after the other, ${mode}`, () => {
    const { a, b } = openPair({ both });
    const sizes = [0, 1, 99, 100, 101, 200, 1_000, 999];
    for (const size of sizes) {
      const file = { ...fileOf(size), chunkSize: 100 };
      b.told.length = 0;
      transfer(a, b, file);
      assertEquals(received(b), file.bytes);
      const { outcome, direction } = b.last("transfer-ended");
      assertEquals([outcome, direction], ["completed", "incoming"]);
      const { fileHash } = b.last("transfer-offered").file;
      assertEquals(fileHash?.hex, mode === "without hashes" ? undefined : file.fileHash);
      const chunks = b.all("transfer-chunk");
      assertEquals(chunks.map(({ index }) => index), chunks.map((_, i) => i));
      assertEquals(chunks.map(({ last }) => last), chunks.map((_, i) => i === chunks.length - 1));
    }
    assertEquals(outcomes(a), sizes.map(() => "completed"));
    assert(a.transfers?.idle && b.transfers?.idle);
  });

  test(`files go both ways in one session, ${mode}`, () => {
    const { a, b } = openPair({ both });
    for (const [from, to] of [[a, b], [b, a], [b, a], [a, b]] as const) {
      to.told.length = 0;
      const file = { ...fileOf(250), chunkSize: 100 };
      transfer(from, to, file);
      assertEquals(received(to), file.bytes);
    }
  });

  test(`the default chunk and the largest chunk fit a frame, ${mode}`, () => {
    const { a, b } = openPair({ both });
    const filename = "\u0001".repeat(1_024);
    for (const chunkSize of [16_384, 131_072]) {
      b.told.length = 0;
      const file = { ...fileOf(chunkSize + 1), filename, chunkSize };
      transfer(a, b, file);
      assertEquals(received(b), file.bytes);
    }
  });
}

/** A pair in the middle of a transfer: accepted, one of four chunks delivered. */
function flowing(options: Parameters<typeof openPair>[0] = {}) {
  const { a, b, ta, tb } = openPair(options);
  const file = { ...fileOf(400), chunkSize: 100 };
  const { transferId, effects } = ta.offer(file, 0);
  a.do(effects);
  settle(a, b);
  b.do(tb.accept(transferId, 0));
  settle(a, b);
  pump(a, transferId, file.bytes);
  settle(a, b);
  return { a, b, ta, tb, transferId, file };
}

test("a pause from either side stops the sender, and both must resume", () => {
  const { a, b, ta, tb, transferId, file } = flowing();
  b.do(tb.pause(transferId, 0));
  settle(a, b);
  assertEquals(a.last("transfer-paused").by, "remote");
  assertEquals(ta.nextChunk(transferId), undefined);
  a.do(ta.pause(transferId, 0));
  b.do(tb.resume(transferId, 0));
  settle(a, b);
  assertEquals(ta.nextChunk(transferId), undefined);
  a.do(ta.resume(transferId, 0));
  settle(a, b);
  assertEquals(b.all("transfer-resumed").map(({ by }) => by), ["local", "remote"]);
  assertEquals(ta.nextChunk(transferId)?.index, 1);
  while (pump(a, transferId, file.bytes)) settle(a, b);
  assertEquals(received(b), file.bytes);
});

test("a second pause or resume of the same side is no news", () => {
  const { b, tb, transferId } = flowing();
  b.do(tb.pause(transferId, 0));
  const told = b.told.length;
  assertEquals(tb.pause(transferId, 0), []);
  assertEquals(b.told.length, told);
  assertEquals(tb.resume(transferId, 0).length, 2);
  assertEquals(tb.resume(transferId, 0), []);
});

test("a peer that resumes what we hold is told again that we do, whichever way the file goes", () => {
  const { peer, transfers } = RawPeer.open({ capabilities: [] });
  const pause = (transferId: string) => ({ type: "pause", transferId });
  const resume = (transferId: string) => ({ type: "resume", transferId });
  peer.send(offer());
  transfers.accept(ID, 0);
  transfers.pause(ID, 0);
  // Some take a resume of either side for the end of all pauses.
  for (let i = 0; i < 3; i++) assertEquals(peer.said(peer.send(resume(ID))), [pause(ID)]);
  transfers.resume(ID, 0);
  assertEquals(peer.said(peer.send(resume(ID))), []);
  transfers.cancel(ID, "enough");
  const { transferId } = transfers.offer(fileOf(5), 0);
  peer.send({ type: "file-accept", transferId });
  transfers.pause(transferId, 0);
  assertEquals(peer.said(peer.send(resume(transferId))), [pause(transferId)]);
  assertEquals(transfers.nextChunk(transferId), undefined);
});

test("a file beyond what we can take is refused with LIMIT_EXCEEDED and a reason, which the sender is told, and nothing else ends", () => {
  for (const when of ["offered", "flowing"] as const) {
    const { a, b, ta, tb } = openPair();
    const { transferId, effects } = ta.offer({ ...fileOf(400), chunkSize: 100 }, 0);
    a.do(effects);
    settle(a, b);
    if (when === "flowing") b.do(tb.accept(transferId, 0));
    settle(a, b);
    b.do(tb.failWithReason(transferId, "there is no space"));
    assertEquals(b.last("transfer-ended").error?.code, "LIMIT_EXCEEDED");
    settle(a, b);
    const { outcome, by, error } = a.last("transfer-ended");
    assertEquals([outcome, by, error?.code], ["failed", "remote", "LIMIT_EXCEEDED"]);
    assertEquals(error?.message, "the peer can't take the file: there is no space");
    assert(ta.idle && tb.idle);
    assertEquals([a.session.phase, b.session.phase], ["open", "open"]);
  }
});

test("whether a reason passes is not said where the session can't resume", () => {
  const { a, b, ta, tb } = openPair();
  const { transferId, effects } = ta.offer(fileOf(5), 0);
  a.do(effects);
  settle(a, b);
  b.do(tb.failWithReason(transferId, "there is no space", true));
  settle(a, b);
  assertEquals("resumable" in a.last("transfer-ended"), false);
});

test("of a peer's reason no more is passed on than a line holds", () => {
  const { peer, transfers } = RawPeer.open();
  const { transferId } = transfers.offer(fileOf(5), 0);
  const message = "x".repeat(100_000);
  const [ended] = peer.send({ type: "error", code: "LIMIT_EXCEEDED", message, transferId });
  assert(ended?.type === "transfer-ended");
  assertEquals(ended.message, `the peer can't take the file: ${"x".repeat(200)}`);
});

test("an offer that nobody answers in time ends with that reason", () => {
  const { a, b, ta } = openPair();
  a.do(ta.offer(fileOf(5), 0).effects);
  settle(a, b);
  b.do(b.session.tick(300_000));
  assertEquals(b.last("transfer-ended").reason, "unanswered");
});

test("a cancel from either side ends both, and chunks under way are let pass", () => {
  for (const canceller of ["sender", "receiver"] as const) {
    const { a, b, ta, tb, transferId, file } = flowing();
    pump(a, transferId, file.bytes);
    if (canceller === "sender") a.do(ta.cancel(transferId, "enough"));
    else b.do(tb.cancel(transferId, "enough"));
    settle(a, b);
    assertEquals([outcomes(a), outcomes(b)], [["cancelled"], ["cancelled"]]);
    assertEquals([a.session.phase, b.session.phase], ["open", "open"]);
    b.told.length = 0;
    transfer(a, b, { ...fileOf(300), chunkSize: 100 });
    assertEquals(received(b), fileOf(300).bytes, "the ratchets are in step");
  }
});

test("a receiver that cancels before the first chunk stays in step with a sender that sent it", () => {
  const { a, b, ta, tb } = openPair();
  const file = { ...fileOf(400), chunkSize: 100 };
  const { transferId, effects } = ta.offer(file, 0);
  a.do(effects);
  settle(a, b);
  b.do(tb.accept(transferId, 0));
  assert(deliver(b, a));
  pump(a, transferId, file.bytes);
  b.do(tb.cancel(transferId, "changed my mind"));
  settle(a, b);
  transfer(b, a, { ...fileOf(300), chunkSize: 100 });
  assertEquals(received(a), fileOf(300).bytes);
});

test("an offer that is declined or withdrawn ends in order on both sides", () => {
  for (const side of ["a", "b"] as const) {
    const { a, b, ta, tb } = openPair();
    const { transferId, effects } = ta.offer(fileOf(5), 0);
    a.do(effects);
    settle(a, b);
    if (side === "a") a.do(ta.cancel(transferId, "withdrawn"));
    else b.do(tb.cancel(transferId, "no, thanks"));
    settle(a, b);
    assertEquals([outcomes(a), outcomes(b)], [["cancelled"], ["cancelled"]]);
    assert(ta.idle && tb.idle);
  }
});

test("offers that cross are settled alike: one goes first, the other side's ends", () => {
  const { a, b, ta, tb } = openPair();
  const first = ta.offer(fileOf(10), 0);
  const second = tb.offer(fileOf(11), 0);
  a.do(first.effects);
  b.do(second.effects);
  settle(a, b);
  const [winner, loser, offered] = a.all("transfer-offered").length > 0
    ? [b, a, second]
    : [a, b, first];
  assertEquals(loser.last("transfer-ended").outcome, "cancelled");
  assertEquals(winner.all("transfer-ended").length, 0);
  loser.do(loser.transfers?.accept(offered.transferId, 0) ?? []);
  settle(a, b);
  const { bytes } = offered === first ? fileOf(10) : fileOf(11);
  while (pump(winner, offered.transferId, bytes)) settle(a, b);
  assertEquals(received(loser), bytes);
});

/** Our session has offered `transferId`, and the raw peer's offer has crossed it. */
function crossed() {
  // Raw peers of other seeds have other keys, so that our side is the one that gives way.
  const seed = Array.from({ length: 50 }, (_, i) => `crossing ${i}`).find((seed) => {
    const { ephemeral, victimEphemeral } = new RawPeer({}, seed);
    return victimEphemeral.publicKey.compare(ephemeral.publicKey) < 0;
  });
  const { peer, transfers } = RawPeer.open({ capabilities: ["bolt.file-hash"] }, undefined, seed);
  const { transferId } = transfers.offer(fileOf(5), 0);
  assertEquals(peer.send(offer()).map((effect) => effect.type), ["transfer-offered"]);
  return { peer, transfers, transferId };
}

test("when offers cross, accepting theirs withdraws ours", () => {
  const { peer, transfers, transferId } = crossed();
  const effects = transfers.accept(ID, 0);
  assertEquals(peer.said(effects).map(({ type, transferId }) => [type, transferId]), [
    ["cancel", transferId],
    ["file-accept", ID],
  ]);
  const ended = effects.find((effect) => effect.type === "transfer-ended");
  assertEquals(ended?.reason, "crossed");
  assertEquals(peer.send({ type: "file-accept", transferId }), [], "their late accept passes");
  assertEquals(peer.send(chunk(0)).map((effect) => effect.type), ["transfer-chunk"]);
});

test("when offers cross and the peer takes ours, theirs is declined", () => {
  const { peer, transfers, transferId } = crossed();
  const effects = peer.send({ type: "file-accept", transferId });
  assertEquals(peer.said(effects).map(({ type, transferId }) => [type, transferId]), [
    ["cancel", ID],
  ]);
  assertEquals(effects.at(-1)?.type, "transfer-started");
  assertEquals(transfers.peerGaveWay, true);
  assertEquals(transfers.nextChunk(transferId)?.length, 5);
});

test("when offers cross, the side with the greater ephemeral key declines the other's", () => {
  const { a, b, ta, tb } = openPair();
  a.do(ta.offer(fileOf(10), 0).effects);
  b.do(tb.offer(fileOf(11), 0).effects);
  settle(a, b);
  const [lesser, greater] = b.last("established").peer.ephemeral
      .compare(a.last("established").peer.ephemeral) < 0
    ? [a, b]
    : [b, a];
  assertEquals([outcomes(lesser), outcomes(greater)], [["cancelled"], []]);
  assertEquals([lesser.transfers?.peerGaveWay, greater.transfers?.peerGaveWay], [false, true]);
  const { transferId } = lesser.last("transfer-offered").file;
  lesser.do(lesser.transfers?.cancel(transferId, "declined") ?? []);
  settle(a, b);
  greater.do(greater.transfers?.offer(fileOf(12), 0).effects ?? []);
  assertEquals(greater.transfers?.peerGaveWay, false, "it had its turn");
});

test("an offer before approval is held, told of at approval, and only one is held", () => {
  const peer = new RawPeer();
  peer.session.start(0);
  peer.session.receive(peer.hello(), 0);
  assertEquals(peer.send(offer()), []);
  const second = peer.send(offer({ transferId: "f".repeat(32) }));
  assertEquals(peer.said(second)[0]?.code, "LIMIT_EXCEEDED");
  const { effects } = peer.session.approve(0);
  assertEquals(effects.map((effect) => effect.type), ["transfer-offered"]);
});

test("an offer that was held waits as long for its answer as any other, from approval on", () => {
  const peer = new RawPeer({ timing: { offerMs: 100, stallMs: 7, pingMs: 1e9, lostMs: 1e9 } });
  peer.session.start(0);
  peer.session.receive(peer.hello(), 0);
  peer.send(offer(), 10);
  assertEquals(peer.session.nextDeadline, 110);
  peer.session.approve(50);
  assertEquals(peer.session.nextDeadline, 150);
});

test("an offer that was held and withdrawn before approval is never told of", () => {
  const peer = new RawPeer();
  peer.session.start(0);
  peer.session.receive(peer.hello(), 0);
  peer.send(offer());
  assertEquals(peer.send({ type: "cancel", transferId: ID, cancelledBy: "initiator" }), []);
  assertEquals(peer.session.approve(0).effects, []);
});

const ID = "0123456789abcdef0123456789abcdef" as TransferId;
const CONTENT = seededRandom("content")(250);

function offer(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    type: "file-offer",
    transferId: ID,
    filename: "f",
    size: 250,
    totalChunks: 3,
    chunkSize: 100,
    fileHash: hashOf(CONTENT),
    ...fields,
  };
}

function chunk(index: number, fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    type: "file-chunk",
    transferId: ID,
    filename: "f",
    chunkIndex: index,
    totalChunks: 3,
    chunk: CONTENT.slice(index * 100, index * 100 + 100).toBase64(),
    fileSize: 250,
    ...fields,
  };
}

/** A session without the ratchet that has accepted our offer. */
function accepted(): RawPeer {
  const { peer, transfers } = RawPeer.open({ capabilities: ["bolt.file-hash"] });
  peer.send(offer());
  transfers.accept(ID, 0);
  return peer;
}

test("a raw peer's file arrives, and its finish completes it", () => {
  const peer = accepted();
  for (const index of [0, 1, 2]) {
    const [effect] = peer.send(chunk(index));
    assert(effect?.type === "transfer-chunk");
    assertEquals(effect.data, CONTENT.slice(index * 100, index * 100 + 100));
    assertEquals([effect.offset, effect.last], [index * 100, index === 2]);
  }
  const [ended] = peer.send({ type: "file-finish", transferId: ID });
  assert(ended?.type === "transfer-ended");
  assertEquals(ended.outcome, "completed");
});

test("what breaks a transfer is refused with the registered code and the session ends", (encoding) => {
  type Case = [code: string, messages: Record<string, unknown>[]];
  // A binary chunk says neither.
  const inJson: Case[] = [
    ["PROTOCOL_VIOLATION", [chunk(0, { fileSize: 251 })]],
    ["PROTOCOL_VIOLATION", [chunk(0, { filename: "g" })]],
  ];
  const cases: Case[] = [
    ...(encoding === "json" ? inJson : []),
    ["REPLAY_DETECTED", [chunk(0), chunk(0)]],
    ["REPLAY_DETECTED", [chunk(0), chunk(1), chunk(0)]],
    ["TRANSFER_FAILED", [chunk(1)]],
    ["TRANSFER_FAILED", [chunk(0), chunk(2)]],
    ["TRANSFER_FAILED", [chunk(0), { type: "file-finish", transferId: ID }]],
    ["TRANSFER_FAILED", [{ type: "file-finish", transferId: ID }]],
    ["TRANSFER_FAILED", [chunk(0, { chunk: "AAAA" })]],
    ["TRANSFER_FAILED", [chunk(0, { chunk: new Uint8Array(101).toBase64() })]],
    ["TRANSFER_FAILED", [chunk(0), chunk(1), chunk(2, { chunk: new Uint8Array(51).toBase64() })]],
    ["INVALID_MESSAGE", [chunk(0, { chunkIndex: 3 })]],
    ["INVALID_MESSAGE", [chunk(0, { chunk: "AA" })]],
    ["PROTOCOL_VIOLATION", [chunk(0, { totalChunks: 4 })]],
    ["INVALID_STATE", [chunk(0, { transferId: "f".repeat(32) })]],
    ["REPLAY_DETECTED", [offer()]],
  ];
  for (const [code, messages] of cases) {
    const peer = accepted();
    const effects = messages.flatMap((message) => peer.send(message));
    assertEquals(closedWith(effects), code, JSON.stringify(messages.map((m) => m.chunkIndex)));
    const ended = effects.find((effect) => effect.type === "transfer-ended");
    assert(ended?.type === "transfer-ended");
    assertEquals([ended.outcome, ended.error?.code], ["failed", code]);
    assertEquals(peer.said(effects).at(-1)?.code, code);
  }
});

test("a chunk before acceptance is out of state", () => {
  const { peer } = RawPeer.open({ capabilities: [] });
  peer.send(offer());
  assertEquals(closedWith(peer.send(chunk(0))), "INVALID_STATE");
});

test("ratchet fields in a session without the ratchet are a violation", () => {
  const peer = accepted();
  assertEquals(closedWith(peer.send(chunk(0), 0, { chainIndex: 0 })), "PROTOCOL_VIOLATION");
});

test("bolt.file-hash negotiated: fileHash is required in the offer", () => {
  const { peer } = RawPeer.open();
  const { fileHash: _, ...bare } = offer();
  assertEquals(closedWith(peer.send(bare)), "INVALID_MESSAGE");
  const without = RawPeer.open({ capabilities: [] }).peer;
  assertEquals(without.send(bare).map((effect) => effect.type), ["transfer-offered"]);
});

test("the offer's hash is the one to verify, whatever the finish echoes; another file ends the session with INTEGRITY_FAILED", () => {
  const peer = accepted();
  for (const index of [0, 1, 2]) peer.send(chunk(index));
  const [ended] = peer.send({ type: "file-finish", transferId: ID, fileHash: "0".repeat(64) });
  assert(ended?.type === "transfer-ended");
  assertEquals(ended.outcome, "completed");
  // The program has hashed what it wrote.
  const effects = peer.session.fail("INTEGRITY_FAILED", "it is another file");
  assertEquals([closedWith(effects), peer.said(effects).at(-1)?.code], [
    "INTEGRITY_FAILED",
    "INTEGRITY_FAILED",
  ]);
});

test("Over a limit: LIMIT_EXCEEDED for that transfer, and the session goes on", () => {
  const GiB = 2 ** 30;
  const big = (size: number, chunkSize: number) =>
    offer({ size, chunkSize, totalChunks: Math.ceil(size / chunkSize) });
  const within = [big(10 * GiB, 16_384), big(131_072, 131_072), big(655_360, 1)];
  const beyond = [big(10 * GiB + 1, 32_768), big(131_073, 131_073), big(655_361, 1)];
  for (const message of within) {
    const { peer } = RawPeer.open();
    assertEquals(peer.send(message).map((effect) => effect.type), ["transfer-offered"]);
  }
  for (const message of beyond) {
    const { peer } = RawPeer.open();
    const effects = peer.send(message);
    const [said, ...rest] = peer.said(effects);
    assertEquals([said?.type, said?.code, said?.transferId], ["error", "LIMIT_EXCEEDED", ID]);
    // The program never knew of it, and is told all the same: its operator is to know.
    assertEquals(effects.map((effect) => effect.type), ["send", "transfer-refused"]);
    assertEquals([rest, peer.session.phase], [[], "open"]);
    const next = peer.send(offer({ transferId: "f".repeat(32) }));
    assertEquals(next.map((effect) => effect.type), ["transfer-offered"]);
  }
});

test("one transfer at a time, one pending offer: the next is over the limit", () => {
  const peer = accepted();
  const effects = peer.send(offer({ transferId: "f".repeat(32) }));
  assertEquals(peer.said(effects)[0]?.code, "LIMIT_EXCEEDED");
  assertEquals(peer.send(chunk(0)).map((effect) => effect.type), ["transfer-chunk"]);
});

test("the peer's LIMIT_EXCEEDED ends the transfer that it names, not the session", () => {
  const { peer, transfers } = RawPeer.open();
  const { transferId } = transfers.offer(fileOf(5), 0);
  const error = { type: "error", code: "LIMIT_EXCEEDED", message: "too big", transferId };
  const [ended, ...rest] = peer.send(error);
  assert(ended?.type === "transfer-ended");
  assertEquals([ended.outcome, ended.by, ended.error?.code], [
    "failed",
    "remote",
    "LIMIT_EXCEEDED",
  ]);
  assertEquals([rest, transfers.idle, peer.send(error)], [[], true, []]);
  const { transferId: _, ...unnamed } = error;
  assertEquals(closedWith(peer.send(unnamed)), "LIMIT_EXCEEDED");
});

test("messages that cross the end of their transfer are let pass", () => {
  const { peer, transfers } = RawPeer.open({ capabilities: [] });
  peer.send(offer());
  transfers.accept(ID, 0);
  transfers.cancel(ID, "enough");
  const late = [
    chunk(0),
    chunk(1),
    { type: "pause", transferId: ID },
    { type: "resume", transferId: ID },
    { type: "file-finish", transferId: ID },
    { type: "cancel", transferId: ID, cancelledBy: "initiator" },
  ];
  for (const message of late) assertEquals(peer.send(message), []);
  assertEquals(peer.session.phase, "open");
});

test("a cancel or an error that crossed our last chunk is told of; for another end it is not", () => {
  for (const capabilities of [[], undefined]) {
    const { peer, transfers } = RawPeer.open(capabilities === undefined ? {} : { capabilities });
    const file = fileOf(1);
    const { transferId } = transfers.offer(file, 0);
    peer.send({ type: "file-accept", transferId });
    const cancel = { type: "cancel", transferId, cancelledBy: "responder" };
    transfers.sendChunk(transferId, file.bytes, 0);
    assertEquals(peer.send(cancel), [{ type: "transfer-ended-late", transferId }]);
    const error = { type: "error", code: "LIMIT_EXCEEDED", message: "", transferId };
    const [late, ...rest] = peer.send(error);
    assert(late?.type === "transfer-ended-late");
    assertEquals([late.error?.code, rest, peer.session.phase], ["LIMIT_EXCEEDED", [], "open"]);
    const { transferId: withdrawn } = transfers.offer(fileOf(1), 0);
    transfers.cancel(withdrawn, "enough");
    assertEquals(peer.send({ ...cancel, transferId: withdrawn }), []);
  }
});

test("a file that came whole and can't be kept is taken back with a cancel, one that was sent is not", () => {
  const { peer, transfers } = RawPeer.open({ capabilities: [] });
  peer.send(offer({ size: 0, totalChunks: 0 }));
  transfers.accept(ID, 0);
  assertEquals(peer.send({ type: "file-finish", transferId: ID }).at(-1)?.type, "transfer-ended");
  const cancel = { type: "cancel", transferId: ID, cancelledBy: "responder" };
  assertEquals(peer.said(transfers.fail(ID, "the disk is full")), [cancel]);
  const { transferId } = transfers.offer(fileOf(0), 0);
  peer.send({ type: "file-accept", transferId });
  assertEquals(transfers.fail(transferId, "too late"), []);
});

test("ended transfers are remembered within a bound", () => {
  const { peer } = RawPeer.open({ capabilities: [] });
  const ids = Array.from({ length: 100 }, (_, i) => i.toString(16).padStart(32, "0"));
  const cancel = (transferId: string | undefined) => ({
    type: "cancel",
    transferId,
    cancelledBy: "initiator",
  });
  for (const transferId of ids) {
    peer.send(offer({ transferId }));
    peer.send(cancel(transferId));
  }
  assertEquals(peer.send(cancel(ids.at(-64))), []);
  assertEquals(closedWith(peer.send(cancel(ids.at(-65)))), "INVALID_STATE");
});

test("every wait of a transfer has a deadline, and its end is told to the peer", () => {
  const timing = { offerMs: 100, stallMs: 50, pauseMs: 1_000, pingMs: 1e9, lostMs: 1e9 };
  const lastEnd = (effects: readonly SessionEffect[]): EndedEffect => {
    const ended = effects.find((effect) => effect.type === "transfer-ended");
    assert(ended?.type === "transfer-ended");
    return ended;
  };
  const { a, b, ta, tb } = openPair({ both: { timing } });
  const { transferId, effects } = ta.offer(fileOf(300), 0);
  a.do(effects);
  assertEquals(a.session.nextDeadline, 100);
  assertEquals(a.session.tick(99), []);
  settle(a, b);
  assertEquals(lastEnd(a.session.tick(100)).outcome, "cancelled");
  assertEquals(lastEnd(b.session.tick(100)).outcome, "cancelled");
  assert(ta.idle && tb.idle && transferId.length === 32);

  const receiving = flowing({ both: { timing } });
  assertEquals(receiving.b.session.nextDeadline, 50);
  receiving.b.do(receiving.tb.pause(receiving.transferId, 10));
  settle(receiving.a, receiving.b, 10);
  assertEquals(receiving.b.session.nextDeadline, 1_010);
  receiving.b.do(receiving.tb.resume(receiving.transferId, 20));
  settle(receiving.a, receiving.b, 20);
  assertEquals(receiving.b.session.nextDeadline, 70);
  const stalled = lastEnd(receiving.b.session.tick(70));
  assertEquals([stalled.outcome, stalled.error?.code], ["failed", "TRANSFER_FAILED"]);
});

test("a finish that never comes runs into the deadline", () => {
  const peer = accepted();
  for (const index of [0, 1, 2]) peer.send(chunk(index), 1_000);
  const effects = peer.session.tick(61_000);
  assert(effects.some((e) => e.type === "transfer-ended" && e.outcome === "failed"));
  assertEquals(peer.said(effects)[0]?.type, "cancel");
});

test("a failure on our side is a cancel for the peer and TRANSFER_FAILED here", () => {
  const { a, b, tb, transferId } = flowing();
  b.do(tb.fail(transferId, "the disk is full"));
  settle(a, b);
  assertEquals(b.last("transfer-ended").error?.code, "TRANSFER_FAILED");
  assertEquals([outcomes(a), outcomes(b)], [["cancelled"], ["failed"]]);
});

test("Drain active transfers: closing a session cancels what flows and tells the peer", () => {
  const { a, b } = flowing();
  a.do(a.session.close("shutting down"));
  settle(a, b);
  assertEquals(a.told.slice(-2).map(({ type }) => type), ["transfer-ended", "closed"]);
  assertEquals(outcomes(b), ["cancelled"]);
});

test("a lost connection fails what flows with CONNECTION_LOST, which is never sent", () => {
  const { a } = flowing();
  a.outbox.length = 0;
  a.do(a.session.disconnected("the path is gone"));
  assertEquals(a.last("transfer-ended").error?.code, "CONNECTION_LOST");
  assertEquals(a.outbox, []);
});

test("moves that the transfer does not allow are our own misuse and send nothing", () => {
  const { ta, tb, b, a, transferId } = flowing();
  const unknown = "e".repeat(32) as TransferId;
  assertThrows(() => ta.offer(fileOf(1), 0), MisuseError);
  assertThrows(() => tb.offer(fileOf(1), 0), MisuseError);
  assertThrows(() => tb.accept(transferId, 0), MisuseError);
  assertThrows(() => ta.sendChunk(transferId, new Uint8Array(99), 0), MisuseError);
  for (const act of ["accept", "pause", "resume"] as const) {
    assertThrows(() => tb[act](unknown, 0), MisuseError);
  }
  assertThrows(() => tb.cancel(unknown, ""), MisuseError);
  assertEquals([a.outbox, b.outbox], [[], []]);
});

test("a file that can't be offered is our own misuse", () => {
  const { ta } = openPair();
  const good = fileOf(5);
  for (
    const bad of [
      { ...good, filename: "" },
      { ...good, filename: "x".repeat(1_025) },
      { ...good, size: -1 },
      { ...good, size: 1.5 },
      { ...good, size: 11 * 2 ** 30 },
      { ...good, chunkSize: 0 },
      { ...good, chunkSize: 131_073 },
      { ...good, fileHash: "abc" },
      { filename: "x", size: 5 },
    ]
  ) assertThrows(() => ta.offer(bad, 0), MisuseError);
  assert(ta.idle);
});

test("the ratchet's errors: order and seal cancel the transfer, the rest ends the session", () => {
  const otherKey = new Uint8Array(32).fill(9).toBase64();
  const cases: [code: string, ends: boolean, tamper: (fields: RatchetFields) => unknown][] = [
    ["RATCHET_CHAIN_ERROR", false, () => ({ chainIndex: 1 })],
    ["RATCHET_DECRYPT_FAIL", false, (fields) => ({ ...fields, publicKey: otherKey })],
    ["RATCHET_STATE_ERROR", true, (fields) => ({ ...fields, generation: 2 })],
    ["RATCHET_STATE_ERROR", true, ({ chainIndex }) => ({ chainIndex })],
    ["RATCHET_DOWNGRADE_REJECTED", true, () => undefined],
  ];
  for (const [code, ends, tamper] of cases) {
    const { peer, transfers } = RawPeer.open();
    const { ephemeral, victimEphemeral: { publicKey: victim }, random } = peer;
    const ratchet = new RawRatchet({ ephemeral, victim, random });
    peer.send(offer());
    transfers.accept(ID, 0);
    const sealed = ratchet.chunk(ID, 0, CONTENT.slice(0, 100));
    const fields = tamper(sealed.fields) as RatchetFields | undefined;
    const effects = peer.send(chunk(0, { chunk: sealed.chunk }), 0, fields);
    const ended = effects.find((effect) => effect.type === "transfer-ended");
    assert(ended?.type === "transfer-ended");
    assertEquals(ended.error?.code, code);
    assertEquals(peer.session.phase, ends ? "closed" : "open", code);
  }
});

/** A web client: no offers, accepts or finishes; chunks are sealed boxes. */
function webPair(capabilities: SessionOptions["capabilities"] & object) {
  return openPair({ both: { capabilities, peerKind: "web" } });
}

test("with web clients a file goes without offer, accept and finish", () => {
  const { a, b } = webPair(["bolt.file-hash"]);
  for (const size of [1, 16_384, 40_000]) {
    b.told.length = 0;
    transfer(a, b, fileOf(size));
    assertEquals(received(b), fileOf(size).bytes);
    assert(b.last("transfer-offered").file.implied);
    assertEquals(b.last("transfer-offered").file.fileHash?.hex, fileOf(size).fileHash);
  }
  assertEquals(outcomes(a), ["completed", "completed", "completed"]);
});

test("chunks without an offer are refused unless the session was opened as a web one", () => {
  for (const peerKind of ["daemon", "web"] as const) {
    const { peer } = RawPeer.open({ capabilities: [], peerKind });
    const chunk = {
      type: "file-chunk",
      transferId: ID,
      filename: "f",
      chunkIndex: 0,
      totalChunks: 2,
      chunk: peer.seal(new Uint8Array(16_384)),
      fileSize: 20_000,
    };
    const effects = peer.send(chunk);
    if (peerKind === "daemon") assertEquals(closedWith(effects), "INVALID_STATE");
    else {
      const types = effects.map((effect) => effect.type);
      assertEquals(types, ["transfer-offered", "transfer-started", "transfer-chunk"]);
      assertEquals(
        closedWith(peer.send({ ...chunk, chunkIndex: 1, chunk: "AAAA" })),
        "ENCRYPTION_FAILED",
      );
    }
  }
});

test("a web client's chunk before approval is cancelled", () => {
  const { a, b } = newPair({ both: { peerKind: "web" } });
  a.do(a.session.start(0));
  b.do(b.session.start(0));
  settle(a, b);
  const ta = a.approve();
  const file = fileOf(40_000);
  const { transferId, effects } = ta.offer(file, 0);
  a.do(effects);
  pump(a, transferId, file.bytes);
  settle(a, b);
  assertEquals([outcomes(a), b.all("transfer-offered")], [["cancelled"], []]);
  b.approve();
  transfer(a, b, file);
  assertEquals(received(b), file.bytes);
});

test("to a web client an over-limit file is a cancel, since it takes any error as the end", () => {
  const { peer } = RawPeer.open({
    capabilities: [],
    peerKind: "web",
    limits: { maxFileBytes: 10 },
  });
  const effects = peer.send(chunk(0));
  assertEquals(peer.said(effects), [{ type: "cancel", transferId: ID, cancelledBy: "receiver" }]);
  assertEquals(peer.session.phase, "open");
});

test("Key material is zeroed when spent: at a transfer's end its chain, at a session's all", () => {
  const { a, b, tb, transferId } = flowing();
  assertEquals(zeroedBy(() => b.do(tb.cancel(transferId, "enough"))), ["chain"]);
  assertEquals(zeroedBy(() => settle(a, b)), ["chain"]);
  const all = ["box", "ephemeral", "session-root"];
  for (const peer of [a, b]) assertEquals(zeroedBy(() => peer.session.close()).sort(), all);
});
