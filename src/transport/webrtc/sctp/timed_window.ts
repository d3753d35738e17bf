/**
 * How many bytes may be under way on a link that loses nothing (TCP): what it carries in some
 * seconds. The system takes megabytes that nobody has read, and what is behind them, such as the
 * word that the peer is still there, comes as late as they take. Pure.
 *
 * @module
 */
import { TCP_IN_FLIGHT_MS } from "../../../base/timing.ts";

/** The bounds of the window, in bytes. */
export const TIMED_WINDOW = {
  /** At first: some seconds of a slow path, which is not known yet. It doubles each round trip. */
  first: 128 * 1024,
  /** At most: what a receiver of ours has room for. */
  most: 1536 * 1024,
  /** Four large packets: the slowest path is never idle. */
  least: 64 * 1024,
} as const;

/** A chunk that was acknowledged. */
export interface TimedChunk {
  /** When it was sent. */
  readonly sentAt: number;
  /** Bytes that were under way then, with its own. */
  readonly flightBytes: number;
}

/** The window of one direction. */
export class TimedWindow {
  #bytes: number = TIMED_WINDOW.first;
  #changedAt = -Infinity;

  /** Bytes that may be under way. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A chunk was acknowledged: it tells how long that takes with so many bytes under way. */
  onAcknowledged({ sentAt, flightBytes }: TimedChunk, now: number): void {
    // What was sent before the last change says nothing of what holds now.
    if (sentAt < this.#changedAt) return;
    const took = now - sentAt;
    if (took > TCP_IN_FLIGHT_MS) this.#change(flightBytes * TCP_IN_FLIGHT_MS / took, now);
    else if (took < TCP_IN_FLIGHT_MS / 2 && flightBytes > this.#bytes / 2) {
      this.#change(2 * this.#bytes, now);
    }
  }

  #change(bytes: number, now: number): void {
    this.#bytes = Math.round(Math.min(Math.max(bytes, TIMED_WINDOW.least), TIMED_WINDOW.most));
    this.#changedAt = now;
  }
}
