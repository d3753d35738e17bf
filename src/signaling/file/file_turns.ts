/**
 * Work on files that may never end: a network share whose server is gone holds every call.
 *
 * @module
 */
import { abortable } from "../../base/deadline.ts";

/**
 * How many pieces of work are under way at once. The runtime has 32 threads for files, and a call
 * that hangs keeps its thread: so many are left for everything else.
 */
const MOST_AT_ONCE = 8;

/** Runs work on files, a bounded number at once, and lets go of those that wait when they give up. */
export class FileTurns {
  readonly #most: number;
  #underWay = 0;
  readonly #waiting = new Set<() => void>();

  /** Makes one that is idle. */
  constructor(most = MOST_AT_ONCE) {
    this.#most = most;
  }

  /**
   * The outcome of `work`, begun at its turn. When the signal aborts, the caller is let go at once; work
   * that has begun goes on, unheard, and keeps its turn until the system lets it end.
   *
   * @throws Whatever `work` throws; or the signal's reason.
   */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    while (this.#underWay >= this.#most) await this.#turn(signal);
    signal.throwIfAborted();
    this.#underWay++;
    return await abortable(
      work().finally(() => {
        this.#underWay--;
        const [next] = this.#waiting;
        next?.();
      }),
      signal,
    );
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    try {
      await abortable(promise, signal);
    } finally {
      this.#waiting.delete(resolve);
    }
  }
}

/** The process's own: all signal files share it. */
export const fileTurns = new FileTurns();
