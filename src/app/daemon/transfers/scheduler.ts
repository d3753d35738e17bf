/**
 * Which transfers run: at most so many at once, higher priority first, then in the order asked.
 *
 * @module
 */
import { messageOf } from "../../../base/errors.ts";
import { OperationError } from "../../../ipc/problem.ts";
import type { Log } from "../../../log/log.ts";

/** Most transfers that may wait. */
export const MAX_WAITING = 1000;

/** A transfer that waits to run. */
export interface ScheduledWork {
  /** Higher goes first. */
  readonly priority: number;
  /** Whether it could run now; asked whenever something has changed. */
  ready(): boolean;
  /** Runs to the end. `again` puts it back into the queue, where it was. */
  run(): Promise<"done" | "again">;
}

/** Options of a {@linkcode Scheduler}. */
export interface SchedulerOptions {
  /** Most that run at once. */
  readonly maxActive: number;
  /** Told of work that failed in a way that nobody expected. */
  readonly log: Log;
  /** Most that wait. @default {MAX_WAITING} */
  readonly maxWaiting?: number;
}

/** Runs work in its order. */
export class Scheduler {
  readonly #options: SchedulerOptions;
  /** Sorted: what goes first is first. */
  readonly #waiting: { readonly work: ScheduledWork; readonly order: number }[] = [];
  readonly #active = new Set<Promise<void>>();
  #order = 0;
  #stopped = false;

  /** Starts with nothing. */
  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Transfers under way. */
  get active(): number {
    return this.#active.size;
  }

  /**
   * Fails when `count` more would not fit.
   *
   * @throws {OperationError} LIMIT_EXCEEDED
   */
  checkRoom(count: number): void {
    const { maxWaiting = MAX_WAITING } = this.#options;
    if (this.#waiting.length + count <= maxWaiting) return;
    throw new OperationError(
      "LIMIT_EXCEEDED",
      `${this.#waiting.length} transfers wait already, ${maxWaiting} may: try again when some ended`,
    );
  }

  /** Queues work. */
  add(work: ScheduledWork): void {
    this.checkRoom(1);
    this.#insert(work, this.#order++);
    this.wake();
  }

  /** Takes work out that has not begun. Says whether it was there. */
  remove(work: ScheduledWork): boolean {
    const at = this.#waiting.findIndex((waiting) => waiting.work === work);
    if (at < 0) return false;
    this.#waiting.splice(at, 1);
    return true;
  }

  /** Something changed: starts what can run now. */
  wake(): void {
    for (let i = 0; i < this.#waiting.length && !this.#stopped;) {
      if (this.#active.size >= this.#options.maxActive) return;
      const next = this.#waiting[i];
      if (next?.work.ready()) {
        this.#waiting.splice(i, 1);
        this.#start(next.work, next.order);
      } else i++;
    }
  }

  /** Starts nothing any more; resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting.length = 0;
    await Promise.all(this.#active);
  }

  #insert(work: ScheduledWork, order: number): void {
    const at = this.#waiting.findIndex((other) =>
      other.work.priority < work.priority ||
      (other.work.priority === work.priority && other.order > order)
    );
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, { work, order });
  }

  #start(work: ScheduledWork, order: number): void {
    const running = work.run().then((outcome) => {
      if (outcome === "again" && !this.#stopped) this.#insert(work, order);
    }).catch((error) => {
      this.#options.log.error("a transfer failed unexpectedly", { error: messageOf(error) });
    }).finally(() => {
      this.#active.delete(running);
      this.wake();
    });
    this.#active.add(running);
  }
}
