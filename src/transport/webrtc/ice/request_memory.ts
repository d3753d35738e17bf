/**
 * Which ICE requests have been seen: a copy of one proves nothing anew.
 *
 * @module
 */

/** Requests that are remembered: minutes of them, as a peer sends a few in a second. */
export const MAX_REMEMBERED_REQUESTS = 1024;

/**
 * What a request is: `new`, come `again` from where it came from before (sent again, or a copy), or
 * a copy that came from `elsewhere`.
 */
export type RequestSighting = "new" | "again" | "elsewhere";

/** Remembers the latest authentic requests by their transaction. */
export class RequestMemory {
  /** Where each came from, in order of arrival. */
  readonly #sources = new Map<string, string>();

  /** Takes note of an authentic request. */
  note(transactionId: string, source: string): RequestSighting {
    const known = this.#sources.get(transactionId);
    if (known !== undefined) return known === source ? "again" : "elsewhere";
    this.#sources.set(transactionId, source);
    if (this.#sources.size > MAX_REMEMBERED_REQUESTS) {
      const [oldest] = this.#sources.keys();
      if (oldest !== undefined) this.#sources.delete(oldest);
    }
    return "new";
  }

  /** How many are remembered. */
  get size(): number {
    return this.#sources.size;
  }
}
