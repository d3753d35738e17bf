/**
 * Which ended transfers are forgotten when there is no room for all: a peer that brings many makes
 * its own forgotten, not those of others.
 *
 * @module
 */

/**
 * Chooses, one after the other, the oldest of whoever has most; of those that have as many, the
 * oldest.
 *
 * @param ended What may go, oldest first.
 * @param peerOf Whose it is.
 * @param count How many are to go.
 */
export function displaced<T>(
  ended: readonly T[],
  peerOf: (one: T) => string,
  count: number,
): readonly T[] {
  // How many of its peer's there are from each to the newest: the first to go have most behind them.
  const shares = new Map<string, number>();
  const ranked = ended.toReversed().map((one) => {
    const share = (shares.get(peerOf(one)) ?? 0) + 1;
    shares.set(peerOf(one), share);
    return { one, share };
  }).toReversed();
  // Sorting is stable: of equal shares the oldest stays first.
  return ranked.toSorted((a, b) => b.share - a.share).slice(0, count).map(({ one }) => one);
}
