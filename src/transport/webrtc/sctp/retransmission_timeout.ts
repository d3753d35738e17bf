/**
 * The retransmission timeout out of round trips measured (RFC 9260 section 6.3).
 *
 * @module
 */
import {
  SCTP_DOUBLED_RTO_MS,
  SCTP_FIRST_RTO_MS,
  SCTP_LEAST_RTO_MS,
  SCTP_LONGEST_RTO_MS,
} from "../../../base/timing.ts";

const MAX_DOUBLED_ROUND_TRIPS = 8;
const ALPHA = 1 / 8;
const BETA = 1 / 4;

/** Smoothed round trip, its variation, and the timeout that follows. Milliseconds. */
export class RetransmissionTimeout {
  readonly #minMs: number;
  #smoothed: number | undefined;
  #least: number | undefined;
  #variation = 0;
  #timeout = SCTP_FIRST_RTO_MS;

  /**
   * Begins without a measurement.
   *
   * @param minMs The timeout never falls below this. Peers delay a SACK by up to 200 ms; the RFC's
   * second doubles what a lost tail costs and protects from nothing else here.
   */
  constructor(minMs: number = SCTP_LEAST_RTO_MS) {
    this.#minMs = minMs;
  }

  /** The timeout that holds now. */
  get ms(): number {
    return this.#timeout;
  }

  /** The smoothed round trip; undefined as long as none was measured. */
  get smoothedMs(): number | undefined {
    return this.#smoothed;
  }

  /** The shortest round trip that was measured. */
  get leastMs(): number | undefined {
    return this.#least;
  }

  /** A round trip was measured, on a chunk sent only once (Karn's rule). */
  onRoundTrip(ms: number): void {
    this.#least = Math.min(ms, this.#least ?? ms);
    if (this.#smoothed === undefined) {
      this.#smoothed = ms;
      this.#variation = ms / 2;
    } else {
      this.#variation += BETA * (Math.abs(this.#smoothed - ms) - this.#variation);
      this.#smoothed += ALPHA * (ms - this.#smoothed);
    }
    const timeout = this.#smoothed + 4 * this.#variation;
    this.#timeout = Math.min(Math.max(timeout, this.#minMs), SCTP_LONGEST_RTO_MS);
  }

  /** The path has changed: what was measured was of another. */
  reset(): void {
    this.#smoothed = this.#least = undefined;
    this.#variation = 0;
    this.#timeout = SCTP_FIRST_RTO_MS;
  }

  /** The timer ran out: wait twice as long for the next, within reason. */
  onTimeout(): void {
    const roundTrips = MAX_DOUBLED_ROUND_TRIPS * (this.#smoothed ?? 0);
    const most = Math.min(Math.max(SCTP_DOUBLED_RTO_MS, roundTrips), SCTP_LONGEST_RTO_MS);
    this.#timeout = Math.max(this.#timeout, Math.min(this.#timeout * 2, most));
  }
}
