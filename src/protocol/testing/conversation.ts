/**
 * Everything that a session of ours says to a peer of some kind, in one conversation with an honest
 * peer. For tests only.
 *
 * @module
 */
import type { EphemeralKeyPair, EphemeralPublicKey } from "../crypto/keys.ts";
import { ConnectionBox } from "../crypto/connection_box.ts";
import { BinaryEnvelopeCodec } from "../messages/binary_envelope.ts";
import {
  BINARY_ENCODING,
  CAPABILITIES,
  type Capability,
  RESUME,
} from "../messages/capabilities.ts";
import type { WireFrame } from "../messages/envelope.ts";
import { JsonEnvelopeCodec } from "../messages/json_envelope.ts";
import type { SessionOptions } from "../session/session.ts";
import type { Role } from "../signal/bundle.ts";
import { seededRandom } from "./seeded_random.ts";
import { copyOf, deliver, newSide, provingOptions, TestPeer } from "./session_pair.ts";

const HASH = "0".repeat(64);
const FILE = { filename: "f", size: 12, chunkSize: 8, fileHash: HASH };
const PIECES = [new Uint8Array(8), new Uint8Array(4)];
/** What a web client takes: chunks of one size. */
const LARGE = { filename: "f", size: 16_384 + 4, fileHash: HASH };
const LARGE_PIECES = [new Uint8Array(16_384), new Uint8Array(4)];
/** The peer may offer more than is taken. */
const UNBOUNDED = { maxFileBytes: 2 ** 50, maxTotalChunks: 2 ** 40 };

/** A kind of session. */
export interface Setting {
  /** For the names of tests. */
  readonly name: string;
  /** Options of both sides. @default {{}} */
  readonly both?: Partial<SessionOptions>;
  /** Who the session is that can prove its identity. @default {none: it speaks as published} */
  readonly proves?: Role;
  /** Its peer speaks as published, and proves nothing. @default {false} */
  readonly isPeerPublished?: boolean;
}

/** A frame of the session, and what it says. */
export interface Sent {
  /** As it is on the channel. */
  readonly frame: WireFrame;
  /** `hello`, the type of the inner message, or `plaintext error CODE`. */
  readonly kind: string;
}

/** A session and its peer before their start, and what is known of them. */
export interface World {
  /** The session. */
  readonly a: TestPeer;
  /** Its peer. */
  readonly b: TestPeer;
  /** The session's half of the connection's keys. */
  readonly publicKey: EphemeralPublicKey;
  /** The peer's. */
  readonly peerKeys: EphemeralKeyPair;
  /** Ids of what the peer has offered so far. */
  readonly offered: string[];
  /** What a frame of the session says. */
  readonly read: (frame: WireFrame) => Sent;
}

/** A session and its peer before their start; the same for the same setting. */
export function worldOf({ both = {}, proves, isPeerPublished = false }: Setting): World {
  const random = seededRandom("conversation");
  const [ours, theirs] = [newSide(random), newSide(random)];
  const role = proves ?? "offerer";
  const other = role === "offerer" ? "answerer" : "offerer";
  const heard = isPeerPublished ? { remoteCommitment: undefined } : {};
  const { proof, ...published } = provingOptions(role, ours, theirs, random, heard);
  const { proof: proofOfPeer, ...publishedOfPeer } = provingOptions(other, theirs, ours, random);
  const a = new TestPeer({ ...published, ...both, ...(proves === undefined ? {} : { proof }) });
  const able: readonly Capability[] = both.capabilities ?? CAPABILITIES;
  const b = new TestPeer({
    ...publishedOfPeer,
    limits: UNBOUNDED,
    ...both,
    capabilities: isPeerPublished
      ? able.filter((one) => one !== BINARY_ENCODING && one !== RESUME)
      : able,
    ...(proves === undefined || isPeerPublished ? {} : { proof: proofOfPeer }),
  });
  const { publicKey } = ours.secrets;
  const { ephemeral: peerKeys } = theirs.secrets;
  const box = new ConnectionBox(peerKeys, publicKey, random);
  const isBinary = able.includes(BINARY_ENCODING) && !isPeerPublished;
  const codec = isBinary ? new BinaryEnvelopeCodec(box) : new JsonEnvelopeCodec(box);
  const read = (frame: WireFrame): Sent => {
    const opened = codec.read(copyOf(frame));
    if (opened.type === "opened") return { frame, kind: opened.message.type };
    return {
      frame,
      kind: opened.type === "error" ? `plaintext error ${opened.code}` : opened.type,
    };
  };
  return { a, b, publicKey, peerKeys, offered: [], read };
}

/** Delivers what the peer has said; what that brings forth stays to be looked at. */
function hear(from: TestPeer, to: TestPeer): void {
  while (deliver(from, to));
}

/**
 * All that a session says to a daemon; at each `yield` something was said. It sends before it
 * receives, so that who only listens can follow the ratchet.
 */
function* toDaemon({ a, b, offered }: World) {
  a.do(a.session.start(0));
  yield;
  hear(b, a);
  const tb = b.approve();
  b.do(b.session.ping(0).effects);
  hear(b, a);
  yield; // the pong, undecided
  const ta = a.approve();
  a.do(a.session.ping(0).effects);
  yield;
  a.do(a.session.sendAppMessage("hello"));
  yield;
  const ours = ta.offer(FILE, 0);
  a.do(ours.effects);
  yield;
  b.do(tb.accept(ours.transferId, 0));
  hear(b, a);
  for (const piece of PIECES) {
    a.do(ta.sendChunk(ours.transferId, piece, 0));
    yield; // the finish with the last
  }
  const theirs = tb.offer(FILE, 0);
  offered.push(theirs.transferId);
  b.do(theirs.effects);
  hear(b, a);
  a.do(ta.accept(theirs.transferId, 0));
  yield;
  a.do(ta.pause(theirs.transferId, 0));
  yield;
  a.do(ta.resume(theirs.transferId, 0));
  yield;
  for (const piece of PIECES) b.do(tb.sendChunk(theirs.transferId, piece, 0));
  hear(b, a);
  const dropped = ta.offer(FILE, 0);
  a.do(dropped.effects);
  yield;
  a.do(ta.cancel(dropped.transferId, "enough"));
  yield;
  const huge = { ...FILE, size: 2 ** 40, chunkSize: 2 ** 16 };
  const refused = tb.offer(huge, 0);
  offered.push(refused.transferId);
  b.do(refused.effects);
  hear(b, a);
  yield; // the error that ends a transfer only
}

/** All that a session says to a web client. */
function* toBrowser({ a, b, offered }: World) {
  a.do(a.session.start(0));
  yield;
  hear(b, a);
  const [ta, tb] = [a.approve(), b.approve()];
  a.do(a.session.sendAppMessage("hello"));
  yield;
  const ours = ta.offer(LARGE, 0);
  a.do(ours.effects);
  for (const piece of LARGE_PIECES) {
    a.do(ta.sendChunk(ours.transferId, piece, 0));
    yield;
  }
  const theirs = tb.offer(LARGE, 0);
  offered.push(theirs.transferId);
  b.do(theirs.effects);
  b.do(tb.sendChunk(theirs.transferId, LARGE_PIECES[0] ?? new Uint8Array(), 0));
  hear(b, a);
  a.do(ta.pause(theirs.transferId, 0));
  yield;
  a.do(ta.resume(theirs.transferId, 0));
  yield;
  a.do(ta.cancel(theirs.transferId, "enough"));
  yield;
}

/** Goes on with a conversation, giving each frame of the session before it is delivered. */
export function* conversation(
  setting: Setting,
): Generator<{ readonly world: World; readonly sent: Sent }> {
  const world = worldOf(setting);
  const { a, b, read } = world;
  const steps = setting.both?.peerKind === "web" ? toBrowser(world) : toDaemon(world);
  for (const _ of steps) {
    for (let frame = a.outbox.shift(); frame !== undefined; frame = a.outbox.shift()) {
      yield { world, sent: read(frame) };
      // b starts after a's HELLO is under way: it hears it then.
      if (b.session.phase === "new") b.do(b.session.start(0));
      b.do(b.session.receive(copyOf(frame), 0));
    }
  }
}
