/**
 * The bounded send side of a channel: how much is under way, and when more may follow.
 *
 * @module
 */
import { abortable } from "../base/deadline.ts";
import type { TransportError } from "../base/errors.ts";
import type { WaitOptions } from "./channel.ts";

/**
 * What a channel keeps of what was sent, in bytes that the peer has not acknowledged: docs/
 * DAEMON_CONTRACT.md states it.
 */
export const SEND_WINDOW = {
  /** At or above it a sender waits, on a path that needs no more under way. */
  high: 512 * 1024,
  /** At or below it a waiting sender goes on: as far below it as well when the window has grown. */
  low: 256 * 1024,
  /**
   * Most that the window grows to: no more is kept than this and one message. What a receiver of
   * ours has room for, and more: a path in full use is not idle until a waiting sender goes on.
   */
  most: 2 * 1024 * 1024,
} as const;

/** The window is so many times what the path delivers in a round trip, so that it can grow. */
const ROUND_TRIPS = 2;

/** Bounds of a {@linkcode SendWindow}. */
export interface SendWindowOptions {
  /** At or above it a sender waits; a window that is given does not grow. @default {SEND_WINDOW.high} */
  readonly high?: number;
  /** At or below it a waiting sender goes on. @default {SEND_WINDOW.low} */
  readonly low?: number;
}

/** Resolves with the failure that it ended with, if any; never rejects. */
type Wait = PromiseWithResolvers<TransportError | undefined>;

/** Counts bytes under way, lets senders wait between two marks. */
export class SendWindow {
  readonly #least: number;
  readonly #most: number;
  /** Bytes that must have left a full window before a waiting sender goes on. */
  readonly #step: number;
  #high: number;
  #bytes = 0;
  #failure: TransportError | undefined;
  #writable: Wait | undefined;
  #empty: Wait | undefined;

  /** Makes one with nothing under way. */
  constructor(options: SendWindowOptions = {}) {
    this.#high = this.#least = options.high ?? SEND_WINDOW.high;
    this.#most = options.high ?? SEND_WINDOW.most;
    this.#step = this.#least - (options.low ?? SEND_WINDOW.low);
  }

  /** At or above so many bytes under way a sender waits. */
  get high(): number {
    return this.#high;
  }

  /** Bytes under way. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes were handed to the transport. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Bytes were acknowledged by the peer's transport. */
  remove(bytes: number): void {
    this.#bytes -= bytes;
    this.#look();
    if (this.#bytes === 0) this.#settle("empty");
  }

  /**
   * The path delivers so many bytes in a round trip: the window grows with what it needs, and
   * shrinks again.
   */
  fit(delivered: number): void {
    const wanted = Math.round(ROUND_TRIPS * delivered);
    this.#high = Math.min(Math.max(wanted, this.#least), this.#most);
    this.#look();
  }

  /**
   * The channel has ended: every wait under way fails with `error`, and so does every later one,
   * except that nothing under way stays nothing under way.
   */
  fail(error: TransportError): void {
    this.#failure ??= error;
    this.#settle("writable", error);
    this.#settle("empty", error);
  }

  /** Resolves at once below the high mark, else when the bytes have fallen to the low one. */
  writable(options: WaitOptions): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#bytes < this.#high) return wait(undefined, options);
    return wait(this.#writable ??= Promise.withResolvers(), options);
  }

  /** Resolves when nothing is under way, also when that came before the end. */
  empty(options: WaitOptions): Promise<void> {
    if (this.#bytes === 0) return wait(undefined, options);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return wait(this.#empty ??= Promise.withResolvers(), options);
  }

  #look(): void {
    if (this.#bytes <= this.#high - this.#step) this.#settle("writable");
  }

  #settle(which: "writable" | "empty", failure?: TransportError): void {
    if (which === "writable") {
      this.#writable?.resolve(failure);
      this.#writable = undefined;
    } else {
      this.#empty?.resolve(failure);
      this.#empty = undefined;
    }
  }
}

/** How the wait ended counts, not what has happened since. */
async function wait(settled: Wait | undefined, { signal }: WaitOptions): Promise<void> {
  if (settled === undefined) return;
  const failure = await (signal ? abortable(settled.promise, signal) : settled.promise);
  if (failure !== undefined) throw failure;
}
