/**
 * Keeps a connection on a path that works, from the first nomination on.
 *
 * A path is a candidate pair. Only an answer to a check of ours says that one works: what comes in,
 * data as well as checks, says nothing of what goes out, and may be a copy. So:
 *
 * - The nominated pair is checked all the time (consent, RFC 7675). It alone counts as alive.
 * - When its checks stay unanswered, all other pairs are checked as well. The controlling side moves
 *   to one that answered, and nominates it.
 * - The controlled side moves where the other side nominates, once a check of its own, sent after
 *   that, was answered from there.
 * - Each consent check of the controlling side nominates its pair anew: a peer that sees it come
 *   from a new address, or missed an earlier nomination, follows.
 *
 * @module
 */
import { CONSENT_MS, CONSENT_RETRY_MS } from "../../../base/timing.ts";

/** So many checks without an answer, and other pairs are tried. */
const DOUBTFUL = 3;
/**
 * So many without an answer, and the peer is gone: 9.5 s after its last sign. Counted, not timed: when
 * this process was stopped for a while, the peer gets its chance to answer.
 */
const GONE = 15;
/** Most other pairs that are tried at once: so all of them get their turn in time. */
const TRIED_AT_ONCE = 10;

/** What is watched. `P` is a candidate pair. */
export interface Paths<P> {
  /** The pair that data is sent on. */
  readonly nominated: P | undefined;
  /** Whether we decide which pair is nominated. It may change while roles are in conflict. */
  readonly isControlling: boolean;
  /** All pairs, the best first. */
  readonly pairs: readonly P[];
  /** Checks a pair, once; whether it was answered. Never rejects. */
  check(pair: P, nominate: boolean): Promise<boolean>;
  /** From now on data is sent on this pair. */
  select(pair: P): void;
}

/** Options of a {@linkcode PathWatch}; those in milliseconds are for tests. */
export interface PathWatchOptions {
  /** Called once, when no path is left. Nothing is checked any more. */
  readonly onGone: () => void;
  /** Called before other pairs are tried: there may be new ones. */
  readonly onDoubt?: () => void;
  /** Between two checks of a pair that answers. @default {CONSENT_MS} */
  readonly consentMs?: number;
  /** After a check without an answer, until the next. @default {CONSENT_RETRY_MS} */
  readonly retryMs?: number;
}

/** Watches the paths of one connection; begins at once. */
export class PathWatch<P> implements Disposable {
  readonly #paths: Paths<P>;
  readonly #options: PathWatchOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;
  /** Checks of the nominated pair since its last answer. */
  #unanswered = 0;
  /** Other pairs that have answered since the nominated one did last. */
  readonly #working = new Set<P>();
  /** Which of the other pairs is tried next. */
  #next = 0;
  /** The pair that the controlling peer nominated last. */
  #called: P | undefined;
  /** Pairs that are being checked because the peer nominated them. */
  readonly #following = new Set<P>();

  /** Begins with a check of the nominated pair: the peer hears at once which one we took. */
  constructor(paths: Paths<P>, options: PathWatchOptions) {
    this.#paths = paths;
    this.#options = options;
    this.#step();
  }

  /**
   * Takes note of the peer's wish to use a pair.
   *
   * @param pair On which an authentic request came in that had not been seen before.
   */
  onNomination(pair: P): void {
    if (this.#isOver || this.#paths.isControlling) return;
    this.#called = pair;
    if (pair !== this.#paths.nominated) void this.#follow(pair);
  }

  /** Others are tried at once: what the nominated pair needs has gone. */
  suspect(): void {
    if (this.#isOver || this.#isDoubtful) return;
    this.#unanswered = DOUBTFUL;
    this.#step();
  }

  /** Checks a pair on which a request came in, as ICE asks for (triggered checks). */
  async onRequest(pair: P): Promise<void> {
    if (!this.#isOver) await this.#try(pair);
  }

  /** Stops: no timer is left. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #after(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#isOver) this.#timer = setTimeout(() => this.#step(), ms);
  }

  #step(): void {
    const { nominated } = this.#paths;
    if (nominated === undefined) return;
    if (this.#unanswered >= GONE) {
      this[Symbol.dispose]();
      return this.#options.onGone();
    }
    if (this.#isDoubtful) {
      this.#options.onDoubt?.();
      if (this.#moveOn()) return;
      this.#tryOthers(nominated);
    }
    this.#unanswered++;
    void this.#consent(nominated);
    this.#after(this.#options.retryMs ?? CONSENT_RETRY_MS);
  }

  get #isDoubtful(): boolean {
    return this.#unanswered >= DOUBTFUL;
  }

  async #consent(pair: P): Promise<void> {
    const isAnswered = await this.#paths.check(pair, this.#paths.isControlling);
    if (!isAnswered || this.#isOver || pair !== this.#paths.nominated) return;
    this.#unanswered = 0;
    this.#working.clear();
    this.#after(this.#options.consentMs ?? CONSENT_MS);
  }

  #tryOthers(nominated: P): void {
    const others = this.#paths.pairs.filter((pair) => pair !== nominated);
    for (let i = 0; i < Math.min(TRIED_AT_ONCE, others.length); i++) {
      const pair = others[this.#next++ % others.length];
      if (pair !== undefined) void this.#try(pair);
    }
  }

  async #try(pair: P): Promise<void> {
    const isAnswered = await this.#paths.check(pair, false);
    if (!isAnswered || this.#isOver || pair === this.#paths.nominated) return;
    this.#working.add(pair);
    if (this.#isDoubtful) this.#moveOn();
  }

  /** Moves to the best pair that works in place of the nominated one; whether there was one. */
  #moveOn(): boolean {
    if (!this.#paths.isControlling) return false;
    const pair = this.#paths.pairs.find((pair) => this.#working.has(pair));
    if (pair === undefined) return false;
    this.#select(pair);
    return true;
  }

  async #follow(pair: P): Promise<void> {
    if (this.#following.has(pair)) return;
    this.#following.add(pair);
    const isAnswered = await this.#paths.check(pair, false);
    this.#following.delete(pair);
    const isWanted = this.#called === pair && !this.#paths.isControlling;
    if (isAnswered && isWanted && !this.#isOver && pair !== this.#paths.nominated) {
      this.#select(pair);
    }
  }

  /** The new pair is checked at once: it has to stay alive on its own, and the peer has to hear. */
  #select(pair: P): void {
    this.#paths.select(pair);
    this.#unanswered = 0;
    this.#working.clear();
    this.#step();
  }
}
