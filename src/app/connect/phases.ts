/**
 * Phases of connecting, and of a one-shot run: each ends within `--phase-timeout-secs`.
 *
 * @module
 */
import { Deadline } from "../../base/deadline.ts";

/** Starts phases that share a length and one signal that ends them all. */
export class Phases {
  readonly #ms: number;
  readonly #signal: AbortSignal;

  /**
   * Makes phases of a length.
   *
   * @param secs The length of each phase, in seconds.
   * @param signal Ends the phase under way with its reason.
   */
  constructor(secs: number, signal: AbortSignal) {
    this.#ms = secs * 1000;
    this.#signal = signal;
  }

  /** Begins a phase; dispose the deadline when the phase has ended. */
  begin(what: string): Deadline {
    return new Deadline(this.#ms, { parent: this.#signal, what });
  }
}
