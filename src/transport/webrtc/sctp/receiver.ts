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
import { RECEIVE_WINDOW, ReceiveWindow } from "./receive_window.ts";
import { tsnAdd, tsnAfter, tsnDistance, tsnNext } from "./tsn.ts";

/** A whole message. */
export interface ReceivedMessage {
  /** The stream it came on. */
  readonly streamId: number;
  /** Payload protocol identifier. */
  readonly ppid: number;
  /** Its content: a view that is valid until the call returns. */
  readonly bytes: Uint8Array;
}

/** Options of {@linkcode SctpReceiver}. */
export interface SctpReceiverOptions {
  /** The first TSN that the peer will use. */
  readonly initialTsn: number;
  /** Takes each message, in order. Must not throw. */
  readonly deliver: (message: ReceivedMessage) => void;
  /** What may be held. @default {one of the usual size} */
  readonly window?: ReceiveWindow;
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
  /** The shortest round trip that was measured, if one was. @default {() => undefined} */
  readonly roundTripMs?: () => number | undefined;
  /** Longest message that is taken, in bytes. @default {262144} */
  readonly maxMessageBytes?: number;
  /** Whether the link loses nothing: then few acknowledgements will do. @default {false} */
  readonly isReliable?: boolean;
  /** Told once of what no peer does that keeps to what it was told. */
  readonly onBreach: (breach: ReceiveBreach) => void;
}

/** What a peer has not kept to: the longest message, or the window. */
export type ReceiveBreach = "message" | "window";

/** Whether the packet that was just taken in asks for a SACK. */
export type SackUrgency = "none" | "delayed" | "now";

/** A gap block can't express a TSN further ahead than this. */
const MAX_TSN_AHEAD = 0xffff;
const MAX_MESSAGE_BYTES = 256 * 1024;
/** So many packets in a row are lost where a buffer is full, hardly one by one on the way. */
const BURST_PACKETS = 16;
/**
 * Bytes that are dropped for want of room, until there is some again, before the peer is one that
 * keeps to no window: twice what can be under way when the window closes.
 */
export const MAX_DROPPED_BYTES: number = 2 * RECEIVE_WINDOW.most;
/** Runs ahead of gaps at most; every second packet of a full window lost makes fewer. */
export const MAX_GAP_RUNS = 1024;
const MAX_DUPLICATES = 16;
/** "At least every second packet" (RFC 9260 section 6.2), */
const PACKETS_PER_SACK = 2;
/**
 * or fewer, as each costs both sides as much as a packet of data: from a peer that says itself when
 * it waits for one (RFC 7053), once so many packets have come in order that its window is large.
 */
const PACKETS_PER_SACK_IN_FULL_FLOW = 8;
const FULL_FLOW_PACKETS = 128;
/** Bytes to a SACK over a link that loses nothing: a quarter of what may be under way. */
export const RELIABLE_SACK_BYTES: number = 256 * 1024;

/** The receiving half of an association. */
export class SctpReceiver {
  readonly #deliver: (message: ReceivedMessage) => void;
  readonly #window: ReceiveWindow;
  readonly #options: SctpReceiverOptions;
  readonly #maxMessageBytes: number;
  readonly #gaps = new GapRanges();
  /** What came ahead of a gap. */
  readonly #ahead = new Map<number, DataChunk>();
  /** The fragments so far of the message at the cumulative TSN. */
  readonly #partial = new Assembly();
  #cumulativeTsn: number;
  #droppedBytes = 0;
  #hasBreached = false;
  #duplicates: number[] = [];
  #packets = 0;
  /** Bytes since the last SACK. */
  #bytes = 0;
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
    this.#options = options;
    this.#deliver = options.deliver;
    this.#window = options.window ?? new ReceiveWindow();
    this.#maxMessageBytes = options.maxMessageBytes ?? MAX_MESSAGE_BYTES;
    this.#cumulativeTsn = tsnAdd(options.initialTsn, -1);
  }

  /** The TSN up to which everything has come. */
  get cumulativeTsn(): number {
    return this.#cumulativeTsn;
  }

  /** Bytes of user data held here: out of order, or of a message that is not whole. */
  get heldBytes(): number {
    return this.#window.heldBytes;
  }

  /** Takes one DATA chunk; what it makes whole is delivered before this returns. */
  onData(chunk: DataChunk): void {
    this.#sackNeeded = true;
    if (chunk.flags & DataFlag.IMMEDIATE) this.#peerAsks = this.#sackNow = true;
    const ahead = tsnDistance(this.#cumulativeTsn, chunk.tsn);
    if (ahead <= 0) return this.#onDuplicate(chunk.tsn);
    if (ahead > 1) return this.#onAhead(chunk, ahead);
    const hasRoom = this.#window.hasRoomFor(chunk.payload.length);
    if (hasRoom) this.#droppedBytes = 0;
    // A gap, a filled gap and a refused probe are acknowledged at once (RFC 9260 sections 6.2 and
    // 6.7).
    if (!hasRoom || !this.#gaps.isEmpty) this.#sackNow = true;
    if (!hasRoom) {
      // Nothing sends it again: there is no going on without it.
      if (this.#options.isReliable === true) this.#breach("window");
      return;
    }
    this.#bytes += chunk.payload.length;
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
      if (tsn !== tsnNext(this.#cumulativeTsn)) this.#clearPartial();
      this.#appendAhead(tsn);
    }
    if (this.#cumulativeTsn !== newCumulativeTsn) this.#clearPartial();
    this.#cumulativeTsn = newCumulativeTsn;
    this.#fillGap();
  }

  /** To be called after each packet's chunks: whether a SACK is due. */
  endOfPacket(): SackUrgency {
    if (!this.#sackNeeded) return "none";
    if (this.#options.isReliable === true) {
      return this.#sackNow || this.#bytes >= RELIABLE_SACK_BYTES ? "now" : "delayed";
    }
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
    this.#packets = this.#bytes = 0;
    this.#sackNeeded = this.#sackNow = false;
    return {
      cumulativeTsn: this.#cumulativeTsn,
      window: this.#window.tell(),
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
    if (ahead > BURST_PACKETS && this.#gaps.isEmpty) this.#window.onBurstLoss(this.#options.now());
    if (ahead > MAX_TSN_AHEAD || this.#gaps.count >= MAX_GAP_RUNS) return;
    if (!this.#window.hasRoomAhead(chunk.payload.length)) {
      return this.#onDropped(chunk.payload.length);
    }
    if (!this.#gaps.add(chunk.tsn)) return this.#onDuplicate(chunk.tsn);
    // A copy: the packet is not ours to keep.
    this.#ahead.set(chunk.tsn, { ...chunk, payload: chunk.payload.slice() });
    this.#window.addAhead(chunk.payload.length);
  }

  /**
   * What has no room is as if it were lost; the peer knows the window that was left. Not the next
   * chunk, with which a sender may ask whether there is room: one of many.
   */
  #onDropped(bytes: number): void {
    this.#droppedBytes += bytes;
    if (this.#droppedBytes > MAX_DROPPED_BYTES) this.#breach("window");
  }

  #breach(breach: ReceiveBreach): void {
    if (this.#hasBreached) return;
    this.#hasBreached = true;
    this.#options.onBreach(breach);
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
    this.#window.removeAhead(chunk.payload.length);
    this.#append(chunk);
  }

  /** The next chunk in order: part of a message, or the last of it. */
  #append(chunk: DataChunk): void {
    const isFirst = (chunk.flags & DataFlag.FIRST) !== 0;
    const isLast = (chunk.flags & DataFlag.LAST) !== 0;
    const { streamId, ppid, payload } = chunk;
    const { now, roundTripMs } = this.#options;
    this.#window.onArrived(payload.length, now(), roundTripMs?.());
    // A message that began before the last one ended, or has no beginning: not a message.
    if (isFirst) this.#clearPartial();
    else if (this.#partial.length === 0) return;
    if (this.#partial.length + payload.length > this.#maxMessageBytes) {
      this.#clearPartial();
      return this.#breach("message");
    }
    if (isFirst && isLast) return this.#deliver({ streamId, ppid, bytes: payload });
    this.#partial.append(payload);
    this.#window.setPartial(this.#partial.length);
    if (!isLast) return;
    const bytes = this.#partial.view();
    this.#clearPartial();
    this.#deliver({ streamId, ppid, bytes });
  }

  #clearPartial(): void {
    this.#partial.clear();
    this.#window.setPartial(0);
  }
}
