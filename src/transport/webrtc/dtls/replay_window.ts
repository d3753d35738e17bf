/**
 * Which protected records have been seen (RFC 6347, section 4.1.2.6). The library has no such
 * window: a recorded datagram, sent again, would be obeyed again.
 *
 * @module
 */

/** How far behind the newest record one may come, in records. */
const WINDOW = 1024;
const WORD = 32;

/** Sequence numbers of the records of one epoch that were received. */
export class ReplayWindow {
  #newest = -1;
  readonly #seen = new Uint32Array(WINDOW / WORD);

  /** Whether a number has not been seen, and is not too old to be known. */
  isNew(sequence: number): boolean {
    if (sequence > this.#newest) return true;
    if (sequence <= this.#newest - WINDOW) return false;
    return (this.#word(sequence) & this.#bit(sequence)) === 0;
  }

  /** Marks a number as seen; only authentic records may be marked. */
  mark(sequence: number): void {
    const first = Math.max(this.#newest + 1, sequence - WINDOW + 1);
    for (let skipped = first; skipped <= sequence; skipped++) {
      this.#seen[this.#index(skipped)] = this.#word(skipped) & ~this.#bit(skipped);
    }
    this.#newest = Math.max(this.#newest, sequence);
    this.#seen[this.#index(sequence)] = this.#word(sequence) | this.#bit(sequence);
  }

  #index(sequence: number): number {
    return Math.floor((sequence % WINDOW) / WORD);
  }

  #word(sequence: number): number {
    return this.#seen[this.#index(sequence)] ?? 0;
  }

  #bit(sequence: number): number {
    return 1 << (sequence % WORD);
  }
}
