/**
 * What SCTP stands on.
 *
 * @module
 */

/** Packets to and from a peer that is proven, sealed on the way; any may be lost or late. */
export interface PacketLink {
  /**
   * Seals and sends a packet before it returns: its array may be used again. What can't be sent is a
   * loss.
   *
   * @param packet At least one byte, at most {@linkcode maxPacket} of them.
   */
  send(packet: Uint8Array): void;
  /** Set by the layer above. The packet is a view that is valid until it returns. */
  onPacket: (packet: Uint8Array) => void;
  /** Set by the layer above: the peer has closed the link, or broken it off. Called once. */
  onClosed: () => void;
  /** Bytes that one packet can hold. */
  readonly maxPacket: number;
}
