/**
 * How fast bytes may pass: each is booked, and whoever has booked them waits for their turn.
 *
 * @module
 */
import { sleep, type Timer } from "./timer.ts";
import { RATE_BURST_MS } from "./timing.ts";

/** Options of a {@linkcode RateLimit}. */
export interface RateLimitOptions {
  /** Bytes a second, over any time that is long beside {@linkcode RATE_BURST_MS}. */
  readonly bytesPerSecond: number;
  /** Milliseconds on a clock that never goes back. */
  readonly steady: () => number;
  /** Calls back later. */
  readonly after: Timer;
}

/** Bytes that share a rate, in the order in which they were booked. */
export class RateLimit {
  readonly #options: RateLimitOptions;
  /** When all that was booked has passed, on the steady clock. */
  #freeAt = -Infinity;

  /** Nothing is booked. */
  constructor(options: RateLimitOptions) {
    this.#options = options;
  }

  /**
   * Books bytes.
   *
   * @returns Milliseconds until they may pass.
   */
  book(bytes: number): number {
    const { bytesPerSecond, steady } = this.#options;
    const now = steady();
    const from = Math.max(this.#freeAt, now - RATE_BURST_MS);
    this.#freeAt = from + bytes * 1000 / bytesPerSecond;
    return Math.max(0, from - now);
  }

  /** Resolves when all that was booked has passed; undefined when it has. */
  settled(): Promise<void> | undefined {
    const { steady, after } = this.#options;
    const wait = this.#freeAt - steady();
    return wait > 0 ? sleep(after, wait) : undefined;
  }
}

/**
 * Books bytes with all of these, and waits for the slowest.
 *
 * @throws The signal's reason, when it aborts before.
 */
export async function passLimits(
  limits: readonly RateLimit[],
  bytes: number,
  { after, signal }: { readonly after: Timer; readonly signal: AbortSignal },
): Promise<void> {
  const wait = Math.max(0, ...limits.map((limit) => limit.book(bytes)));
  if (wait > 0) await sleep(after, wait, signal);
}
