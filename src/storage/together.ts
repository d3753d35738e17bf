/**
 * Work of one kind that waits for the disk, done together: what several have in common, such as a
 * sync, is done once for all of them.
 *
 * @module
 */
import { queueFull, type Serial } from "./serial.ts";

/** One item of work, and who waits for its outcome. */
export interface Job<T, R> extends PromiseWithResolvers<R> {
  /** What is to be worked on. */
  readonly item: T;
}

/** Collects what is asked for while earlier work runs. */
export class Together<T, R> {
  readonly #serial: Serial;
  readonly #limit: number;
  readonly #work: (all: readonly Job<T, R>[]) => Promise<void>;
  /** What waits for the next turn; there is one as long as there is anything. */
  #waiting: Job<T, R>[] = [];

  /**
   * Nothing is asked for yet.
   *
   * @param serial Gives the work its turns.
   * @param limit How many may wait for the next turn.
   * @param work Settles each of what waits; those that it leaves when it throws get that error.
   */
  constructor(
    serial: Serial,
    limit: number,
    work: (all: readonly Job<T, R>[]) => Promise<void>,
  ) {
    this.#serial = serial;
    this.#limit = limit;
    this.#work = work;
  }

  /**
   * The outcome for this item, in the next turn, with all others that wait then.
   *
   * @throws {StorageError} `QUEUE_FULL` when too many wait; else what the work gives it.
   */
  async run(item: T): Promise<R> {
    if (this.#waiting.length >= this.#limit) throw queueFull();
    const asked = { item, ...Promise.withResolvers<R>() };
    if (this.#waiting.push(asked) === 1) {
      this.#serial.run(() => this.#workOn(this.#take())).catch((error) => {
        for (const { reject } of this.#take()) reject(error);
      });
    }
    return await asked.promise;
  }

  #take(): readonly Job<T, R>[] {
    const all = this.#waiting;
    this.#waiting = [];
    return all;
  }

  async #workOn(all: readonly Job<T, R>[]): Promise<void> {
    try {
      await this.#work(all);
    } catch (error) {
      for (const { reject } of all) reject(error);
    }
  }
}
