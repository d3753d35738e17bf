/**
 * A queue that is taken from the front in constant time.
 *
 * @module
 */

/** First in, first out, with a look at all of it. */
export class Deque<T> implements Iterable<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  /** How many there are. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** The oldest. */
  get first(): T | undefined {
    return this.#items[this.#head];
  }

  /** The newest. */
  get last(): T | undefined {
    return this.length === 0 ? undefined : this.#items[this.#items.length - 1];
  }

  /** Adds behind the newest. */
  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes the oldest away. */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    // Give back the room of what was taken once it is more than what is left.
    if (this.#head * 2 > this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Drops all. */
  clear(): void {
    this.#items = [];
    this.#head = 0;
  }

  /** Oldest first. The queue must not be changed meanwhile. */
  *[Symbol.iterator](): Iterator<T> {
    for (let at = this.#head; at < this.#items.length; at++) yield this.#items[at] as T;
  }
}
