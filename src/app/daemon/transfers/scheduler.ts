/**
 * When queued transfers begin: each as soon as its session is free for it, higher priority first,
 * then in the order asked. How many of those that have begun may flow is for `slots.ts`.
 *
 * @module
 */
import { messageOf } from "../../../base/errors.ts";
import { OperationError } from "../../../ipc/api/problem.ts";
import type { Log } from "../../../log/log.ts";

/** Most transfers that may wait. */
export const MAX_WAITING = 1000;

/** A transfer that runs to its end. */
export interface Work {
  /** Runs to the end. `again` puts it back into the queue, where it was. */
  run(): Promise<"done" | "again">;
}

/** A transfer that waits to begin. */
export interface ScheduledWork extends Work {
  /** Higher goes first; among equal ones peers take turns. */
  readonly priority: number;
  /** Whether it could begin now; asked whenever something has changed. */
  ready(): boolean;
}

/** Options of a {@linkcode Scheduler}. */
export interface SchedulerOptions {
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
  readonly #running = new Set<Promise<void>>();
  #order = 0;
  #stopped = false;

  /** Starts with nothing. */
  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Transfers that have begun and not ended. */
  get running(): number {
    return this.#running.size;
  }

  /**
   * Fails when `count` more would not fit.
   *
   * @throws {OperationError} LIMIT_EXCEEDED
   */
  checkCapacity(count: number): void {
    const { maxWaiting = MAX_WAITING } = this.#options;
    if (this.#waiting.length + count <= maxWaiting) return;
    throw new OperationError(
      "LIMIT_EXCEEDED",
      `${this.#waiting.length} transfers wait already, at most ${maxWaiting} may: try again when ` +
        "some have ended",
    );
  }

  /** Runs an accepted offer of a peer at once: its session is free for it. */
  begin(work: Work): void {
    this.#track(work.run());
  }

  /** Queues work. @throws {OperationError} LIMIT_EXCEEDED */
  add(work: ScheduledWork): void {
    this.checkCapacity(1);
    this.restore(work);
  }

  /** Queues work that an earlier run had taken, whatever there is by now. */
  restore(work: ScheduledWork): void {
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

  /** Something changed: starts what can begin now. */
  wake(): void {
    for (let i = 0; i < this.#waiting.length && !this.#stopped;) {
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
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #insert(work: ScheduledWork, order: number): void {
    const at = this.#waiting.findIndex((other) =>
      other.work.priority < work.priority ||
      (other.work.priority === work.priority && other.order > order)
    );
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, { work, order });
  }

  #start(work: ScheduledWork, order: number): void {
    this.#track(
      work.run().then((outcome) => {
        if (outcome === "again" && !this.#stopped) this.#insert(work, order);
      }),
    );
  }

  #track(run: Promise<unknown>): void {
    const running = run.then(() => {}, (error) => {
      this.#options.log.error("a transfer failed unexpectedly", { error: messageOf(error) });
    }).finally(() => {
      this.#running.delete(running);
      this.wake();
    });
    this.#running.add(running);
  }
}
