/**
 * Which pair the controlling side nominates, and when (regular nomination, RFC 8445, section
 * 8.1.1), where both UDP and TCP may carry the data. Pure.
 *
 * TCP is cheaper by far where it works, and takes a round trip more to be found out. So it gets its
 * chance, but nobody waits for a connection that a firewall swallows.
 *
 * @module
 */
import { TCP_NOMINATION_MS } from "../../../base/timing.ts";

/** TCP has so many round trips from the first answer by UDP on. */
const TCP_ROUND_TRIPS = 2;

/** A pair, as far as the choice needs it. */
export interface NominationPair {
  /** What carries it. */
  readonly transport: "udp" | "tcp";
  /** `open` while its check may still succeed. */
  readonly state: "open" | "succeeded" | "failed";
  /** What the check took that was answered, in milliseconds. */
  readonly roundTrip?: number;
}

/** What is known when the choice is made. */
export interface NominationQuestion<P extends NominationPair> {
  /** All pairs, the best first. */
  readonly pairs: readonly P[];
  /** Whether a connection may still come that no pair is of yet: made by us, or by the peer. */
  readonly mayConnect: boolean;
  /** When the first check by UDP was answered; undefined when none was. */
  readonly udpSince: number | undefined;
  /** On the same clock, in milliseconds. */
  readonly now: number;
}

/** The pair to nominate, or when to ask again if nothing happens before; neither: wait for news. */
export interface NominationAnswer<P> {
  /** To be nominated now. */
  readonly pair?: P;
  /** Nothing is to be nominated before. */
  readonly askAt?: number;
}

/** Makes the choice. */
export function chooseNomination<P extends NominationPair>(
  { pairs, mayConnect, udpSince, now }: NominationQuestion<P>,
): NominationAnswer<P> {
  const succeeded = (transport: P["transport"]) =>
    pairs.find((pair) => pair.transport === transport && pair.state === "succeeded");
  const tcp = succeeded("tcp");
  if (tcp !== undefined) return { pair: tcp };
  const udp = succeeded("udp");
  if (udp === undefined || udpSince === undefined) return {};
  const mayCome = mayConnect ||
    pairs.some(({ transport, state }) => transport === "tcp" && state === "open");
  const askAt = udpSince + Math.max(TCP_NOMINATION_MS, TCP_ROUND_TRIPS * (udp.roundTrip ?? 0));
  return mayCome && now < askAt ? { askAt } : { pair: udp };
}
