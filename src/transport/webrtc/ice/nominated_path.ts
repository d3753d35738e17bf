/**
 * The path that data goes by: whichever candidate pair is nominated at the time.
 *
 * @module
 */
import type { LibraryConnection, LibraryPair } from "../library.ts";
import type { DatagramPath } from "./datagram_path.ts";
import type { UdpSocket } from "./udp_socket.ts";

/** Of a packet that every path carries, less the headers of IPv6 and UDP. */
const MAX_DATAGRAM = 1200 - 40 - 8;

/** Sends on the nominated pair; what comes in is handed to it by the datagram gate. */
export class NominatedPath implements DatagramPath {
  readonly maxDatagram: number = MAX_DATAGRAM;
  onDatagram: (datagram: Uint8Array) => void = () => {};
  readonly #connection: LibraryConnection;
  readonly #socketOf: (protocol: LibraryPair["protocol"]) => UdpSocket | undefined;

  /**
   * Follows the agent's choice.
   *
   * @param socketOf The socket that a protocol of the agent's stands on.
   */
  constructor(
    connection: LibraryConnection,
    socketOf: (protocol: LibraryPair["protocol"]) => UdpSocket | undefined,
  ) {
    this.#connection = connection;
    this.#socketOf = socketOf;
  }

  send(datagram: Uint8Array): void {
    const pair = this.#connection.nominated;
    if (pair !== undefined) void this.#socketOf(pair.protocol)?.send(datagram, pair.remoteAddr);
  }
}
