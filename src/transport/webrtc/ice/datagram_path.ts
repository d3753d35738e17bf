/**
 * What DTLS stands on.
 *
 * @module
 */

/** Whole datagrams to and from the path that ICE has chosen; any may be lost, doubled or late. */
export interface DatagramPath {
  /**
   * Hands a datagram over before it returns: its array may be used again. What can't be sent is a
   * loss.
   */
  send(datagram: Uint8Array): void;
  /** Set by the layer above. The datagram is a view that is valid until it returns. */
  onDatagram: (datagram: Uint8Array) => void;
  /** Bytes that one datagram can carry on any path, with all that DTLS puts around a packet. */
  readonly maxDatagram: number;
  /** Whether nothing is lost and all comes in order: the path is one TCP connection. */
  readonly isReliable?: boolean;
  /** Whether more data may be sent; else `onWritable` is called when it may. @default {true} */
  readonly isWritable?: boolean;
  /** Set by the layer above. */
  onWritable?: () => void;
  /** Told by the layer above: the datagram that has come is the peer's, as its seal shows. */
  onAuthentic?(): void;
}
