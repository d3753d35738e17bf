/**
 * The receiving half of an association: which TSNs have come, messages out of fragments, the
 * window that is left, and when to acknowledge (RFC 9260 sections 6.2 and 6.7). Pure: bytes and
 * calls in, messages and SACKs out.
 *
 * Chunks are taken in the order of their TSNs, across streams. As a sender numbers fragments of a
 * message, and messages of a stream, in that order, nothing else is needed to order them; what it
 * costs is that a gap in one stream delays the others, of which this program has none.
 *
 * @module
 */
import { Assembly } from "./assembly.ts";
import { GapRanges } from "./gap_ranges.ts";
import { type DataChunk, DataFlag, type Sack } from "./packet.ts";
import { tsnAdd, tsnAfter, tsnDistance, tsnNext } from "./tsn.ts";

/** A whole message. */
export interface ReceivedMessage {
  /** The stream it came on. */
  readonly streamId: number;
  /** Payload protocol identifier. */
  readonly ppid: number;
  /** Its content; ours to keep. */
  readonly bytes: Uint8Array;
}

/** Options of {@linkcode SctpReceiver}. */
export interface SctpReceiverOptions {
  /** The first TSN that the peer will use. */
  readonly initialTsn: number;
  /** Takes each message, in order. Must not throw. */
  readonly deliver: (message: ReceivedMessage) => void;
  /** Bytes of user data that may be held at once. @default {1048576} */
  readonly window?: number;
}

/** Whether the packet that was just taken in asks for a SACK. */
export type SackUrgency = "none" | "delayed" | "now";

/** A gap block can't express a TSN further ahead than this. */
const MAX_TSN_AHEAD = 0xffff;
/** Bytes that are held until they are in order, unless said otherwise. */
export const RECEIVE_WINDOW_BYTES: number = 1024 * 1024;
/** Chunks held ahead of a gap at most: bounds what one-byte chunks cost beyond their bytes. */
const MAX_CHUNKS_AHEAD = 16_384;
/** Runs ahead of gaps at most; every second packet of a full window lost makes half of this. */
const MAX_GAP_RUNS = 1024;
const MAX_DUPLICATES = 16;
/** "At least every second packet" (RFC 9260 section 6.2), */
const PACKETS_PER_SACK = 2;
/**
 * or fewer, as each costs both sides as much as a packet of data: from a peer that says itself when
 * it waits for one (RFC 7053), once so many packets have come in order that its window is large.
 */
const PACKETS_PER_SACK_IN_FULL_FLOW = 8;
const FULL_FLOW_PACKETS = 128;

/** The receiving half of an association. */
export class SctpReceiver {
  readonly #deliver: (message: ReceivedMessage) => void;
  readonly #window: number;
  readonly #gaps = new GapRanges();
  /** What came ahead of a gap. */
  readonly #ahead = new Map<number, DataChunk>();
  /** The fragments so far of the message at the cumulative TSN. */
  readonly #partial = new Assembly();
  #cumulativeTsn: number;
  #aheadBytes = 0;
  #duplicates: number[] = [];
  #packets = 0;
  /** Packets since the last gap. */
  #packetsInOrder = 0;
  #sackNeeded = false;
  #sackNow = false;
  #peerAsks = false;

  /**
   * Begins before the first chunk.
   *
   * @param options What it starts from.
   */
  constructor(options: SctpReceiverOptions) {
    this.#deliver = options.deliver;
    this.#window = options.window ?? RECEIVE_WINDOW_BYTES;
    this.#cumulativeTsn = tsnAdd(options.initialTsn, -1);
  }

  /** The TSN up to which everything has come. */
  get cumulativeTsn(): number {
    return this.#cumulativeTsn;
  }

  /** Bytes of user data held here: out of order, or of a message that is not whole. */
  get heldBytes(): number {
    return this.#aheadBytes + this.#partial.length;
  }

  /** Takes one DATA chunk; what it makes whole is delivered before this returns. */
  onData(chunk: DataChunk): void {
    this.#sackNeeded = true;
    if (chunk.flags & DataFlag.IMMEDIATE) this.#peerAsks = this.#sackNow = true;
    const ahead = tsnDistance(this.#cumulativeTsn, chunk.tsn);
    if (ahead <= 0) return this.#onDuplicate(chunk.tsn);
    if (ahead > 1) return this.#onAhead(chunk, ahead);
    const hasSpace = this.#hasSpaceFor(chunk, this.#partial.length);
    // A gap, a filled gap and a refused probe are acknowledged at once (RFC 9260 sections 6.2 and
    // 6.7).
    if (!hasSpace || !this.#gaps.isEmpty) this.#sackNow = true;
    if (!hasSpace) return;
    this.#cumulativeTsn = chunk.tsn;
    this.#append(chunk);
    if (!this.#gaps.isEmpty) this.#fillGap();
  }

  /**
   * The peer gave up on all TSNs up to `newCumulativeTsn` (FORWARD-TSN, RFC 3758): takes what had
   * come of them and goes on behind.
   */
  onForwardTsn(newCumulativeTsn: number): void {
    this.#sackNeeded = this.#sackNow = true;
    if (!tsnAfter(newCumulativeTsn, this.#cumulativeTsn)) return;
    const passed = [...this.#ahead.keys()]
      .filter((tsn) => !tsnAfter(tsn, newCumulativeTsn))
      .sort((a, b) => tsnDistance(b, a));
    for (const tsn of passed) {
      if (tsn !== tsnNext(this.#cumulativeTsn)) this.#partial.clear();
      this.#appendAhead(tsn);
    }
    if (this.#cumulativeTsn !== newCumulativeTsn) this.#partial.clear();
    this.#cumulativeTsn = newCumulativeTsn;
    this.#fillGap();
  }

  /** To be called after each packet's chunks: whether a SACK is due. */
  endOfPacket(): SackUrgency {
    if (!this.#sackNeeded) return "none";
    this.#packets++;
    this.#packetsInOrder = this.#gaps.isEmpty ? this.#packetsInOrder + 1 : 0;
    const inFullFlow = this.#peerAsks && this.#packetsInOrder > FULL_FLOW_PACKETS;
    const every = inFullFlow ? PACKETS_PER_SACK_IN_FULL_FLOW : PACKETS_PER_SACK;
    return this.#sackNow || this.#packets >= every ? "now" : "delayed";
  }

  /** The SACK to send now. */
  takeSack(): Sack {
    const duplicates = this.#duplicates;
    this.#duplicates = [];
    this.#packets = 0;
    this.#sackNeeded = this.#sackNow = false;
    return {
      cumulativeTsn: this.#cumulativeTsn,
      window: Math.max(0, this.#window - this.heldBytes),
      gaps: this.#gaps.isEmpty ? [] : this.#gaps.blocks(this.#cumulativeTsn),
      duplicates,
    };
  }

  #onDuplicate(tsn: number): void {
    this.#sackNow = true;
    if (this.#duplicates.length < MAX_DUPLICATES) this.#duplicates.push(tsn);
  }

  #onAhead(chunk: DataChunk, ahead: number): void {
    this.#sackNow = true;
    if (ahead > MAX_TSN_AHEAD || this.#gaps.count >= MAX_GAP_RUNS) return;
    if (this.#ahead.size >= MAX_CHUNKS_AHEAD) return;
    if (!this.#hasSpaceFor(chunk, this.heldBytes)) return;
    if (!this.#gaps.add(chunk.tsn)) return this.#onDuplicate(chunk.tsn);
    this.#ahead.set(chunk.tsn, chunk);
    this.#aheadBytes += chunk.payload.length;
  }

  /** What has no room is as if it were lost; the peer knows the window that was left. */
  #hasSpaceFor(chunk: DataChunk, heldBytes: number): boolean {
    return heldBytes + chunk.payload.length <= this.#window;
  }

  /** Takes what came ahead and is in order now. */
  #fillGap(): void {
    const end = this.#gaps.advance(this.#cumulativeTsn);
    while (this.#cumulativeTsn !== end) this.#appendAhead(tsnNext(this.#cumulativeTsn));
  }

  #appendAhead(tsn: number): void {
    this.#cumulativeTsn = tsn;
    const chunk = this.#ahead.get(tsn);
    if (chunk === undefined) return;
    this.#ahead.delete(tsn);
    this.#aheadBytes -= chunk.payload.length;
    this.#append(chunk);
  }

  /** The next chunk in order: part of a message, or the last of it. */
  #append(chunk: DataChunk): void {
    const isFirst = (chunk.flags & DataFlag.FIRST) !== 0;
    const isLast = (chunk.flags & DataFlag.LAST) !== 0;
    // A message that began before the last one ended, or has no beginning: not a message.
    if (isFirst) this.#partial.clear();
    else if (this.#partial.length === 0) return;
    const { streamId, ppid, payload } = chunk;
    if (isFirst && isLast) return this.#deliver({ streamId, ppid, bytes: payload });
    this.#partial.append(payload);
    if (isLast) this.#deliver({ streamId, ppid, bytes: this.#partial.take() });
  }
}
