/**
 * What the library's agent holds for each socket and each connection of ours: a STUN protocol that
 * stands on it, with its host candidate.
 *
 * @module
 */
import { Candidate as IceCandidate, StunProtocol } from "werift";
import { canonicalAddress } from "../../../protocol/network_scope/candidate.ts";
import {
  type ConnectionInsides,
  insidesOf,
  type LibraryConnection,
  PROTOCOL_SHAPE,
  type ProtocolInsides,
} from "../library.ts";

/** A host candidate, ours or the peer's. */
export interface HostCandidate {
  /** Candidates that share it are checked as one (RFC 8445, section 5.1.1.3). */
  readonly foundation: string;
  /** What carries it. */
  readonly transport: "udp" | "tcp";
  /** Of TCP: which end listens. */
  readonly tcpType?: "passive" | "active";
  /** The higher, the likelier. */
  readonly priority: number;
  /** Address literal. */
  readonly host: string;
  /** Port, as it is written in descriptions. */
  readonly port: number;
}

/**
 * A candidate as the library pairs it.
 *
 * @param ufrag Our user name; absent for the peer's.
 */
export function hostCandidate(
  { foundation, transport, tcpType, priority, host, port }: HostCandidate,
  { generation }: LibraryConnection,
  ufrag?: string,
): IceCandidate {
  return new IceCandidate(
    foundation,
    1,
    transport,
    priority,
    canonicalAddress(host),
    port,
    "host",
    undefined,
    undefined,
    tcpType,
    generation,
    ufrag,
  );
}

/** Gives the agent one more way to the peer, as the library makes it, but for what carries it. */
export function addProtocol(
  connection: LibraryConnection,
  insides: ConnectionInsides,
  carrier: ProtocolInsides["transport"],
  candidate: HostCandidate,
): StunProtocol {
  const protocol = new StunProtocol();
  insides.ensureProtocol(protocol);
  insidesOf<ProtocolInsides>(protocol, PROTOCOL_SHAPE).transport = carrier;
  protocol.localIp = candidate.host;
  protocol.localCandidate = hostCandidate(candidate, connection, connection.localUsername);
  insides.protocols.push(protocol);
  return protocol;
}
