/**
 * Keep-alive: after some silence of the peer a ping is due, after longer silence the session's end.
 *
 * @module
 */

/** Waits of the keepalive, in ms. */
export interface KeepAliveTiming {
  /** Silence after which we ping, again and again. @default {PING_MS} */
  readonly pingMs: number;
  /** Silence after which the peer is given up. @default {PEER_LOST_MS} */
  readonly lostMs: number;
}

/** What the keepalive asks for when its time has come. */
export type KeepAliveDue = "ping" | "lost";

/** The silence of one peer. */
export class KeepAlive {
  readonly #timing: KeepAliveTiming;
  #heardAt: number;
  #pingAt: number;

  /** Starts as if the peer was heard `now`, in ms. */
  constructor(timing: KeepAliveTiming, now: number) {
    this.#timing = timing;
    this.#heardAt = now;
    this.#pingAt = now + timing.pingMs;
  }

  /**
   * The peer said something.
   *
   * @param pingsAnyway We are to be heard all the same, as we do not answer just now.
   */
  heard(now: number, pingsAnyway = false): void {
    this.#heardAt = now;
    if (!pingsAnyway) this.#pingAt = now + this.#timing.pingMs;
  }

  /** When something is due, in ms. */
  get nextDeadline(): number {
    return Math.min(this.#pingAt, this.#heardAt + this.#timing.lostMs);
  }

  /** What is due now, if anything. A ping that is due counts as sent. */
  due(now: number): KeepAliveDue | undefined {
    if (now >= this.#heardAt + this.#timing.lostMs) return "lost";
    if (now < this.#pingAt) return undefined;
    this.#pingAt = now + this.#timing.pingMs;
    return "ping";
  }
}
