/**
 * A message that grows fragment by fragment in memory that is used again.
 *
 * A hundred fragments that wait for the last one, each in a packet of its own, live just long
 * enough to reach the engine's old generation, where they wait for its next full collection.
 *
 * @module
 */

const FIRST_CAPACITY = 4096;
/** What was larger is let go of: no message of this program's protocol is. */
export const MAX_KEPT_ASSEMBLY_BYTES: number = 256 * 1024;

/** The fragments so far of one message. */
export class Assembly {
  #bytes = new Uint8Array();
  #length = 0;

  /** Bytes of the fragments so far. */
  get length(): number {
    return this.#length;
  }

  /** Bytes of memory that it keeps. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** Adds a copy of the next fragment. */
  append(fragment: Uint8Array): void {
    const length = this.#length + fragment.length;
    if (length > this.#bytes.length) {
      const capacity = Math.max(FIRST_CAPACITY, length, 2 * this.#bytes.length);
      const grown = new Uint8Array(capacity);
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(fragment, this.#length);
    this.#length = length;
  }

  /** The fragments so far as one: a view that is valid until the next is added. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Drops what it has; a view that was taken before stays valid until a fragment is added. */
  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > MAX_KEPT_ASSEMBLY_BYTES) this.#bytes = new Uint8Array();
  }
}
