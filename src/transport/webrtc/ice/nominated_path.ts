/**
 * The path that data goes by: whichever candidate pair is nominated at the time.
 *
 * @module
 */
import type { LibraryConnection, LibraryPair } from "../library.ts";
import type { DatagramPath } from "./datagram_path.ts";
import { MAX_DTLS_FRAME } from "./framing.ts";
import type { TcpLink } from "./tcp_link.ts";
import type { UdpSocket } from "./udp_socket.ts";

/** Of a packet that every path carries, less the headers of IPv6 and UDP. */
const MAX_DATAGRAM = 1200 - 40 - 8;

/** Options of a {@linkcode NominatedPath}. */
export interface NominatedPathOptions {
  /** The socket or the connection that a protocol of the agent's stands on. */
  readonly socketOf: (protocol: LibraryPair["protocol"]) => UdpSocket | TcpLink | undefined;
  /** Told that a datagram was the peer's. */
  readonly onAuthentic: () => void;
}

/** Sends on the nominated pair; what comes in is handed to it by the datagram gate. */
export class NominatedPath implements DatagramPath {
  onDatagram: (datagram: Uint8Array) => void = () => {};
  onWritable: () => void = () => {};
  readonly #connection: LibraryConnection;
  readonly #options: NominatedPathOptions;
  #maxDatagram = MAX_DATAGRAM;
  #isReliable = false;
  #link: TcpLink | undefined;

  /** Follows the agent's choice. */
  constructor(connection: LibraryConnection, options: NominatedPathOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  get maxDatagram(): number {
    return this.#maxDatagram;
  }

  get isReliable(): boolean {
    return this.#isReliable;
  }

  get isWritable(): boolean {
    return this.#link?.isWritable !== false;
  }

  /**
   * The path is a connection, and stays it.
   *
   * @param isOurs Whether it leads to one of our own kind, which takes large records.
   */
  useConnection(link: TcpLink, isOurs: boolean): void {
    this.#link = link;
    link.onWritable = () => this.onWritable();
    if (!isOurs) return;
    this.#isReliable = true;
    this.#maxDatagram = MAX_DTLS_FRAME;
  }

  onAuthentic(): void {
    this.#options.onAuthentic();
  }

  send(datagram: Uint8Array): void {
    const pair = this.#connection.nominated;
    if (pair === undefined) return;
    void this.#options.socketOf(pair.protocol)?.send(datagram, pair.remoteAddr);
  }
}
