/**
 * The files that wait for linked peers, whatever becomes of sessions: who may wait, and for how long.
 * When each begins is for `scheduler.ts`.
 *
 * @module
 */
import type { Timer } from "../../../base/timer.ts";
import { LONGEST_TIMER_MS } from "../../../base/timing.ts";
import { OperationError } from "../../../ipc/api/problem.ts";
import type { QueuePlace } from "../../../storage/journal_record.ts";
import {
  EXPIRED,
  leftMs,
  MAX_WAITING_FOR_PEER,
  NOT_LINKED,
  placeInQueue,
  type PlaceOptions,
} from "./queue_rules.ts";
import type { TransferEntry, TransferFailure } from "./transfer_entry.ts";

/** Options of a {@linkcode PeerQueue}. */
export interface PeerQueueOptions {
  /** Whether there is a link to an identity, which is trusted. */
  readonly isLinked: (identity: string) => boolean;
  /** Milliseconds since 1970: what counts from one run to the next. */
  readonly now: () => number;
  /** Milliseconds on a clock that never goes back: what counts in this run. */
  readonly steady: () => number;
  /** Calls back later. */
  readonly after: Timer;
  /** Called when some may wait no longer: {@linkcode PeerQueue.refusal} says which. */
  readonly onExpired: () => void;
}

/** A place without its order; `now` is the clock's unless it is given. */
export type PlaceNow = Omit<PlaceOptions, "order" | "now"> & Partial<Pick<PlaceOptions, "now">>;

/** The files that wait for linked peers. Disposing it stops its timer. */
export class PeerQueue implements Disposable {
  readonly #options: PeerQueueOptions;
  /** When each is given up, on the steady clock. */
  readonly #deadlines = new Map<TransferEntry, number>();
  #order = 0;
  #stopTimer = () => {};

  /** Begins empty. */
  constructor(options: PeerQueueOptions) {
    this.#options = options;
  }

  /** Whether files for this peer wait while it is away. */
  takes(identity: string): boolean {
    return this.#options.isLinked(identity);
  }

  /**
   * Fails when so many more files would be too many for one peer that is away.
   *
   * @throws {OperationError} LIMIT_EXCEEDED
   */
  checkRoom(identity: string, count: number): void {
    const waiting =
      [...this.#deadlines.keys()].filter((entry) =>
        entry.facts.identity === identity && entry.isKeptInQueue
      ).length;
    if (waiting + count <= MAX_WAITING_FOR_PEER) return;
    throw new OperationError(
      "LIMIT_EXCEEDED",
      `${waiting} files wait for that peer already, at most ${MAX_WAITING_FOR_PEER} may while it is ` +
        "away: cancel some, or wait for it to come",
    );
  }

  /** The next place, behind all others of the same priority. */
  place({ now = this.#options.now(), ...options }: PlaceNow): QueuePlace {
    return placeInQueue({ ...options, order: this.#order++, now });
  }

  /** Keeps a file that was queued, now or in an earlier run. */
  add(entry: TransferEntry): void {
    const { queue } = entry.facts;
    if (queue === undefined) return;
    const { now, steady } = this.#options;
    this.#order = Math.max(this.#order, queue.order + 1);
    this.#deadlines.set(entry, steady() + leftMs(queue, now()));
    this.#arm();
  }

  /** Why a file may wait no longer; undefined when it may. */
  refusal(entry: TransferEntry): TransferFailure | undefined {
    if (!this.#options.isLinked(entry.facts.identity)) return NOT_LINKED;
    const deadline = this.#deadlines.get(entry) ?? 0;
    return this.#options.steady() < deadline ? undefined : EXPIRED;
  }

  /** Looks again when the next one's time is over. One that is under way by then is not looked at. */
  #arm(): void {
    const { steady, after, onExpired } = this.#options;
    this.#stopTimer();
    const now = steady();
    let next = Infinity;
    for (const [entry, deadline] of this.#deadlines) {
      if (entry.isFinal) this.#deadlines.delete(entry);
      else if (deadline > now) next = Math.min(next, deadline);
    }
    if (next === Infinity) return;
    this.#stopTimer = after(Math.min(Math.ceil(next - now), LONGEST_TIMER_MS), () => {
      onExpired();
      this.#arm();
    });
  }

  /** Stops looking. */
  [Symbol.dispose](): void {
    this.#stopTimer();
    this.#deadlines.clear();
  }
}
