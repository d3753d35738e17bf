/**
 * The congestion window: how many bytes may be in flight (RFC 9260 section 7.2). Bytes of user
 * data, in units of the user data of one full packet ("PMTU" there).
 *
 * @module
 */

/** RFC 3465: slow start opens by what a SACK acknowledged, up to two packets. */
const SLOW_START_PACKETS = 2;
/** RFC 9260 section 7.2.1. */
const INITIAL_BYTES = 4404;

/** Slow start, congestion avoidance and fast recovery. */
export class CongestionWindow {
  #packet: number;
  #bytes = 0;
  /**
   * Where slow start ends: at the first loss (section 7.2.1 allows any first value). Not at the
   * peer's window, which begins small and grows with what the path brings.
   */
  #threshold = Infinity;
  #partialBytesAcked = 0;

  /**
   * Begins in slow start.
   *
   * @param packetBytes User data of a full packet.
   */
  constructor(packetBytes: number) {
    this.#packet = packetBytes;
    this.reset();
  }

  /** Begins anew: each path has a window of its own (section 7.2). */
  reset(): void {
    this.#bytes = Math.min(4 * this.#packet, Math.max(2 * this.#packet, INITIAL_BYTES));
    this.#threshold = Infinity;
    this.#partialBytesAcked = 0;
  }

  /** A full packet has another size now. */
  resize(packetBytes: number): void {
    this.#packet = packetBytes;
  }

  /** Bytes that may be in flight. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Where slow start ends. */
  get threshold(): number {
    return this.#threshold;
  }

  /** A SACK outside of fast recovery moved the cumulative TSN while the window was in full use. */
  onAcknowledged(bytes: number): void {
    if (this.#bytes <= this.#threshold) {
      this.#bytes += Math.min(bytes, SLOW_START_PACKETS * this.#packet);
      return;
    }
    this.#partialBytesAcked += bytes;
    if (this.#partialBytesAcked < this.#bytes) return;
    this.#partialBytesAcked -= this.#bytes;
    this.#bytes += this.#packet;
  }

  /** A packet was found lost by what came after it (section 7.2.3). */
  onLoss(): void {
    this.#halveThreshold();
    this.#bytes = this.#threshold;
  }

  /** The retransmission timer ran out (section 7.2.3). */
  onTimeout(): void {
    this.#halveThreshold();
    this.#bytes = this.#packet;
  }

  /** Nothing was sent for `timeouts` retransmission timeouts: the path may have changed. */
  onIdle(timeouts: number): void {
    const floor = 4 * this.#packet;
    for (let i = 0; i < timeouts && this.#bytes > floor; i++) {
      this.#bytes = Math.max(this.#bytes / 2, floor);
    }
    this.#partialBytesAcked = 0;
  }

  #halveThreshold(): void {
    this.#threshold = Math.max(Math.floor(this.#bytes / 2), 4 * this.#packet);
    this.#partialBytesAcked = 0;
  }
}
