/**
 * What a hostile peer can say, and what a daemon has to answer.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { WireFrame } from "../../../src/protocol/messages/envelope.ts";
import type { RatchetFields } from "../../../src/protocol/messages/frame.ts";
import type { HostilePeer, Said } from "./hostile_peer.ts";

/** One violation of the protocol. */
export interface Violation {
  /** What it is, as words. */
  readonly what: string;
  /** Before the HELLO, or after it; with the ratchet negotiated. */
  readonly when: "before" | "after" | "ratchet";
  /** What the daemon must say of it. */
  readonly code: string;
  /** Whether the session lives on. */
  readonly survives?: boolean;
  /** The only encoding in which it can be committed. @default {either} */
  readonly only?: "json" | "binary";
  /** Commits it. */
  readonly commit: (peer: HostilePeer) => Promise<void>;
}

const FILE = new Uint8Array(40_000).map((_, i) => i * 7);
const CHUNK = 16_384;
const FILE_HASH = createHash("sha256").update(FILE).digest("hex");

const freshId = () => crypto.getRandomValues(new Uint8Array(16)).toHex();

/** An offer of the file, with fields replaced. */
function offer(transferId: string, fields: Said = {}): Said {
  return {
    type: "file-offer",
    transferId,
    filename: "attack.bin",
    size: FILE.length,
    totalChunks: 3,
    chunkSize: CHUNK,
    fileHash: FILE_HASH,
    ...fields,
  };
}

/** A chunk of the file, with fields replaced. */
function chunk(transferId: string, index: number, fields: Said = {}): Said {
  const bytes = FILE.subarray(index * CHUNK, (index + 1) * CHUNK);
  return {
    type: "file-chunk",
    transferId,
    filename: "attack.bin",
    chunkIndex: index,
    totalChunks: 3,
    chunk: bytes.toBase64(),
    fileSize: FILE.length,
    ...fields,
  };
}

async function say(peer: HostilePeer, ...inners: readonly unknown[]): Promise<void> {
  for (const inner of inners) await peer.say(peer.envelope(inner));
}

/** Offers the file and waits until it is accepted. */
async function accepted(peer: HostilePeer, fields: Said = {}): Promise<string> {
  const id = freshId();
  await say(peer, offer(id, fields));
  await peer.hearOf("file-accept");
  return id;
}

/** Says a frame. */
const frame = (
  when: Violation["when"],
  what: string,
  code: string,
  make: (peer: HostilePeer) => WireFrame,
): Violation => ({ what, when, code, commit: (peer) => peer.say(make(peer)) });

const inJson = (violation: Violation): Violation => ({ ...violation, only: "json" });
const inBinary = (violation: Violation): Violation => ({ ...violation, only: "binary" });

/** Says what is sealed. */
const inner = (what: string, code: string, message: unknown, survives = false): Violation => ({
  what,
  when: "after",
  code,
  survives,
  commit: (peer) => say(peer, message),
});

/** Makes a bad offer. */
const badOffer = (what: string, code: string, fields: Said, survives = false): Violation =>
  inner(`an offer with ${what}`, code, offer(freshId(), fields), survives);

/** A violation within a transfer that the daemon has accepted. */
const inTransfer = (
  what: string,
  code: string,
  messages: (id: string) => readonly unknown[],
  fields: Said = {},
): Violation => ({
  what,
  when: "after",
  code,
  commit: async (peer) => {
    const id = await accepted(peer, fields);
    await say(peer, ...messages(id));
  },
});

/** A violation in the ratchet's part of a chunk. */
const ratcheted = (
  what: string,
  code: string,
  survives: boolean,
  commit: (peer: HostilePeer, id: string) => Promise<void>,
): Violation => ({
  what,
  when: "ratchet",
  code,
  survives,
  commit: async (peer) => await commit(peer, await accepted(peer)),
});

/** A chunk in its ratchet, with the envelope's fields replaced. */
async function sayRatcheted(
  peer: HostilePeer,
  id: string,
  index: number,
  change: (fields: RatchetFields) => RatchetFields = (fields) => fields,
  ahead = 0,
): Promise<void> {
  const bytes = FILE.subarray(index * CHUNK, (index + 1) * CHUNK);
  const { chunk: sealed, fields } = peer.ratchet.chunk(id, index, bytes, ahead);
  await peer.say(peer.envelope(chunk(id, index, { chunk: sealed }), change(fields)));
}

const BEFORE: readonly Violation[] = [
  frame("before", "an envelope", "INVALID_STATE", (p) => p.envelope({ type: "ping", ts_ms: 1 })),
  frame("before", "a plain ping", "INVALID_STATE", () => '{"type":"ping","ts_ms":1}'),
  frame("before", "no JSON", "HELLO_PARSE_ERROR", () => "hello"),
  frame("before", "binary noise", "HELLO_PARSE_ERROR", () => new Uint8Array([0xff, 0xfe, 0])),
  frame(
    "before",
    "a HELLO of noise",
    "HELLO_DECRYPT_FAIL",
    () => JSON.stringify({ type: "hello", payload: new Uint8Array(64).toBase64() }),
  ),
  frame(
    "before",
    "a HELLO of no JSON",
    "HELLO_PARSE_ERROR",
    (p) => JSON.stringify({ type: "hello", payload: p.seal(new Uint8Array([0xff])) }),
  ),
  frame("before", "version 2", "VERSION_MISMATCH", (p) => p.hello({ version: 2 })),
  frame("before", "version -1", "HELLO_SCHEMA_ERROR", (p) => p.hello({ version: -1 })),
  frame("before", "a short key", "HELLO_SCHEMA_ERROR", (p) => p.hello({ identityPublicKey: "AA" })),
  frame(
    "before",
    "33 capabilities",
    "PROTOCOL_VIOLATION",
    (p) => p.hello({ capabilities: Array(33).fill("bolt.profile-envelope-v1") }),
  ),
  frame(
    "before",
    "a capability of 65 bytes",
    "PROTOCOL_VIOLATION",
    (p) => p.hello({ capabilities: ["bolt.profile-envelope-v1", "x".repeat(65)] }),
  ),
  frame("before", "no envelopes", "PROTOCOL_VIOLATION", (p) => p.hello({ capabilities: [] })),
];

const FORGED = '{"type":"profile-envelope","version":1,"encoding":"base64","payload":"AAAA"}';

const FRAMES: readonly Violation[] = [
  frame("after", "a second HELLO", "DUPLICATE_HELLO", (p) => p.hello()),
  frame("after", "plaintext", "ENVELOPE_REQUIRED", () => '{"type":"ping","ts_ms":1}'),
  frame(
    "after",
    "an envelope of version 2",
    "ENVELOPE_INVALID",
    () => '{"type":"profile-envelope","version":2,"encoding":"base64","payload":"AAAA"}',
  ),
  frame(
    "after",
    "an envelope in hex",
    "ENVELOPE_INVALID",
    () => '{"type":"profile-envelope","version":1,"encoding":"hex","payload":"AAAA"}',
  ),
  inJson(frame("after", "a forged envelope", "ENVELOPE_DECRYPT_FAIL", () => FORGED)),
  inBinary(frame("after", "a published envelope", "ENVELOPE_INVALID", () => FORGED)),
  inBinary(frame(
    "after",
    "a forged binary envelope",
    "ENVELOPE_DECRYPT_FAIL",
    () => new Uint8Array(99).fill(1),
  )),
  inBinary(frame("after", "41 zeroes", "ENVELOPE_INVALID", () => new Uint8Array(41))),
  inBinary(frame("after", "a lone first byte", "ENVELOPE_INVALID", () => new Uint8Array([1]))),
  inBinary(frame(
    "after",
    "a kind that is unknown",
    "INVALID_MESSAGE",
    (p) => p.binaryEnvelope(new Uint8Array([2])),
  )),
  inBinary(frame(
    "after",
    "a chunk cut short",
    "INVALID_MESSAGE",
    (p) => p.binaryEnvelope(new Uint8Array([1, 2, 3])),
  )),
  frame("after", "a frame of 256 KiB", "ENVELOPE_INVALID", () => "x".repeat(262_144)),
  inner("an unknown type", "UNKNOWN_MESSAGE_TYPE", { type: "exec" }),
  inner("no JSON in an envelope", "INVALID_MESSAGE", "ping"),
  inner("a list in an envelope", "INVALID_MESSAGE", [[]]),
  inner("a ping at -1", "INVALID_MESSAGE", { type: "ping", ts_ms: -1 }),
  inner("a ping at 2^53", "INVALID_MESSAGE", { type: "ping", ts_ms: 2 ** 53 }),
  inner("an unregistered error", "PROTOCOL_VIOLATION", { type: "error", code: "X", message: "" }),
];

const OFFERS: readonly Violation[] = [
  badOffer("size -1", "INVALID_MESSAGE", { size: -1 }),
  badOffer("size 0.5", "INVALID_MESSAGE", { size: 0.5 }),
  badOffer("size 2^53", "INVALID_MESSAGE", { size: 2 ** 53 }),
  badOffer("size as text", "INVALID_MESSAGE", { size: "40000" }),
  badOffer("chunks of 0 bytes", "INVALID_MESSAGE", { chunkSize: 0 }),
  badOffer("a chunk too many", "INVALID_MESSAGE", { totalChunks: 4 }),
  badOffer("no id", "INVALID_MESSAGE", { transferId: undefined }),
  badOffer("an id that is a path", "INVALID_MESSAGE", {
    transferId: "../../../../../../etc/passwd00",
  }),
  badOffer("a name of 1025 bytes", "INVALID_MESSAGE", { filename: "n".repeat(1025) }),
  badOffer("an empty name", "INVALID_MESSAGE", { filename: "" }),
  badOffer("no hash", "INVALID_MESSAGE", { fileHash: undefined }),
  badOffer("a hash of 63 digits", "INVALID_MESSAGE", { fileHash: FILE_HASH.slice(1) }),
  badOffer("11 GiB", "LIMIT_EXCEEDED", {
    size: 11 * 2 ** 30,
    totalChunks: 11 * 2 ** 30 / CHUNK,
  }, true),
  badOffer("chunks of 200 KiB", "LIMIT_EXCEEDED", { chunkSize: 200 * 1024, totalChunks: 1 }, true),
  badOffer("a million chunks of a byte", "LIMIT_EXCEEDED", {
    size: 2_000_000,
    chunkSize: 1,
    totalChunks: 2_000_000,
  }, true),
];

const TRANSFERS: readonly Violation[] = [
  inner("a chunk of nothing", "INVALID_STATE", chunk(freshId(), 0)),
  inner("a finish of nothing", "INVALID_STATE", { type: "file-finish", transferId: freshId() }),
  inner("an accept of nothing", "INVALID_STATE", { type: "file-accept", transferId: freshId() }),
  inner("a pause of nothing", "INVALID_STATE", { type: "pause", transferId: freshId() }),
  inTransfer("chunk 1 before chunk 0", "TRANSFER_FAILED", (id) => [chunk(id, 1)]),
  inTransfer("a chunk left out", "TRANSFER_FAILED", (id) => [chunk(id, 0), chunk(id, 2)]),
  inTransfer("a chunk twice", "REPLAY_DETECTED", (id) => [chunk(id, 0), chunk(id, 0)]),
  inTransfer("chunk -1", "INVALID_MESSAGE", (id) => [chunk(id, 0, { chunkIndex: -1 })]),
  inTransfer("chunk 3 of 3", "INVALID_MESSAGE", (id) => [chunk(id, 0, { chunkIndex: 3 })]),
  inTransfer("a short chunk", "TRANSFER_FAILED", (id) => [chunk(id, 0, { chunk: "AAAA" })]),
  inTransfer("a long chunk", "TRANSFER_FAILED", (id) => [
    chunk(id, 0, { chunk: FILE.subarray(0, CHUNK + 1).toBase64() }),
  ]),
  inTransfer("a chunk of no base64", "INVALID_MESSAGE", (id) => [chunk(id, 0, { chunk: "?" })]),
  inJson(inTransfer("another size in a chunk", "PROTOCOL_VIOLATION", (id) => [
    chunk(id, 0, { fileSize: FILE.length + 1 }),
  ])),
  inTransfer("a finish before the end", "TRANSFER_FAILED", (id) => [
    chunk(id, 0),
    { type: "file-finish", transferId: id },
  ]),
  inTransfer("the wrong hash", "INTEGRITY_FAILED", (id) => [
    ...[0, 1, 2].map((index) => chunk(id, index)),
    { type: "file-finish", transferId: id },
  ], { fileHash: "0".repeat(64) }),
  inTransfer("another's chunk", "INVALID_STATE", () => [chunk(freshId(), 0)]),
  inTransfer("the same offer again", "REPLAY_DETECTED", (id) => [offer(id)]),
  inTransfer("our own file accepted by it", "INVALID_STATE", (id) => [
    { type: "file-accept", transferId: id },
  ]),
];

const RATCHET: readonly Violation[] = [
  ratcheted(
    "a chunk without the ratchet",
    "RATCHET_DOWNGRADE_REJECTED",
    false,
    (peer, id) => say(peer, chunk(id, 0)),
  ),
  ratcheted(
    "a generation ahead",
    "RATCHET_STATE_ERROR",
    false,
    (peer, id) => sayRatcheted(peer, id, 0, undefined, 1),
  ),
  ratcheted(
    "no ratchet key",
    "RATCHET_STATE_ERROR",
    false,
    (peer, id) => sayRatcheted(peer, id, 0, ({ chainIndex }) => ({ chainIndex })),
  ),
  ratcheted(
    "a ratchet key of zeros",
    "RATCHET_STATE_ERROR",
    false,
    (peer, id) =>
      sayRatcheted(peer, id, 0, (fields) => ({
        ...fields,
        publicKey: new Uint8Array(32).toBase64(),
      })),
  ),
  inJson(ratcheted(
    "a chain index of -1",
    "RATCHET_CHAIN_ERROR",
    true,
    (peer, id) => sayRatcheted(peer, id, 0, (fields) => ({ ...fields, chainIndex: -1 })),
  )),
  ratcheted("a chain index skipped", "RATCHET_CHAIN_ERROR", true, async (peer, id) => {
    await sayRatcheted(peer, id, 0);
    await sayRatcheted(peer, id, 1, (fields) => ({ ...fields, chainIndex: 2 }));
  }),
  ratcheted(
    "another ratchet key than it sealed with",
    "RATCHET_DECRYPT_FAIL",
    true,
    (peer, id) =>
      sayRatcheted(peer, id, 0, (fields) => ({
        ...fields,
        publicKey: peer.identity.publicKey.base64,
      })),
  ),
];

/** All of them. */
export const VIOLATIONS: readonly Violation[] = [
  ...BEFORE,
  ...FRAMES,
  ...OFFERS,
  ...TRANSFERS,
  ...RATCHET,
];

/** Chunks and a finish for a transfer that was cancelled: late, and no violation. */
export async function sayAfterCancel(peer: HostilePeer): Promise<void> {
  const id = await accepted(peer);
  const cancel = { type: "cancel", transferId: id, cancelledBy: "initiator" };
  await say(peer, chunk(id, 0), cancel, chunk(id, 1), { type: "file-finish", transferId: id });
}

/** Offers the file under this name. Gives the transfer's id. */
export async function offerFile(
  peer: HostilePeer,
  filename: string,
  transferId: string = freshId(),
): Promise<string> {
  await say(peer, offer(transferId, { filename }));
  return transferId;
}

/** Sends the chunks of the file from `start` on, truly, and the finish. */
export async function sendRest(
  peer: HostilePeer,
  transferId: string,
  filename: string,
  start = 0,
): Promise<void> {
  for (let index = start; index < 3; index++) {
    await say(peer, chunk(transferId, index, { filename }));
  }
  await say(peer, { type: "file-finish", transferId });
}

/** Sends the first chunk of the file, truly. */
export async function sendFirst(
  peer: HostilePeer,
  transferId: string,
  filename: string,
): Promise<void> {
  await say(peer, chunk(transferId, 0, { filename }));
}

/** Offers again and again, without waiting for an answer. */
export async function floodOffers(peer: HostilePeer, count: number): Promise<void> {
  for (let left = count; left > 0; left--) await say(peer, offer(freshId()));
}

/** Offers and takes it back, again and again, without waiting for an answer. */
export async function floodCancelledOffers(peer: HostilePeer, count: number): Promise<void> {
  for (let left = count; left > 0; left--) {
    const transferId = freshId();
    await say(peer, offer(transferId), { type: "cancel", transferId, cancelledBy: "initiator" });
  }
}
