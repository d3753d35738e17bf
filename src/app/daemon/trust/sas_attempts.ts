/**
 * Limits guessing of the SAS: the 24 bits of a proven session's are enough only when
 * few wrong ones are heard.
 *
 * @module
 */
import { SAS_WINDOW_MS } from "../../../base/timing.ts";

/** Wrong SAS that one pairing request stands. */
export const MAX_WRONG_PER_REQUEST = 3;
/** Wrong SAS that are heard in {@linkcode SAS_WINDOW_MS}, over all requests. */
export const MAX_WRONG_IN_WINDOW = 10;

/** Counts wrong SAS over all requests, in a sliding window. */
export class SasAttempts {
  readonly #wrong: number[] = [];

  /** Whether no SAS is heard at `now`, in milliseconds. */
  isExhausted(now: number): boolean {
    while (this.#wrong[0] !== undefined && this.#wrong[0] <= now - SAS_WINDOW_MS) {
      this.#wrong.shift();
    }
    return this.#wrong.length >= MAX_WRONG_IN_WINDOW;
  }

  /** A wrong one was heard at `now`. */
  count(now: number): void {
    if (!this.isExhausted(now)) this.#wrong.push(now);
  }
}
