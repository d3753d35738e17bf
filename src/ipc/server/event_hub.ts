/**
 * The daemon's events: published once, kept in a bounded ring, read by any number of streams.
 *
 * A reader holds nothing but a position in the ring, so however slow it is, it costs no memory
 * here; what it has not read when the ring moves on is lost to it, and it is told so.
 *
 * @module
 */
import { safeJson } from "../../base/text.ts";
import type { DaemonEvent, EventType } from "../api/events.ts";

/** Characters of events that are kept for replay, unless said otherwise. */
export const MAX_KEPT_CHARS = 1_048_576;

/** Options of an {@linkcode EventHub}. */
export interface EventHubOptions {
  /** Most events that are kept for replay. @default {1024} */
  readonly capacity?: number;
  /** Most characters of JSON that are kept. @default {1_048_576} */
  readonly maxChars?: number;
  /**
   * Tells the ids of this run from those of another, `[0-9a-z]{1,32}`: after a restart a reader's
   * last id is unknown, and it gets a gap.
   * @default {the time of creation, in base 36}
   */
  readonly epoch?: string;
  /** The clock. @default {() => new Date()} */
  readonly now?: () => Date;
}

/** An event in the ring, spelled once for all readers. */
export interface StoredEvent {
  /** Its place: each event's is higher than all before. */
  readonly seq: number;
  /** What a reader sends to go on after it. */
  readonly id: string;
  /** The name of the event. */
  readonly type: EventType;
  /** One line, no line feed. */
  readonly json: string;
}

/** A position in the ring: all up to this event has been read. */
export type Cursor = number;

/** A position that never was one of this hub's: the next reading begins with a gap. */
const UNKNOWN: Cursor = -1;

/** Publishes events, keeps the newest, and wakes whoever reads them. */
export class EventHub {
  readonly #capacity: number;
  readonly #maxChars: number;
  readonly #epoch: string;
  readonly #now: () => Date;
  /** In order of seq, with holes where progress was superseded. */
  readonly #ring: StoredEvent[] = [];
  readonly #listeners = new Set<() => void>();
  /** The last progress event of each transfer that is in the ring. */
  readonly #progress = new Map<string, number>();
  #chars = 0;
  #seq = 0;
  #lostThrough = 0;
  #closed = false;

  /**
   * An empty hub.
   *
   * @param options Bounds, epoch and clock.
   */
  constructor(options: EventHubOptions = {}) {
    this.#capacity = options.capacity ?? 1024;
    this.#maxChars = options.maxChars ?? MAX_KEPT_CHARS;
    this.#now = options.now ?? (() => new Date());
    this.#epoch = options.epoch ?? Date.now().toString(36);
  }

  /**
   * Keeps the event and wakes the readers; never waits for one. Progress of a transfer, or of its
   * hash, takes the place of its earlier progress, so that it can't push other events out of the ring.
   *
   * @returns The event's id.
   */
  publish(event: DaemonEvent): string {
    const stored = this.#stamp(++this.#seq, event);
    if (event.type === "transfer-progress" || event.type === "transfer-hashing") {
      this.#remove(this.#progress.get(event.transferId));
      this.#progress.delete(event.transferId);
      this.#progress.set(event.transferId, stored.seq);
    }
    this.#ring.push(stored);
    this.#chars += stored.json.length;
    while (this.#ring.length > this.#capacity || this.#chars > this.#maxChars) this.#evict();
    this.#wake();
    return stored.id;
  }

  /**
   * The position that a `Last-Event-ID` names; without one, that of the newest event. An id of
   * another run, or no id at all by its form, gives a position whose reading begins with a gap.
   */
  cursorOf(lastEventId: string | undefined): Cursor {
    if (lastEventId === undefined) return this.#seq;
    const [, epoch, seq] = /^([0-9a-z]{1,32})-(\d{1,15})$/.exec(lastEventId) ?? [];
    const position = Number(seq);
    return epoch === this.#epoch && position <= this.#seq ? position : UNKNOWN;
  }

  /**
   * The id of where a reading from `cursor` begins: what a reader sends to go on from there. Where it
   * begins with a gap, that is the gap's.
   */
  idOf(cursor: Cursor): string {
    return this.#id(this.hasLost(cursor) ? this.#lostThrough : cursor);
  }

  /** Whether events after `cursor` are gone. */
  hasLost(cursor: Cursor): boolean {
    return cursor < this.#lostThrough || cursor === UNKNOWN;
  }

  /** Whether there is something to read after `cursor`. */
  hasAfter(cursor: Cursor): boolean {
    return this.hasLost(cursor) || this.#indexAfter(cursor) < this.#ring.length;
  }

  /** The event after `cursor`: a `gap` when some are gone; undefined when there is none yet. */
  nextAfter(cursor: Cursor): StoredEvent | undefined {
    if (this.hasLost(cursor)) return this.#stamp(this.#lostThrough, { type: "gap" });
    return this.#ring[this.#indexAfter(cursor)];
  }

  /** Calls `listener` at each event and at the close; the returned function ends that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** No further event will be read from here: readers finish what is left and end. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** Whether the hub was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Events in the ring. */
  get size(): number {
    return this.#ring.length;
  }

  #stamp(seq: number, event: DaemonEvent | { readonly type: "gap" }): StoredEvent {
    const id = this.#id(seq);
    const json = safeJson({ id, time: this.#now().toISOString(), ...event });
    return { seq, id, type: event.type, json };
  }

  #id(seq: number): string {
    return `${this.#epoch}-${seq}`;
  }

  #wake(): void {
    for (const listener of this.#listeners) listener();
  }

  #evict(): void {
    const oldest = this.#ring.shift();
    if (oldest === undefined) return;
    this.#chars -= oldest.json.length;
    this.#lostThrough = oldest.seq;
    // The oldest progress of all is the first of the map: it is kept in the order of publishing.
    const [first] = this.#progress;
    if (first?.[1] === oldest.seq) this.#progress.delete(first[0]);
  }

  #remove(seq: number | undefined): void {
    if (seq === undefined) return;
    const index = this.#indexAfter(seq - 1);
    const [removed] = this.#ring.splice(index, 1);
    this.#chars -= removed?.json.length ?? 0;
  }

  /** Index of the first event after `cursor`, by bisection. */
  #indexAfter(cursor: Cursor): number {
    let low = 0;
    let high = this.#ring.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ring[middle]?.seq ?? Infinity) <= cursor) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
