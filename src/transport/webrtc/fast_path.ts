/**
 * The one place where a faster way through the library is put into a connection.
 *
 * @module
 */
import type { RTCDtlsTransport, RTCIceTransport, RTCSctpTransport } from "werift";
import type { ReplayWindow } from "./dtls/replay_window.ts";

/** The library's objects of one connection, as its peer connection would name them. */
export interface FastPathTarget {
  /** The ICE transport. */
  readonly iceTransports: readonly [RTCIceTransport];
  /** The DTLS transport. */
  readonly dtlsTransports: readonly [RTCDtlsTransport];
  /** The SCTP transport. */
  readonly sctpTransport: RTCSctpTransport;
  /** Which records have been received; undefined until the handshake has begun. */
  readonly replays: () => ReplayWindow | undefined;
  /** Called with what a peer must not do: it ends this connection. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Called once for each connection, after its sockets are open and before anything is sent. The DTLS
 * socket (`dtlsTransports[0].dtls`) appears later; `dtlsTransports[0].state` is `connected` only when
 * the peer has been proven. Whatever it overrides must keep `sctp.send`, `sctp.localTsn`,
 * `sctp.lastSackedTsn` and `sctp.onSackReceived` meaning what they mean: the send window counts by
 * them. Datagrams reach `UdpTransport.onData` only through the gate that was put there before.
 */
export type FastPath = (target: FastPathTarget) => void;
