/**
 * SCTP transmission sequence numbers: 32 bits, compared as serial numbers (RFC 9260, section 1.6;
 * RFC 1982).
 *
 * @module
 */

/** The number after `tsn`. */
export function tsnNext(tsn: number): number {
  return (tsn + 1) >>> 0;
}

/** `tsn` moved by `by`, forwards or backwards. */
export function tsnAdd(tsn: number, by: number): number {
  return (tsn + by) >>> 0;
}

/** How far `to` lies ahead of `from`: negative when it lies behind. In [-2^31, 2^31). */
export function tsnDistance(from: number, to: number): number {
  return (to - from) | 0;
}

/** Whether `a` comes after `b`. */
export function tsnAfter(a: number, b: number): boolean {
  return tsnDistance(b, a) > 0;
}

/**
 * A first TSN for our side: random, and so far below 2^32 that 2 TB can be sent before it wraps, and
 * above 10^9, so that a peer that sorts TSNs as text never sees their digits grow.
 */
export function firstTsn(): number {
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
  return 1_100_000_000 + random % 1_000_000_000;
}
