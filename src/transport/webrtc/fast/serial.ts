/**
 * Arithmetic of 32-bit sequence numbers that wrap (RFC 1982, as RFC 9260 section 1.6 asks of TSNs).
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
