/**
 * The bounded send side of a channel: how much is under way, and when more may follow.
 *
 * @module
 */
import { abortable } from "../base/deadline.ts";
import type { TransportError } from "../base/errors.ts";
import type { WaitOptions } from "./channel.ts";

/** Bytes under way at which a sender is to wait, unless said otherwise. */
export const SEND_WINDOW_BYTES: number = 1024 * 1024;

/** Bounds of a {@linkcode SendWindow}, in bytes that the peer has not acknowledged. */
export interface SendWindowOptions {
  /** At or above it a sender waits. @default {1048576} */
  readonly high?: number;
  /** At or below it a waiting sender goes on. @default {262144} */
  readonly low?: number;
}

/** Counts bytes under way, lets senders wait between two marks. */
export class SendWindow {
  readonly #high: number;
  readonly #low: number;
  #bytes = 0;
  #failure: TransportError | undefined;
  #writable: PromiseWithResolvers<void> | undefined;
  #empty: PromiseWithResolvers<void> | undefined;

  /** Makes one with nothing under way. */
  constructor(options: SendWindowOptions = {}) {
    this.#high = options.high ?? SEND_WINDOW_BYTES;
    this.#low = options.low ?? 256 * 1024;
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

  /** The channel has ended: every wait, now and later, fails with `error`. */
  fail(error: TransportError): void {
    this.#failure ??= error;
    this.#settle("writable");
    this.#settle("empty");
  }

  /** Resolves at once below the high mark, else when the bytes have fallen to the low one. */
  writable(options: WaitOptions): Promise<void> {
    if (this.#bytes < this.#high) return this.#wait(undefined, options);
    this.#writable ??= Promise.withResolvers();
    return this.#wait(this.#writable.promise, options);
  }

  /** Resolves when nothing is under way. */
  empty(options: WaitOptions): Promise<void> {
    if (this.#bytes === 0) return this.#wait(undefined, options);
    this.#empty ??= Promise.withResolvers();
    return this.#wait(this.#empty.promise, options);
  }

  async #wait(promise: Promise<void> | undefined, { signal }: WaitOptions): Promise<void> {
    if (promise !== undefined) await (signal ? abortable(promise, signal) : promise);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #settle(which: "writable" | "empty"): void {
    if (which === "writable") {
      this.#writable?.resolve();
      this.#writable = undefined;
    } else {
      this.#empty?.resolve();
      this.#empty = undefined;
    }
  }
}
