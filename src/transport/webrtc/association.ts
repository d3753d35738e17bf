/**
 * The SCTP association below the data channel: what of the library's it uses, and what is put
 * right in it.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { RTCDataChannel, RTCDataChannelParameters, RTCSctpTransport } from "werift";
import type { RTCDtlsTransport } from "werift";
import { insidesOf } from "./library.ts";

/** Payload protocol identifiers of data channel messages (RFC 8831, section 8). */
const PPID = { text: 51, binary: 53 } as const;
/** Ours for SCTP over DTLS; any would do, everybody takes this one. */
export const SCTP_PORT = 5000;
/** What we take, in bytes; every peer we know sends at most this. */
export const MAX_MESSAGE_SIZE = 256 * 1024;

interface SctpInsides {
  localTsn: number;
  lastSackedTsn: number;
  isClosed: boolean;
  onSackReceived: () => Promise<void>;
  handleData(data: Buffer): Promise<void>;
  send(
    streamId: number,
    protocol: number,
    data: Buffer,
    options: { ordered: boolean },
  ): Promise<void>;
  readonly stateChanged: { readonly closed: { subscribe(listener: () => void): unknown } };
}

const SCTP_SHAPE = {
  localTsn: "number",
  lastSackedTsn: "number",
  onSackReceived: "function",
  handleData: "function",
  send: "function",
  stateChanged: "object",
} as const;

interface SctpTransportInsides {
  datachannelReceive: (streamId: number, protocol: number, data: Buffer) => Promise<void>;
}

/** Options of an {@linkcode Association}. */
export interface AssociationOptions {
  /** Told of a failure inside the library that ends this association, and only this one. */
  readonly onFailure: (error: unknown) => void;
  /** Told of the channel that the peer opens. */
  readonly onChannel: (channel: RTCDataChannel) => void;
  /** Told when the peer has ended the association. */
  readonly onClosed: () => void;
}

/** An SCTP association over a DTLS transport. */
export class Association {
  /** The library's object. */
  readonly transport: RTCSctpTransport;
  /** Called when the peer has acknowledged something. */
  onAcknowledged: () => void = () => {};
  readonly #sctp: SctpInsides;
  readonly #options: AssociationOptions;

  constructor(dtls: RTCDtlsTransport, options: AssociationOptions) {
    this.#options = options;
    this.transport = new RTCSctpTransport(SCTP_PORT, MAX_MESSAGE_SIZE);
    const receiver = insidesOf<SctpTransportInsides>(this.transport, {
      datachannelReceive: "function",
    });
    const receive = receiver.datachannelReceive;
    // Asynchronous handlers that nobody awaits: a peer's odd message would end the process.
    receiver.datachannelReceive = (...args) => receive(...args).catch(options.onFailure);
    this.transport.onDataChannel.subscribe(options.onChannel);
    this.transport.setDtlsTransport(dtls);
    this.#sctp = insidesOf<SctpInsides>(this.transport.sctp, SCTP_SHAPE);
    dtls.dataReceiver = (data) => void this.#sctp.handleData(data).catch(options.onFailure);
    const onSackReceived = this.#sctp.onSackReceived;
    this.#sctp.onSackReceived = () => {
      this.onAcknowledged();
      return onSackReceived();
    };
    this.#sctp.stateChanged.closed.subscribe(options.onClosed);
  }

  /** Opens a channel; it is open when the peer has said so. */
  open(label: string): RTCDataChannel {
    return new RTCDataChannel(this.transport, new RTCDataChannelParameters({ label }));
  }

  /**
   * Hands a message to SCTP, past the library's channel, whose queue can't be counted.
   *
   * @returns The transmission sequence number of its last fragment.
   */
  send(channel: RTCDataChannel, kind: keyof typeof PPID, data: Buffer): number {
    this.#sctp.send(channel.id, PPID[kind], data, { ordered: true }).catch(this.#options.onFailure);
    return (this.#sctp.localTsn - 1) >>> 0;
  }

  /** Whether the peer has acknowledged a sequence number and all before it. */
  isAcknowledged(tsn: number): boolean {
    return ((this.#sctp.lastSackedTsn - tsn) | 0) >= 0;
  }

  /** Tells the peer that all ends, and stops. */
  stop(): Promise<void> {
    return this.transport.stop();
  }
}
