/**
 * The path that data goes by: whichever candidate pair is nominated at the time.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { LibraryConnection } from "../library.ts";
import type { DatagramPath } from "./datagram_path.ts";

/** The smallest MTU of an IPv6 link, less the headers of IPv6 and UDP (RFC 8200, section 5). */
const MAX_DATAGRAM = 1280 - 40 - 8;

/** Sends on the nominated pair; what comes in is handed to it by the datagram gate. */
export class NominatedPath implements DatagramPath {
  readonly maxDatagram: number = MAX_DATAGRAM;
  onDatagram: (datagram: Uint8Array) => void = () => {};
  readonly #connection: LibraryConnection;

  /** Follows the agent's choice. */
  constructor(connection: LibraryConnection) {
    this.#connection = connection;
  }

  send(datagram: Uint8Array): void {
    const pair = this.#connection.nominated;
    // A copy: it goes out later.
    pair?.protocol.sendData(Buffer.from(datagram), pair.remoteAddr).catch(() => {});
  }
}
