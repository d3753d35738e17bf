/**
 * A timer whose deadline may be moved at every packet: the system's timer is only set when none is
 * under way, and set again when it ran out too early.
 *
 * @module
 */
import { SCTP_TIMER_EARLY_MS } from "../../../base/timing.ts";

/** Calls back once its deadline, on the clock of `performance.now()`, has passed. */
export class LazyTimer implements Disposable {
  readonly #callback: () => void;
  #deadline: number | undefined;
  #handle: ReturnType<typeof setTimeout> | undefined;
  #handleEndsAt = Infinity;
  #disposed = false;

  /**
   * Makes a timer that is not set.
   *
   * @param callback Called when the deadline has passed; may set a new one.
   */
  constructor(callback: () => void) {
    this.#callback = callback;
  }

  /** Moves the deadline; undefined takes it away. */
  set(deadline: number | undefined): void {
    this.#deadline = this.#disposed ? undefined : deadline;
    if (this.#deadline === undefined || this.#handleEndsAt <= this.#deadline) return;
    this.#start(this.#deadline);
  }

  /** Nothing is called back any more, and nothing is left. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#deadline = undefined;
    clearTimeout(this.#handle);
  }

  #start(deadline: number): void {
    clearTimeout(this.#handle);
    this.#handleEndsAt = deadline;
    const wait = Math.max(0, deadline - performance.now());
    this.#handle = setTimeout(() => this.#onTimer(), wait);
  }

  #onTimer(): void {
    this.#handleEndsAt = Infinity;
    const deadline = this.#deadline;
    if (deadline === undefined) return;
    if (deadline - performance.now() >= SCTP_TIMER_EARLY_MS) return this.#start(deadline);
    this.#deadline = undefined;
    this.#callback();
  }
}
