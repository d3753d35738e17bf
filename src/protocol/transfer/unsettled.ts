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

/** The files of a session that wait, and the ping that waits for them. */
export class Unsettled {
  readonly #ids = new Set<TransferId>();
  #ping: Ping | undefined;

  /** Whether answers are kept back. */
  get any(): boolean {
    return this.#ids.size > 0;
  }

  /** Whether no more may wait. */
  get isFull(): boolean {
    return this.#ids.size >= MAX_UNSETTLED;
  }

  /** A file came whole. */
  add(id: TransferId): void {
    this.#ids.add(id);
  }

  /** Keeps a ping until it may be answered. An answer to the last is one to those before it. */
  keep(ping: Ping): void {
    this.#ping = ping;
  }

  /** A file has its name, or can't get it. Gives the ping that is to be answered now, if any. */
  settle(id: TransferId): Ping | undefined {
    this.#ids.delete(id);
    if (this.any) return undefined;
    const ping = this.#ping;
    this.#ping = undefined;
    return ping;
  }
}
