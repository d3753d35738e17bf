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
  /**
   * The session that it was queued for, or the identity of the linked peer: all work of one can begin,
   * or none of it.
   */
  readonly queuedFor: object | string;
  /** Whether it lets those behind it go first, until the scheduler is woken. @default {false} */
  readonly rests?: boolean;
  /** Whether it could begin now; asked of the first of each session whenever something has changed. */
  ready(): boolean;
  /** The work before it in its queue has begun: what can be done ahead may be done. */
  prepare?(): void;
}

/** Work in its place in the queue. */
interface Waiting {
  readonly work: ScheduledWork;
  readonly order: number;
}

/** Below 0 when `a` goes before `b`. */
const compare = (a: Waiting, b: Waiting): number =>
  b.work.priority - a.work.priority || a.order - b.order;

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
  /** By what it was queued for, none empty. Sorted: what goes first is first. */
  readonly #queues = new Map<object | string, Waiting[]>();
  #waiting = 0;
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
    if (this.#waiting + count <= maxWaiting) return;
    throw new OperationError(
      "LIMIT_EXCEEDED",
      `${this.#waiting} transfers wait already, at most ${maxWaiting} may: try again when ` +
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
    const queue = this.#queues.get(work.queuedFor) ?? [];
    const at = queue.findIndex((waiting) => waiting.work === work);
    if (at < 0) return false;
    queue.splice(at, 1);
    this.#waiting--;
    if (queue.length === 0) this.#queues.delete(work.queuedFor);
    return true;
  }

  /** Something changed: starts what can begin now. */
  wake(): void {
    const held = new Set<object | string>();
    while (!this.#stopped) {
      const [next] = [...this.#queues]
        .filter(([queuedFor]) => !held.has(queuedFor))
        .flatMap(([_, queue]) => queue.find(({ work }) => work.rests !== true) ?? [])
        .sort(compare);
      if (next === undefined) return;
      if (next.work.ready()) {
        this.remove(next.work);
        this.#start(next.work, next.order);
        this.#queues.get(next.work.queuedFor)?.[0]?.work.prepare?.();
      } else held.add(next.work.queuedFor);
    }
  }

  /** Starts nothing any more; resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#queues.clear();
    this.#waiting = 0;
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #insert(work: ScheduledWork, order: number): void {
    const waiting = { work, order };
    const queue = this.#queues.get(work.queuedFor) ?? [];
    this.#queues.set(work.queuedFor, queue);
    queue.splice(queue.findLastIndex((other) => compare(other, waiting) < 0) + 1, 0, waiting);
    this.#waiting++;
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
