/**
 * SCTP transmission sequence numbers: 32 bits, compared as serial numbers (RFC 9260, section 1.6;
 * RFC 1982). The library sorts them as text, which is wrong where their digits grow or they wrap.
 *
 * @module
 */

/** The number after a TSN. */
export const nextTsn = (tsn: number): number => (tsn + 1) >>> 0;
/** The number before a TSN. */
export const previousTsn = (tsn: number): number => (tsn - 1) >>> 0;
/** How far `tsn` is after `base`; negative when it is before. */
export const tsnDistance = (tsn: number, base: number): number => (tsn - base) | 0;

/** A gap acknowledgement block: first and last received TSN, as distances from the cumulative one. */
export type GapBlock = [first: number, last: number];

/** The largest distance that a gap block can tell (RFC 9260, section 3.3.4). */
export const MAX_GAP_DISTANCE = 65535;

/**
 * The gap blocks of what was received out of order, first things first.
 *
 * @param max Most blocks: they must fit in a packet.
 */
export function gapBlocks(received: Iterable<number>, cumulative: number, max: number): GapBlock[] {
  const distances = [...received].map((tsn) => tsnDistance(tsn, cumulative))
    .filter((distance) => distance > 0 && distance <= MAX_GAP_DISTANCE)
    .sort((a, b) => a - b);
  const blocks: GapBlock[] = [];
  for (const distance of distances) {
    const last = blocks.at(-1);
    if (last !== undefined && last[1] + 1 === distance) last[1] = distance;
    else if (blocks.length < max) blocks.push([distance, distance]);
    else break;
  }
  return blocks;
}

/**
 * A first TSN for our side: random, and so far below 2^32 that 2 TB can be sent before it wraps, and
 * above 10^9, so that a peer that sorts TSNs as text never sees their digits grow.
 */
export function firstTsn(): number {
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
  return 1_100_000_000 + random % 1_000_000_000;
}
