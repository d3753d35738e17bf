/**
 * The one place where a faster way through the library is put into a connection.
 *
 * @module
 */
import type { RTCSctpTransport } from "werift";
import type { DtlsConnection } from "./dtls/dtls_connection.ts";
import type { UdpSocket } from "./ice/udp_socket.ts";
import type { LibraryConnection } from "./library.ts";
import type { LibraryLink } from "./library_link.ts";

/** The parts of one connection. */
export interface FastPathTarget {
  /** The library's ICE agent. */
  readonly connection: LibraryConnection;
  /** Its sockets. */
  readonly sockets: () => readonly UdpSocket[];
  /** What the library's SCTP stands on. */
  readonly link: LibraryLink;
  /** DTLS, as soon as there is a path. */
  readonly dtls: () => DtlsConnection | undefined;
  /** The library's SCTP transport. */
  readonly sctpTransport: RTCSctpTransport;
  /** Called with what a peer must not do: it ends this connection. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Called once for each connection, after its sockets are open and before anything is sent. Whatever it
 * overrides must keep `sctp.send`, `sctp.localTsn`, `sctp.lastSackedTsn` and `sctp.onSackReceived`
 * meaning what they mean: the send window counts by them.
 */
export type FastPath = (target: FastPathTarget) => void;
