/**
 * The retransmission timeout out of round trips measured (RFC 9260 section 6.3).
 *
 * @module
 */

/** Before the first measurement. */
const INITIAL_MS = 1000;
const MAX_MS = 60_000;
/**
 * Waits do not double beyond this, or beyond so many round trips. A path that is silent for 9.5 s
 * ends the session, so longer waits spare nobody much: they sleep through the moments at which a
 * flapping path is there.
 */
const MAX_DOUBLED_MS = 1600;
const MAX_DOUBLED_ROUND_TRIPS = 8;
const ALPHA = 1 / 8;
const BETA = 1 / 4;

/** Smoothed round trip, its variation, and the timeout that follows. Milliseconds. */
export class RetransmissionTimeout {
  readonly #minMs: number;
  #smoothed: number | undefined;
  #variation = 0;
  #timeout = INITIAL_MS;

  /**
   * Begins without a measurement.
   *
   * @param minMs The timeout never falls below this.
   */
  constructor(minMs: number) {
    this.#minMs = minMs;
  }

  /** The timeout that holds now. */
  get ms(): number {
    return this.#timeout;
  }

  /** A round trip was measured, on a chunk sent only once (Karn's rule). */
  onRoundTrip(ms: number): void {
    if (this.#smoothed === undefined) {
      this.#smoothed = ms;
      this.#variation = ms / 2;
    } else {
      this.#variation += BETA * (Math.abs(this.#smoothed - ms) - this.#variation);
      this.#smoothed += ALPHA * (ms - this.#smoothed);
    }
    const timeout = this.#smoothed + 4 * this.#variation;
    this.#timeout = Math.min(Math.max(timeout, this.#minMs), MAX_MS);
  }

  /** The timer ran out: wait twice as long for the next, within reason. */
  onTimeout(): void {
    const roundTrips = MAX_DOUBLED_ROUND_TRIPS * (this.#smoothed ?? INITIAL_MS);
    const most = Math.min(Math.max(MAX_DOUBLED_MS, roundTrips), MAX_MS);
    this.#timeout = Math.max(this.#timeout, Math.min(this.#timeout * 2, most));
  }
}
