/**
 * Which of our candidates are paired with which of the peer's (RFC 8445, sections 6.1.2.2 to
 * 6.1.2.5).
 *
 * @module
 */

/** Most candidate pairs of a connection. */
export const MAX_PAIRS = 100;
/** Most that are made of candidates: the rest is for addresses of the peer's that none named. */
export const MAX_CANDIDATE_PAIRS = 80;

/** Of a candidate what counts for pairing. */
export interface PairCandidate {
  /** Canonical literal. */
  readonly host: string;
  /** See RFC 8445, section 5.1.2. */
  readonly priority: number;
}

/** One of our candidates and one of the peer's. */
export interface CandidatePairing<L, R> {
  /** Ours. */
  readonly local: L;
  /** The peer's. */
  readonly remote: R;
}

/**
 * The pairs that are worth a check, the best first, at most so many.
 *
 * The best are those of which the worse candidate is best: both sides come to the same order, and
 * the addresses that each likes least do not crowd out what both like.
 */
export function bestPairings<L extends PairCandidate, R extends PairCandidate>(
  locals: readonly L[],
  remotes: readonly R[],
  most: number,
): CandidatePairing<L, R>[] {
  const pairings = locals.flatMap((local) =>
    remotes.filter((remote) => canReach(local.host, remote.host))
      .map((remote) => ({ local, remote }))
  );
  return pairings.toSorted(byPriority).slice(0, most);
}

function byPriority<L extends PairCandidate, R extends PairCandidate>(
  a: CandidatePairing<L, R>,
  b: CandidatePairing<L, R>,
): number {
  const worse = ({ local, remote }: CandidatePairing<L, R>) =>
    Math.min(local.priority, remote.priority);
  const better = ({ local, remote }: CandidatePairing<L, R>) =>
    Math.max(local.priority, remote.priority);
  return worse(b) - worse(a) || better(b) - better(a);
}

/** Whether a socket on the one address can send to the other at all. */
export function canReach(local: string, remote: string): boolean {
  return local.includes(":") === remote.includes(":") &&
    isLoopback(local) === isLoopback(remote) && isLinkLocal(local) === isLinkLocal(remote);
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

/** Of IPv6: an address of another kind has no zone, and so no link. */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}
