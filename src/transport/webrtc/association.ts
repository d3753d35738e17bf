/**
 * The SCTP association below the data channel: what of the library's it uses, and what is put
 * right in it.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { RTCDataChannel, RTCDataChannelParameters, RTCSctpTransport } from "werift";
import type { RTCDtlsTransport } from "werift";
import { TransportError } from "../../base/errors.ts";
import { SCTP_FIRST_RTO_MS } from "../../base/timing.ts";
import { DataFlag, notSctpError, parsePacket } from "./sctp/packet.ts";
import { insidesOf } from "./library.ts";
import { firstTsn, gapBlocks, MAX_GAP_DISTANCE, tsnAdd, tsnDistance, tsnNext } from "./sctp/tsn.ts";

/** Payload protocol identifiers of data channel messages (RFC 8831, section 8). */
const PPID = { control: 50, text: 51, binary: 53 } as const;
/** DATA_CHANNEL_OPEN, and the channel type of an ordered and reliable one (RFC 8832, section 5.1). */
const DCEP_OPEN = 3;
const DCEP_ORDERED_RELIABLE = 0;
/** Chunk types (RFC 9260, section 3.2; RFC 6525, section 3.1; RFC 3758, section 3.2). */
const CHUNK = { data: 0, init: 1, sack: 3, shutdown: 7, reconfig: 130, forwardTsn: 192 } as const;
const CLOSED = 1;
const ESTABLISHED = 4;
/** What a peer may send beyond the window that we gave it, in bytes, before it is hostile. */
const WINDOW_SLACK = 64 * 1024;
/** Blocks and duplicates that are listed in an acknowledgement. */
const MAX_GAP_BLOCKS = 128;
const MAX_DUPLICATES = 32;

/** Ours for SCTP over DTLS; any would do, everybody takes this one. */
export const SCTP_PORT = 5000;
/** What we take, in bytes; every peer we know sends at most this. */
export const MAX_MESSAGE_SIZE = 256 * 1024;

interface Chunk {
  readonly type: number;
  flags: number;
  readonly userData?: Buffer;
  /** The last TSN that a SHUTDOWN acknowledges (RFC 9260, section 3.3.8). */
  readonly cumulativeTsn?: number;
  gaps?: [number, number][];
}

interface SctpInsides {
  readonly isStopped: boolean;
  isServer: boolean;
  setState(state: number): void;
  timer1Start(chunk: Chunk): void;
  t2Start(chunk: Chunk): void;
  associationState: number;
  rto: number;
  localTsn: number;
  lastSackedTsn: number;
  advancedPeerAckTsn: number;
  reconfigRequestSeq: number;
  lastReceivedTsn: number;
  advertisedRwnd: number;
  readonly peerAdvertisedRwnd: number;
  readonly outboundQueue: readonly unknown[];
  sackMisOrdered: Set<number>;
  sackDuplicates: number[];
  onSackReceived: () => Promise<void>;
  handleData(data: Buffer): Promise<void>;
  receiveChunk(chunk: Chunk): Promise<void>;
  receiveDataChunk(chunk: Chunk): void;
  receiveSackChunk(
    sack: { cumulativeTsn: number; advertisedRwnd: number; gaps: [] },
  ): Promise<void>;
  markReceived(tsn: number): boolean;
  sendSack(): Promise<void>;
  sendChunk(chunk: Chunk): Promise<void>;
  send(
    streamId: number,
    protocol: number,
    data: Buffer,
    options: { ordered: boolean },
  ): Promise<void>;
  readonly stateChanged: { readonly closed: { subscribe(listener: () => void): unknown } };
}

const SCTP_SHAPE = {
  isStopped: "boolean",
  isServer: "boolean",
  setState: "function",
  timer1Start: "function",
  t2Start: "function",
  associationState: "number",
  rto: "number",
  localTsn: "number",
  lastSackedTsn: "number",
  advancedPeerAckTsn: "number",
  reconfigRequestSeq: "number",
  advertisedRwnd: "number",
  peerAdvertisedRwnd: "number",
  outboundQueue: "object",
  sackMisOrdered: "object",
  sackDuplicates: "object",
  onSackReceived: "function",
  handleData: "function",
  receiveChunk: "function",
  receiveDataChunk: "function",
  receiveSackChunk: "function",
  markReceived: "function",
  sendSack: "function",
  sendChunk: "function",
  send: "function",
  stateChanged: "object",
} as const;

interface SctpTransportInsides {
  datachannelReceive: (streamId: number, protocol: number, data: Buffer) => Promise<void>;
}

/** Options of an {@linkcode Association}. */
export interface AssociationOptions {
  /** Whether the peer opens the channel; if not, it may open none. */
  readonly peerOpens: boolean;
  /** Told of a failure inside the library that ends this association, and only this one. */
  readonly onFailure: (error: unknown) => void;
  /** Told of the channel that the peer opens. */
  readonly onChannel: (channel: RTCDataChannel) => void;
  /** Told when the peer has ended the association. */
  readonly onClosed: () => void;
  /** First sequence number, for tests. @default {a random one far from a wrap} */
  readonly firstTsn?: number;
}

/** An SCTP association over a DTLS transport. */
export class Association {
  /** The library's object. */
  readonly transport: RTCSctpTransport;
  /** Called when the peer has acknowledged something. */
  onAcknowledged: () => void = () => {};
  readonly #sctp: SctpInsides;
  readonly #options: AssociationOptions;

  /** Puts an association on a DTLS transport; it starts with the transport. */
  constructor(dtls: RTCDtlsTransport, options: AssociationOptions) {
    this.#options = options;
    this.transport = new RTCSctpTransport(SCTP_PORT, MAX_MESSAGE_SIZE);
    this.#containReceive();
    this.transport.setDtlsTransport(dtls);
    this.#sctp = insidesOf<SctpInsides>(this.transport.sctp, SCTP_SHAPE);
    dtls.dataReceiver = (data) => {
      // At a chunk without a length the library's parser would stand still for ever.
      if (parsePacket(data) === undefined) return options.onFailure(notSctpError());
      this.#sctp.handleData(data).catch(options.onFailure);
    };
    // Known to the library only when it starts; until then it would answer a peer's INIT, and then
    // send its own: the peer aborts.
    this.#sctp.isServer = options.peerOpens;
    this.#numberFrom(options.firstTsn ?? firstTsn());
    this.#sctp.rto = SCTP_FIRST_RTO_MS / 1000;
    this.#patchReceive();
    this.#patchAcknowledgements();
    this.#patchStop();
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
  send(channel: RTCDataChannel, kind: "text" | "binary", data: Buffer): number {
    this.#sctp.send(channel.id, PPID[kind], data, { ordered: true }).catch(this.#options.onFailure);
    return tsnAdd(this.#sctp.localTsn, -1);
  }

  /** Whether the peer has acknowledged a sequence number and all before it. */
  isAcknowledged(tsn: number): boolean {
    return tsnDistance(tsn, this.#sctp.lastSackedTsn) >= 0;
  }

  /** Acknowledges what has come, tells the peer of the end, and stops. */
  async stop(): Promise<void> {
    await this.#sctp.sendSack(); // does nothing when none is due
    await this.transport.stop();
  }

  /** The library's handlers are asynchronous and not awaited: a throw would end the process. */
  #containReceive(): void {
    const { peerOpens, onFailure, onChannel } = this.#options;
    const receiver = insidesOf<SctpTransportInsides>(this.transport, {
      datachannelReceive: "function",
    });
    const receive = receiver.datachannelReceive;
    receiver.datachannelReceive = async (streamId, protocol, data) => {
      if (protocol === PPID.control && data[0] === DCEP_OPEN) {
        // One channel is agreed on; a peer that opens more gets no answer.
        const isKnown = streamId in this.transport.dataChannels;
        const mayOpen = peerOpens && Object.keys(this.transport.dataChannels).length === 0;
        if (!isKnown && !mayOpen) return;
        if (data[1] !== DCEP_ORDERED_RELIABLE) return onFailure(unreliableError());
      }
      await receive(streamId, protocol, data).catch(onFailure);
    };
    this.transport.onDataChannel.subscribe(onChannel);
  }

  #numberFrom(tsn: number): void {
    this.#sctp.localTsn = tsn;
    this.#sctp.reconfigRequestSeq = tsn;
    this.#sctp.lastSackedTsn = tsnAdd(tsn, -1);
    this.#sctp.advancedPeerAckTsn = tsnAdd(tsn, -1);
  }

  #patchReceive(): void {
    const sctp = this.#sctp;
    const { onClosed, onFailure } = this.#options;
    const receiveChunk = sctp.receiveChunk.bind(sctp);
    sctp.receiveChunk = async (chunk) => {
      // A repeated INIT would set the numbers of a running association back.
      if (chunk.type === CHUNK.init && sctp.associationState === ESTABLISHED) return;
      // All of ours is reliable: nothing may be skipped.
      if (chunk.type === CHUNK.forwardTsn) return;
      if (chunk.type === CHUNK.shutdown) await this.#acknowledgedByShutdown(chunk);
      await receiveChunk(chunk);
      // The library answers, and then never closes.
      if (chunk.type === CHUNK.shutdown) onClosed();
    };
    const receiveDataChunk = sctp.receiveDataChunk.bind(sctp);
    sctp.receiveDataChunk = (chunk) => {
      const allowed = sctp.advertisedRwnd + WINDOW_SLACK;
      if ((chunk.userData?.length ?? 0) > allowed) return onFailure(windowError());
      receiveDataChunk(chunk);
    };
    sctp.markReceived = (tsn) => {
      const distance = tsnDistance(sctp.lastReceivedTsn, tsn);
      if (distance > MAX_GAP_DISTANCE) return true; // can't be listed: as if it were lost
      if (distance <= 0 || sctp.sackMisOrdered.has(tsn)) {
        if (sctp.sackDuplicates.length < MAX_DUPLICATES) sctp.sackDuplicates.push(tsn);
        return true;
      }
      sctp.sackMisOrdered.add(tsn);
      while (sctp.sackMisOrdered.delete(tsnNext(sctp.lastReceivedTsn))) {
        sctp.lastReceivedTsn = tsnNext(sctp.lastReceivedTsn);
      }
      return false;
    };
  }

  /** A chunk whose answer was being sent while all stopped would start timers, or all, again. */
  #patchStop(): void {
    const sctp = this.#sctp;
    const setState = sctp.setState.bind(sctp);
    sctp.setState = (state) => {
      if (!sctp.isStopped || state === CLOSED) setState(state);
    };
    const timer1Start = sctp.timer1Start.bind(sctp);
    sctp.timer1Start = (chunk) => {
      if (!sctp.isStopped) timer1Start(chunk);
    };
    const t2Start = sctp.t2Start.bind(sctp);
    sctp.t2Start = (chunk) => {
      if (!sctp.isStopped) t2Start(chunk);
    };
  }

  /** A SHUTDOWN says how far its sender has everything; the library passes it over. */
  async #acknowledgedByShutdown({ cumulativeTsn }: Chunk): Promise<void> {
    if (cumulativeTsn === undefined) return;
    const advertisedRwnd = this.#sctp.peerAdvertisedRwnd;
    await this.#sctp.receiveSackChunk({ cumulativeTsn, advertisedRwnd, gaps: [] });
  }

  #patchAcknowledgements(): void {
    const sctp = this.#sctp;
    const onSackReceived = sctp.onSackReceived;
    sctp.onSackReceived = () => {
      this.onAcknowledged();
      return onSackReceived();
    };
    const sendChunk = sctp.sendChunk.bind(sctp);
    sctp.sendChunk = async (chunk) => {
      if (chunk.type === CHUNK.sack) {
        chunk.gaps = gapBlocks(sctp.sackMisOrdered, sctp.lastReceivedTsn, MAX_GAP_BLOCKS);
      }
      // The last chunk that waited asks for a SACK at once (RFC 7053).
      if (chunk.type === CHUNK.data && sctp.outboundQueue.length === 0) {
        chunk.flags |= DataFlag.IMMEDIATE;
      }
      // A reset must not overtake the acknowledgement of what came before it.
      if (chunk.type === CHUNK.reconfig) await sctp.sendSack();
      await sendChunk(chunk);
    };
  }
}

function unreliableError(): TransportError {
  return new TransportError(
    "SETUP_FAILED",
    "the peer opened a channel that is not ordered and reliable",
  );
}

function windowError(): TransportError {
  return new TransportError(
    "RECEIVE_OVERFLOW",
    "the peer sent more than the window that it was given; the connection is closed",
  );
}
