/**
 * What SCTP stands on: packets under the protection of DTLS.
 *
 * @module
 */

/** Carries packets to and from one proven peer, in no order; they may be lost or come twice. */
export interface PacketLink {
  /**
   * Sends a packet. It is sealed before this returns, so its memory may be used again; what can't be
   * sent is a loss. Packets larger than `maxPacket` may be given: they find out what the path takes.
   */
  send(packet: Uint8Array): void;
  /** Set by the layer above. The packet is a view that is valid until the call returns. */
  onPacket: (packet: Uint8Array) => void;
  /** Set by the layer above: the peer has closed DTLS, by close_notify or a fatal alert. */
  onClosed: () => void;
  /** Bytes of the largest packet that is safe on every path. */
  readonly maxPacket: number;
  /**
   * Whether each packet of at most `maxPacket` comes, once and in order, or the link ends.
   */
  readonly isReliable?: boolean;
  /** Whether more data may be sent; else `onWritable` is called when it may. @default {true} */
  readonly isWritable?: boolean;
  /** Set by the layer above. */
  onWritable?: () => void;
  /** Bytes that protection adds to a packet, so that it is a UDP datagram's payload. */
  readonly overhead: number;
}
