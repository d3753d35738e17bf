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
  const shares = new Map<
    string,
    { readonly all: (readonly [age: number, one: T])[]; gone: number }
  >();
  for (const [age, one] of ended.entries()) {
    const peer = peerOf(one);
    const share = shares.get(peer);
    if (share === undefined) shares.set(peer, { all: [[age, one]], gone: 0 });
    else share.all.push([age, one]);
  }
  const chosen: T[] = [];
  while (chosen.length < count) {
    const [largest] = [...shares.values()].sort((a, b) =>
      (b.all.length - b.gone) - (a.all.length - a.gone) ||
      (a.all[a.gone]?.[0] ?? Infinity) - (b.all[b.gone]?.[0] ?? Infinity)
    );
    const next = largest?.all[largest.gone];
    if (largest === undefined || next === undefined) break;
    largest.gone++;
    chosen.push(next[1]);
  }
  return chosen;
}
