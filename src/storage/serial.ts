/**
 * One piece of work after the other, with a bound on those that wait.
 *
 * @module
 */
import { StorageError } from "../base/errors.ts";

/** Why something can't wait as well. */
export function queueFull(): StorageError {
  return new StorageError("QUEUE_FULL", "too many writes wait for the disk; try again later");
}

/** Runs asynchronous work in the order it came, one at a time. */
export class Serial {
  readonly #limit: number;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Begins with nothing to do.
   *
   * @param limit How many may run and wait together.
   */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * The outcome of `work`, begun when all earlier work has ended, well or badly.
   *
   * @throws {StorageError} `QUEUE_FULL` when too many wait; else what `work` throws.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#limit) {
      throw queueFull();
    }
    this.#waiting++;
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }
}
