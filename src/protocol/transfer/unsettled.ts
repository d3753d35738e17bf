/**
 * Files that came whole and are not yet under their names: until they are, the answer to the peer's
 * ping is kept back, so that it says that they are there.
 *
 * @module
 */
import type { Ping } from "../messages/inner_message.ts";
import type { TransferId } from "../messages/transfer_id.ts";

/** Most files that may wait; another offer is refused meanwhile. */
export const MAX_UNSETTLED = 16;

/** A file that waits, and the last ping that came after it and before the next such file. */
interface Waiting {
  ping?: Ping;
}

/** The files of a session that wait, and the pings that wait for them: no more than files. */
export class Unsettled {
  /** In the order in which they came whole. */
  readonly #files = new Map<TransferId, Waiting>();

  /** Whether answers are kept back. */
  get any(): boolean {
    return this.#files.size > 0;
  }

  /** Whether no more may wait. */
  get isFull(): boolean {
    return this.#files.size >= MAX_UNSETTLED;
  }

  /** A file came whole. */
  add(id: TransferId): void {
    this.#files.set(id, {});
  }

  /**
   * Keeps a ping until all files that came before it are settled. An answer to the last of several is
   * one to those before it.
   */
  keep(ping: Ping): void {
    const newest = [...this.#files.values()].at(-1);
    if (newest !== undefined) newest.ping = ping;
  }

  /** A file has its name, or can't get it. Gives the ping that is to be answered now, if any. */
  settle(id: TransferId): Ping | undefined {
    let before: Waiting | undefined;
    for (const [other, waiting] of this.#files) {
      if (other === id) {
        this.#files.delete(id);
        if (before === undefined) return waiting.ping;
        // It waits for those before still, and is an answer to what waits for them already.
        if (waiting.ping !== undefined) before.ping = waiting.ping;
        return undefined;
      }
      before = waiting;
    }
    return undefined;
  }
}
