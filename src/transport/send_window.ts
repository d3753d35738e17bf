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
 * DAEMON_CONTRACT.md tells it.
 */
export const SEND_WINDOW = {
  /** At or above it a sender waits: no more is kept than this and one message. */
  high: 512 * 1024,
  /** At or below it a waiting sender goes on. */
  low: 256 * 1024,
} as const;

/** Bounds of a {@linkcode SendWindow}. */
export interface SendWindowOptions {
  /** At or above it a sender waits. @default {SEND_WINDOW.high} */
  readonly high?: number;
  /** At or below it a waiting sender goes on. @default {SEND_WINDOW.low} */
  readonly low?: number;
}

/** Resolves with the failure that it ended with, if any; never rejects. */
type Wait = PromiseWithResolvers<TransportError | undefined>;

/** Counts bytes under way, lets senders wait between two marks. */
export class SendWindow {
  readonly #high: number;
  readonly #low: number;
  #bytes = 0;
  #failure: TransportError | undefined;
  #writable: Wait | undefined;
  #empty: Wait | undefined;

  /** Makes one with nothing under way. */
  constructor(options: SendWindowOptions = {}) {
    this.#high = options.high ?? SEND_WINDOW.high;
    this.#low = options.low ?? SEND_WINDOW.low;
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
    if (this.#bytes <= this.#low) this.#settle("writable");
    if (this.#bytes === 0) this.#settle("empty");
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
