/**
 * The one place where a faster way through the library is put into a connection.
 *
 * @module
 */
import type { RTCDtlsTransport, RTCIceTransport } from "werift";
import type { ReplayWindow } from "./replay_window.ts";

/** The library's objects of one connection, as its peer connection would name them. */
export interface FastPathTarget {
  /** The ICE transport. */
  readonly iceTransports: readonly [RTCIceTransport];
  /** The DTLS transport. */
  readonly dtlsTransports: readonly [RTCDtlsTransport];
  /** Which records have been received; undefined until the handshake has begun. */
  readonly replays: () => ReplayWindow | undefined;
}

/**
 * Called once for each connection, after its sockets are open and before anything is sent. The DTLS
 * socket (`dtlsTransports[0].dtls`) appears later; `dtlsTransports[0].state` is `connected` only when
 * the peer has been proven. Datagrams reach `UdpTransport.onData` only through the gate that was put there before.
 */
export type FastPath = (target: FastPathTarget) => void;
