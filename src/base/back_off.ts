/**
 * Waits between attempts, each longer than the one before.
 *
 * @module
 */

/** Options of a {@linkcode BackOff}. */
export interface BackOffOptions {
  /** The first wait, in milliseconds. */
  readonly firstMs: number;
  /** No wait is longer, in milliseconds. */
  readonly longestMs: number;
  /**
   * From 0 up to 1: with it a wait is between half and all of its length, so that many programs that
   * lost the same server do not come back at the same moment. Without it waits have their full length.
   */
  readonly random?: () => number;
}

/** Waits that double up to a bound. */
export class BackOff {
  readonly #options: BackOffOptions;
  #ms: number;

  /** Begins with the first wait. */
  constructor(options: BackOffOptions) {
    this.#options = options;
    this.#ms = options.firstMs;
  }

  /** The next wait, in milliseconds; the one after it is longer. */
  next(): number {
    const { longestMs, random = () => 1 } = this.#options;
    const ms = this.#ms;
    this.#ms = Math.min(ms * 2, longestMs);
    return Math.round(ms * (0.5 + random() / 2));
  }

  /** Begins anew. */
  reset(): void {
    this.#ms = this.#options.firstMs;
  }
}
