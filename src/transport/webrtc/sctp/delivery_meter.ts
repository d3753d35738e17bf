/**
 * What a path delivers in a round trip (bandwidth-delay product), measured by acknowledgements: so
 * much has to be under way for the path to be in full use. Pure.
 *
 * @module
 */

/** Counts one direction. */
export class DeliveryMeter {
  #bytes = 0;
  #roundBytes = 0;
  #roundBegan: number | undefined;

  /** Bytes that were delivered in the last round trip. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The path has changed. */
  reset(): void {
    this.#bytes = this.#roundBytes = 0;
    this.#roundBegan = undefined;
  }

  /**
   * More was acknowledged.
   *
   * @param roundTripMs The shortest that was measured, so that what only waits on the way does not
   * count; undefined as long as none was.
   */
  onAcknowledged(bytes: number, now: number, roundTripMs: number | undefined): void {
    if (this.#roundBegan === undefined || roundTripMs === undefined) {
      this.#roundBegan = now;
      return;
    }
    this.#roundBytes += bytes;
    const took = now - this.#roundBegan;
    if (took <= 0 || took < roundTripMs) return;
    // A round that lasted longer, as when nothing was sent for a while, counts for its part.
    this.#bytes = this.#roundBytes * roundTripMs / took;
    this.#roundBytes = 0;
    this.#roundBegan = now;
  }
}
