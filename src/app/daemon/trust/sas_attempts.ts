/**
 * Limits guessing of the SAS: 24 bits are enough only when few wrong ones are heard.
 *
 * @module
 */

/** Wrong SAS that one pairing request stands. */
export const MAX_WRONG_PER_REQUEST = 3;
/** Wrong SAS that are heard in {@linkcode WINDOW_MS}, over all requests. */
export const MAX_WRONG_IN_WINDOW = 10;
/** The window, in milliseconds. */
export const WINDOW_MS = 60 * 60 * 1000;

/** Counts wrong SAS over all requests, in a sliding window. */
export class SasAttempts {
  readonly #wrong: number[] = [];

  /** Whether no SAS is heard at `now`, in milliseconds. */
  isExhausted(now: number): boolean {
    while (this.#wrong[0] !== undefined && this.#wrong[0] <= now - WINDOW_MS) this.#wrong.shift();
    return this.#wrong.length >= MAX_WRONG_IN_WINDOW;
  }

  /** A wrong one was heard at `now`. */
  count(now: number): void {
    if (!this.isExhausted(now)) this.#wrong.push(now);
  }
}
