/**
 * Which ended transfers are forgotten, and which partial files removed, when there is no room for
 * all: a peer that brings many makes its own forgotten, not those of others.
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

/** Something of a peer that takes space. */
export interface Sized {
  /** Whose it is. */
  readonly peer: string;
  /** How much. */
  readonly bytes: number;
}

/**
 * Chooses what goes so that all takes no more than a bound: one after the other, the oldest of
 * whoever has most bytes.
 *
 * @param all What there is, oldest first.
 * @param maxBytes What may stay.
 */
export function displacedBytes<T extends Sized>(all: readonly T[], maxBytes: number): readonly T[] {
  const shares = new Map<string, number>();
  let total = 0;
  for (const { peer, bytes } of all) {
    shares.set(peer, (shares.get(peer) ?? 0) + bytes);
    total += bytes;
  }
  const left = [...all];
  const gone: T[] = [];
  while (total > maxBytes) {
    const most = Math.max(...shares.values());
    const at = left.findIndex(({ peer }) => shares.get(peer) === most);
    const [one] = at < 0 ? [] : left.splice(at, 1);
    if (one === undefined) break;
    gone.push(one);
    total -= one.bytes;
    shares.set(one.peer, most - one.bytes);
  }
  return gone;
}
