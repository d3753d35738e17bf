/**
 * The transfers that ended recently: what still arrives for them was under way and is no violation.
 *
 * @module
 */
import type { TransferId } from "../messages/transfer_id.ts";

/** How many ended transfers are remembered. */
export const RECENT_IDS = 64;

/** A set of ids that forgets the oldest. */
export class RecentIds {
  readonly #ids = new Set<TransferId>();

  /** Remembers an id. */
  add(id: TransferId): void {
    this.#ids.add(id);
    for (const oldest of this.#ids) {
      if (this.#ids.size <= RECENT_IDS) break;
      this.#ids.delete(oldest);
    }
  }

  /** Whether an id is remembered. */
  has(id: TransferId): boolean {
    return this.#ids.has(id);
  }
}
