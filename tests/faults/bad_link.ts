/**
 * One direction of a bad network, as a model: when, and how often, does a datagram arrive? Pure but
 * for the numbers that it is given, so that a seed repeats what happened.
 *
 * @module
 */

/** Milliseconds of silence after which a burst of losses is over: it is a state of the path. */
const BURST_MEMORY_MS = 100;

/** What a direction does to datagrams. */
export interface LinkConditions {
  /** How long each takes, in milliseconds. @default {0} */
  readonly delayMs?: number;
  /** Up to so much more, in milliseconds, without changing the order. @default {0} */
  readonly jitterMs?: number;
  /** Share that is lost. @default {0} */
  readonly loss?: number;
  /**
   * Datagrams that are lost in a row, on average, when they follow each other within 100 ms; 1
   * loses each on its own. @default {1}
   */
  readonly lossBurst?: number;
  /** Share that is held back by {@linkcode LinkConditions.reorderMs}, and overtaken. @default {0} */
  readonly reorder?: number;
  /** Milliseconds that a reordered one is late. @default {15} */
  readonly reorderMs?: number;
  /** Share that arrives twice. @default {0} */
  readonly duplicate?: number;
  /** Bytes a second that pass. @default {Infinity} */
  readonly bytesPerSecond?: number;
  /** Bytes that wait for the rate; what comes on top is lost. @default {65536} */
  readonly queueBytes?: number;
  /** Nothing passes. @default {false} */
  readonly cut?: boolean;
}

/** Decides for each datagram of one direction when it arrives, by conditions that may change. */
export class BadLink {
  #conditions: LinkConditions;
  #change = Promise.withResolvers<void>();
  readonly #random: () => number;
  #inBurst = false;
  #lastSeenAt = -Infinity;
  /** When the last byte that was let in has left, in milliseconds. */
  #freeAt = 0;
  #lastArrival = 0;

  /**
   * A direction in these conditions.
   *
   * @param random Numbers in [0, 1).
   */
  constructor(conditions: LinkConditions, random: () => number) {
    this.#conditions = conditions;
    this.#random = random;
  }

  /** May be changed at any time. */
  get conditions(): LinkConditions {
    return this.#conditions;
  }

  set conditions(conditions: LinkConditions) {
    this.#conditions = conditions;
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  /** Resolves when the conditions are changed the next time. */
  get changed(): Promise<void> {
    return this.#change.promise;
  }

  /**
   * When a datagram arrives: never (empty), once or twice.
   *
   * @param bytes Its length.
   * @param now Milliseconds on a clock that never goes back, as the times returned.
   */
  arrivals(bytes: number, now: number): number[] {
    const { cut = false, duplicate = 0 } = this.conditions;
    if (cut || this.isNextLost(now)) return [];
    const left = this.#pass(bytes, now);
    if (left === undefined) return [];
    const copies = this.#random() < duplicate ? 2 : 1;
    return Array.from({ length: copies }, () => this.#arrival(left));
  }

  /** Independent losses, or the two states of Gilbert's model: all is lost, or nothing. */
  isNextLost(now: number): boolean {
    const { loss = 0, lossBurst = 1 } = this.conditions;
    if (now - this.#lastSeenAt > BURST_MEMORY_MS) this.#inBurst = false;
    this.#lastSeenAt = now;
    if (loss <= 0) return false;
    if (lossBurst <= 1) return this.#random() < loss;
    const leave = 1 / lossBurst;
    const enter = leave * loss / (1 - loss);
    this.#inBurst = this.#inBurst ? this.#random() >= leave : this.#random() < enter;
    return this.#inBurst;
  }

  /** When it has left the queue of the rate limit; undefined when that is full. */
  #pass(bytes: number, now: number): number | undefined {
    const { bytesPerSecond = Infinity, queueBytes = 65_536 } = this.conditions;
    if (bytesPerSecond === Infinity) return now;
    const waiting = Math.max(0, this.#freeAt - now) * bytesPerSecond / 1000;
    return waiting + bytes > queueBytes ? undefined : this.leave(bytes, now);
  }

  /** When bytes have left that wait for the rate, however many they are. */
  leave(bytes: number, now: number): number {
    const { bytesPerSecond = Infinity } = this.conditions;
    this.#freeAt = Math.max(now, this.#freeAt) + bytes * 1000 / bytesPerSecond;
    return this.#freeAt;
  }

  /** How long the next one takes, in milliseconds. */
  delay(): number {
    const { delayMs = 0, jitterMs = 0 } = this.conditions;
    return delayMs + (jitterMs > 0 ? this.#random() * jitterMs : 0);
  }

  #arrival(left: number): number {
    const { reorder = 0, reorderMs = 15 } = this.conditions;
    const due = left + this.delay();
    if (this.#random() < reorder) return due + reorderMs;
    this.#lastArrival = Math.max(due, this.#lastArrival);
    return this.#lastArrival;
  }
}
