/**
 * Limits guessing of the SAS: the 24 bits of a proven session's are enough only where few wrong ones
 * may be tried.
 *
 * @module
 */
import { SAS_WINDOW_MS } from "../../../base/timing.ts";

/** So many wrong SAS end a pairing request: it is denied. */
export const MAX_WRONG_PER_REQUEST = 3;
/** After so many wrong SAS in {@linkcode SAS_WINDOW_MS}, over all requests, none is checked. */
export const MAX_WRONG_IN_WINDOW = 10;

/** Counts wrong SAS over all requests, in a sliding window. */
export class SasAttempts {
  readonly #wrong: number[] = [];

  /** Whether no SAS is checked any more at `now`, in milliseconds. */
  isExhausted(now: number): boolean {
    while (this.#wrong[0] !== undefined && this.#wrong[0] <= now - SAS_WINDOW_MS) {
      this.#wrong.shift();
    }
    return this.#wrong.length >= MAX_WRONG_IN_WINDOW;
  }

  /** Counts a wrong one, at `now`. */
  count(now: number): void {
    if (!this.isExhausted(now)) this.#wrong.push(now);
  }
}
