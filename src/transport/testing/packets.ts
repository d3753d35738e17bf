/**
 * SCTP packets for tests, each in memory of its own.
 *
 * @module
 */
import {
  type ControlChunk,
  type DataChunk,
  type PacketAddress,
  PacketWriter,
  type Sack,
} from "../webrtc/sctp/packet.ts";

const MAX_PACKET = 64 * 1024;

/** A packet with whatever is added to it. */
export function packetWith(to: PacketAddress, add: (writer: PacketWriter) => void): Uint8Array {
  const writer = new PacketWriter(MAX_PACKET);
  add(writer);
  return writer.end(to).slice();
}

/** A packet with one DATA chunk. */
export function dataPacket(to: PacketAddress, chunk: DataChunk, flags = chunk.flags): Uint8Array {
  return packetWith(to, (writer) => writer.data(chunk, flags));
}

/** A packet with one SACK chunk. */
export function sackPacket(to: PacketAddress, sack: Sack): Uint8Array {
  return packetWith(to, (writer) => writer.sack(sack));
}

/** A packet with other chunks. */
export function controlPacket(to: PacketAddress, ...chunks: ControlChunk[]): Uint8Array {
  return packetWith(to, (writer) => chunks.forEach((chunk) => writer.control(chunk)));
}
