/**
 * Sees that the peer at the other end of a TCP connection is gone (consent, RFC 7675), where its
 * answers may queue behind data.
 *
 * Whatever the peer's keys have sealed shows that it is there. A check is sent only when nothing
 * else came. While bytes leave, silence is borne for longer.
 *
 * @module
 */
import { CONSENT_MS, TCP_MOVING_SILENCE_MS, TCP_SILENCE_MS } from "../../../base/timing.ts";

/** What is watched. */
export interface WatchedLink {
  /** Bytes that the system has taken so far. */
  readonly writtenBytes: number;
  /** Asks the peer, once; whether it answered in time. Never rejects. */
  check(): Promise<boolean>;
}

/** Options of a {@linkcode LinkWatch}. */
export interface LinkWatchOptions {
  /** Called once, when the peer is gone. */
  readonly onGone: () => void;
  /** Between two looks, in milliseconds, for tests. @default {CONSENT_MS} */
  readonly lookMs?: number;
}

// Counted, not timed: when this process was stopped for a while, the peer gets its chance.
const SILENT_LOOKS = TCP_SILENCE_MS / CONSENT_MS;
const MOVING_LOOKS = TCP_MOVING_SILENCE_MS / CONSENT_MS;
/** Fewer bytes between two looks may be checks of ours, which show nothing. */
const MOVING_BYTES = 4096;

/** Watches one connection; begins at once. */
export class LinkWatch implements Disposable {
  readonly #link: WatchedLink;
  readonly #onGone: () => void;
  readonly #timer: ReturnType<typeof setInterval>;
  #hasHeard = true;
  /** Looks since the peer was heard, and since bytes left. */
  #silent = 0;
  #still = 0;
  #written: number;

  /** Begins with a peer that was just heard. */
  constructor(link: WatchedLink, { onGone, lookMs = CONSENT_MS }: LinkWatchOptions) {
    this.#link = link;
    this.#onGone = onGone;
    this.#written = link.writtenBytes;
    this.#timer = setInterval(() => this.look(), lookMs);
  }

  /** The peer has sent something that only it can have. */
  heard(): void {
    this.#hasHeard = true;
  }

  /** What the timer does. */
  look(): void {
    const { writtenBytes } = this.#link;
    this.#still = writtenBytes - this.#written < MOVING_BYTES ? this.#still + 1 : 0;
    this.#written = writtenBytes;
    if (this.#hasHeard) {
      this.#hasHeard = false;
      this.#silent = 0;
      return;
    }
    this.#silent++;
    const isStill = this.#silent >= SILENT_LOOKS && this.#still >= SILENT_LOOKS;
    if (isStill || this.#silent >= MOVING_LOOKS) {
      this[Symbol.dispose]();
      return this.#onGone();
    }
    void this.#ask();
  }

  /** Stops: no timer is left. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #ask(): Promise<void> {
    if (await this.#link.check()) this.#hasHeard = true;
  }
}
