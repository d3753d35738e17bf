/**
 * Waits between two messages to a peer that has not registered yet.
 *
 * @module
 */
import { abortable } from "../../base/deadline.ts";

/** First wait, in milliseconds. */
const FIRST_MS = 100;
/** Longest wait, in milliseconds. */
const LONGEST_MS = 1000;

/** Waits that double, from 100 ms to 1 s. */
export class RetryDelay {
  #next = FIRST_MS;

  /** The next wait, in milliseconds. */
  get next(): number {
    return this.#next;
  }

  /** Waits; ends with the signal's reason when it aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#next);
    this.#next = Math.min(this.#next * 2, LONGEST_MS);
    try {
      await abortable(promise, signal);
    } finally {
      clearTimeout(timer);
    }
  }
}
