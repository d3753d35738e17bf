/**
 * The link of an association over the library's DTLS transport.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { RTCDtlsTransport } from "werift";
import type { PacketLink } from "./packet_link.ts";

/** UDP payload that passes wherever IPv4 or IPv6 has packets of 1200 bytes. */
const SAFE_DATAGRAM = 1152;
/** Header, explicit nonce and tag of an AES-GCM record (RFC 5288, section 3). */
const OVERHEAD = 13 + 8 + 16;

/** Puts a link on a DTLS transport, whose received data it takes over. */
export function libraryLink(dtls: RTCDtlsTransport): PacketLink {
  const link: PacketLink = {
    send: (packet) => {
      // The transport below reports its failures by itself; to SCTP they are losses.
      dtls.sendData(asBuffer(packet)).catch(() => {});
    },
    onPacket: () => {},
    onClosed: () => {},
    maxPacket: SAFE_DATAGRAM - OVERHEAD,
    overhead: OVERHEAD,
  };
  dtls.dataReceiver = (packet) =>
    link.onPacket(new Uint8Array(packet.buffer, packet.byteOffset, packet.length));
  return link;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
