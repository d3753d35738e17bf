/**
 * How many messages a connection may send.
 *
 * @module
 */

/** A token bucket: `limit` at once, refilled at `limit` a second. The caller's clock is used. */
export class RateLimit {
  readonly #limit: number;
  #tokens: number;
  #at: number;

  /**
   * A full bucket.
   *
   * @param limit Messages a second.
   * @param now Milliseconds of a monotonic clock.
   */
  constructor(limit: number, now: number) {
    this.#limit = limit;
    this.#tokens = limit;
    this.#at = now;
  }

  /** Whether one more message may pass at `now`; it is counted when it may. */
  allows(now: number): boolean {
    const refill = ((now - this.#at) / 1000) * this.#limit;
    this.#tokens = Math.min(this.#limit, this.#tokens + refill);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
