/**
 * What the peer may send before more has been read: honest backpressure, and a window that grows
 * with what the path needs. Pure.
 *
 * It begins small: a system keeps some 90 datagrams for a socket (208 KiB, each counted with what
 * surrounds it), and what a busy program has not taken out by then is lost, mostly with all that
 * follows. It grows only when a sender is held up by it, which is when a whole window comes in less
 * than two round trips, and not for a while after a burst was lost.
 *
 * @module
 */
import { WINDOW_HOLD_MS } from "../../../base/timing.ts";

/** The bounds of the window, in bytes. */
export const RECEIVE_WINDOW = {
  /** At first, and after bursts were lost. */
  first: 96 * 1024,
  /** At most: also what is ever held. */
  most: 1536 * 1024,
} as const;

/** Messages and chunks that are held at most, however small they are. */
export const MAX_HELD = 8192;
/** What one of them counts at least, in bytes, in the window that is told. */
const LEAST_COST = RECEIVE_WINDOW.most / MAX_HELD;

/** Options of a {@linkcode ReceiveWindow}. */
export interface ReceiveWindowOptions {
  /** See {@linkcode RECEIVE_WINDOW}. @default {RECEIVE_WINDOW.first} */
  readonly first?: number;
  /** See {@linkcode RECEIVE_WINDOW}. @default {RECEIVE_WINDOW.most} */
  readonly most?: number;
  /** Bytes that may wait to be read without counting: one message is always under way. */
  readonly unreadSlack?: number;
}

/** Counts what is held and says what may come. */
export class ReceiveWindow {
  readonly #first: number;
  readonly #most: number;
  readonly #unreadSlack: number;
  #limit: number;
  /** Chunks that are out of order. */
  #aheadBytes = 0;
  #aheadCount = 0;
  #partialBytes = 0;
  /** Messages that are whole and not read. */
  #unreadBytes = 0;
  #unreadCount = 0;
  #told: number;
  #roundBytes = 0;
  #roundBegan: number | undefined;
  #mayGrowAt = 0;

  /** Begins empty. */
  constructor(options: ReceiveWindowOptions = {}) {
    this.#most = options.most ?? RECEIVE_WINDOW.most;
    this.#first = Math.min(options.first ?? RECEIVE_WINDOW.first, this.#most);
    this.#unreadSlack = options.unreadSlack ?? 0;
    this.#told = this.#limit = this.#first;
  }

  /** Bytes that the peer may send, if nothing is held. */
  get limit(): number {
    return this.#limit;
  }

  /** Bytes of user data held below the channel: out of order, or of a message that is not whole. */
  get heldBytes(): number {
    return this.#aheadBytes + this.#partialBytes;
  }

  /** Whether a chunk may be held that came out of order. */
  hasRoomAhead(bytes: number): boolean {
    return this.#used + this.#partialBytes + bytes <= this.#most && this.#count < MAX_HELD;
  }

  /**
   * Whether the next chunk may be taken. What is ahead of it does not count: only with this one can
   * it ever be read.
   */
  hasRoomFor(bytes: number): boolean {
    const used = this.#used - this.#aheadBytes;
    return used + this.#partialBytes + bytes <= this.#most && this.#unreadCount < MAX_HELD;
  }

  /** A chunk came out of order. */
  addAhead(bytes: number): void {
    this.#aheadBytes += bytes;
    this.#aheadCount++;
  }

  /** It is in order now. */
  removeAhead(bytes: number): void {
    this.#aheadBytes -= bytes;
    this.#aheadCount--;
  }

  /** How much of a message that is not whole is held. */
  setPartial(bytes: number): void {
    this.#partialBytes = bytes;
  }

  /** A message was handed over. */
  addUnread(bytes: number): void {
    this.#unreadBytes += bytes;
    this.#unreadCount++;
  }

  /** One was read. */
  removeUnread(bytes: number): void {
    this.#unreadBytes -= bytes;
    this.#unreadCount--;
  }

  /** What is told the peer, now. */
  tell(): number {
    return this.#told = this.#open;
  }

  /** Whether the peer must be told that there is room again: it was told of little. */
  get isNews(): boolean {
    const half = this.#limit / 2;
    return this.#told < half && this.#open >= half;
  }

  /**
   * User data came in order.
   *
   * @param roundTripMs The shortest that was measured; undefined as long as none was.
   */
  onArrived(bytes: number, now: number, roundTripMs: number | undefined): void {
    if (this.#roundBegan === undefined) {
      this.#roundBegan = now;
      this.#roundBytes = 0;
      return;
    }
    this.#roundBytes += bytes;
    if (this.#roundBytes < this.#limit) return;
    const took = now - this.#roundBegan;
    this.#roundBegan = now;
    this.#roundBytes = 0;
    const isFull = roundTripMs !== undefined && took <= 2 * roundTripMs;
    if (!isFull || now < this.#mayGrowAt || this.#unreadBytes > this.#unreadSlack) return;
    this.#limit = Math.min(2 * this.#limit, this.#most);
  }

  /** Many packets in a row are missing: something on the way had no room for them. */
  onBurstLoss(now: number): void {
    this.#limit = Math.max(this.#first, this.#limit / 2);
    this.#mayGrowAt = now + WINDOW_HOLD_MS;
  }

  get #count(): number {
    return this.#aheadCount + this.#unreadCount;
  }

  get #used(): number {
    return this.#aheadBytes + Math.max(0, this.#unreadBytes - this.#unreadSlack);
  }

  get #open(): number {
    const used = this.#used;
    const room = Math.min(this.#limit - used, this.#most - used - this.#partialBytes);
    // Whoever sends little messages is stopped by their number.
    const byCount = (MAX_HELD - this.#count) * LEAST_COST;
    return Math.max(0, Math.min(room, byCount));
  }
}
