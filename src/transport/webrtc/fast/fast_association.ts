/**
 * The SCTP layer of the fast path: user data and SACKs of the library's association go through our
 * sender and receiver; its handshake, heartbeats, stream resets and end stay the library's.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { SACK_DELAY_MS } from "../../../base/timing.ts";
import type { FastPathTarget } from "../fast_path.ts";
import { hasMembers, UnexpectedInside } from "./insides.ts";
import { LazyTimer } from "../sctp/lazy_timer.ts";
import {
  ChunkType,
  COMMON_HEADER_BYTES,
  DATA_HEADER_BYTES,
  notSctpError,
  type PacketAddress,
  type PacketVisitor,
  PacketWriter,
  parsePacket,
  type Sack,
} from "../sctp/packet.ts";
import { SctpReceiver } from "../sctp/receiver.ts";
import { SctpSender } from "../sctp/sender.ts";
import { tsnAdd } from "../sctp/tsn.ts";

/** Room for a SACK with all its blocks, whatever the packets of data are. */
const MIN_PACKET_ROOM = 1200;
/** `SCTP_STATE.ESTABLISHED` of the library. */
const ESTABLISHED = 4;

/** The library's association. */
interface SctpInsides {
  associationState: number;
  readonly isStopped: boolean;
  readonly maxPayloadSize: number;
  readonly localPort: number;
  readonly remotePort: number | undefined;
  readonly localVerificationTag: number;
  readonly remoteVerificationTag: number;
  readonly peerAdvertisedRwnd: number;
  readonly lastReceivedTsn: number | undefined;
  readonly outboundStreamSeq: Record<number, number>;
  localTsn: number;
  lastSackedTsn: number;
  sackNeeded: boolean;
  /** Retransmission timeout of the library's own chunks, in seconds. */
  rto: number;
  readonly stateChanged: { readonly closed: { subscribe(listener: () => void): unknown } };
  onSackReceived: () => Promise<void>;
  receive(streamId: number, ppid: number, data: Buffer): void;
  send: (
    streamId: number,
    ppid: number,
    data: Buffer,
    options?: { readonly ordered?: boolean },
  ) => Promise<void>;
  receiveDataChunk: (chunk: LibraryData) => void;
  receiveSackChunk: (chunk: LibrarySack) => Promise<void>;
  receiveForwardTsnChunk: (chunk: { readonly cumulativeTsn: number }) => void;
  scheduleSack: () => Promise<void>;
  sendSack: () => Promise<void>;
  sendChunk: (chunk: LibraryChunk) => Promise<void>;
}

const SCTP_MEMBERS = {
  associationState: "number",
  isStopped: "boolean",
  maxPayloadSize: "number",
  localPort: "number",
  localVerificationTag: "number",
  remoteVerificationTag: "number",
  peerAdvertisedRwnd: "number",
  outboundStreamSeq: "object",
  localTsn: "number",
  lastSackedTsn: "number",
  sackNeeded: "boolean",
  rto: "number",
  stateChanged: "object",
  onSackReceived: "function",
  receive: "function",
  send: "function",
  receiveDataChunk: "function",
  receiveSackChunk: "function",
  receiveForwardTsnChunk: "function",
  scheduleSack: "function",
  sendSack: "function",
  sendChunk: "function",
} as const;

interface LibraryData {
  readonly tsn: number;
  readonly flags: number;
  readonly streamId: number;
  readonly streamSeqNum: number;
  readonly protocol: number;
  readonly userData: Uint8Array;
}

interface LibrarySack {
  readonly cumulativeTsn: number;
  readonly advertisedRwnd: number;
  readonly gaps: readonly (readonly [number, number])[];
}

interface LibraryChunk {
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** Chunks of ours after which the peer may look at nothing else: the SACK goes with them. */
const LAST_CHUNKS: ReadonlySet<number> = new Set([ChunkType.RECONFIG, ChunkType.ABORT]);

/** Payload protocol identifiers of data channels (RFC 8831 section 8). */
const Ppid = { STRING: 51, BINARY: 53, STRING_EMPTY: 56, BINARY_EMPTY: 57 } as const;

const DONE = Promise.resolve();

/** User data and SACKs of one association. */
export class FastAssociation {
  readonly #target: FastPathTarget;
  readonly #sctp: SctpInsides;
  readonly #sendPacket: (packet: Uint8Array) => Promise<void>;
  readonly #writer: PacketWriter;
  readonly #retransmission = new LazyTimer(() => this.#onTimeout());
  readonly #delayedSack = new LazyTimer(() => this.#sendSack());
  readonly #visitor: PacketVisitor = {
    data: (chunk) => this.#currentReceiver()?.onData(chunk),
    sack: (sack) => this.#onSack(sack),
  };
  /** Of a packet that goes to the library: it takes the rest of a SACK from there. */
  readonly #acknowledgements: PacketVisitor = {
    sack: ({ cumulativeTsn }) => this.#onCumulativeTsn(cumulativeTsn),
    shutdown: (cumulativeTsn) => this.#onCumulativeTsn(cumulativeTsn),
  };
  #sender: SctpSender | undefined;
  #receiver: SctpReceiver | undefined;

  /**
   * Takes over user data and SACKs. Must be called before the SCTP transport is started, and after
   * whoever else sets its `dataReceiver`.
   *
   * @throws {UnexpectedInside} When the library is not built as expected; nothing was changed.
   */
  constructor(target: FastPathTarget) {
    const sctp: unknown = target.sctpTransport.sctp;
    const [dtls] = target.dtlsTransports;
    if (!hasMembers<SctpInsides>(sctp, SCTP_MEMBERS) || typeof dtls.dataReceiver !== "function") {
      throw new UnexpectedInside("the library's SCTP association");
    }
    this.#target = target;
    this.#sctp = sctp;
    // The transport below reports its failures by itself; to SCTP they are losses.
    this.#sendPacket = (packet) => dtls.sendData(packet as Buffer).catch(() => {});
    const headers = COMMON_HEADER_BYTES + DATA_HEADER_BYTES;
    this.#writer = new PacketWriter(Math.max(MIN_PACKET_ROOM, headers + sctp.maxPayloadSize));
    const receiveControl = dtls.dataReceiver;
    dtls.dataReceiver = (packet) => this.#receive(packet, receiveControl);
    this.#replaceMethods(sctp);
    sctp.stateChanged.closed.subscribe(() => this.#dispose());
  }

  #replaceMethods(sctp: SctpInsides): void {
    sctp.send = (streamId, ppid, data, options) => this.#send(streamId, ppid, data, options);
    const sendChunk = sctp.sendChunk.bind(sctp);
    sctp.sendChunk = (chunk) => this.#sendWithSack(chunk) ?? sendChunk(chunk);
    sctp.sendSack = () => DONE; // what is due goes with the chunk
    // These four take what comes in one packet with the library's own chunks.
    sctp.receiveDataChunk = (chunk) => {
      sctp.sackNeeded = true;
      this.#currentReceiver()?.onData({
        tsn: chunk.tsn,
        flags: chunk.flags,
        streamId: chunk.streamId,
        ssn: chunk.streamSeqNum,
        ppid: chunk.protocol,
        payload: chunk.userData,
      });
    };
    sctp.receiveSackChunk = ({ cumulativeTsn, advertisedRwnd, gaps }) => {
      this.#onSack({
        cumulativeTsn,
        window: advertisedRwnd,
        gaps: gaps.map(([start, end]) => ({ start, end })),
        duplicates: [],
      });
      return DONE;
    };
    sctp.receiveForwardTsnChunk = ({ cumulativeTsn }) => {
      sctp.sackNeeded = true;
      this.#currentReceiver()?.onForwardTsn(cumulativeTsn);
    };
    sctp.scheduleSack = () => {
      sctp.sackNeeded = false;
      this.#endOfPacket();
      return DONE;
    };
  }

  #receive(bytes: Buffer, receiveControl: (packet: Buffer) => void): void {
    if (this.#sctp.isStopped) return;
    const packet = parsePacket(bytes);
    if (packet?.kind === "control") {
      // First, wherever in the packet they are: what else is in it may end the channel.
      const isOurs = packet.tag === this.#sctp.localVerificationTag && packet.hasValidChecksum();
      if (isOurs) packet.visit(this.#acknowledgements);
      return receiveControl(bytes);
    }
    // DTLS has proven that the peer wrote it, so this is no damage on the way.
    if (packet?.hasValidChecksum() !== true) return this.#target.onFailure(notSctpError());
    // Of an association before this one (RFC 9260 section 8.5): dropped silently.
    if (packet.tag !== this.#sctp.localVerificationTag) return;
    try {
      packet.visit(this.#visitor);
    } catch (error) {
      this.#target.onFailure(error); // a handler of messages threw
    }
    this.#endOfPacket();
  }

  #onCumulativeTsn(cumulativeTsn: number): void {
    const window = this.#sender?.peerWindow ?? 0;
    this.#onSack({ cumulativeTsn, window, gaps: [], duplicates: [] });
  }

  #onSack(sack: Sack): void {
    const sender = this.#sender;
    if (sender === undefined) return;
    sender.onSack(sack);
    this.#retransmission.set(sender.deadline);
    this.#sctp.lastSackedTsn = sender.ackedTsn;
    this.#sctp.rto = sender.timeoutMs / 1000;
    // Fills our queue from the library's, and wakes whoever else waits for acknowledgements.
    this.#sctp.onSackReceived().catch((error) => this.#target.onFailure(error));
  }

  #endOfPacket(): void {
    const urgency = this.#receiver?.endOfPacket();
    if (urgency === "now") this.#sendSack();
    else if (urgency === "delayed") this.#delayedSack.set(performance.now() + SACK_DELAY_MS);
  }

  #sendSack(): void {
    this.#delayedSack.set(undefined);
    const to = this.#address();
    if (to === undefined || this.#receiver === undefined || this.#sctp.isStopped) return;
    this.#sendPacket(this.#writer.sack(to, this.#receiver.takeSack()));
  }

  /**
   * Sends a chunk that resets the stream or ends the association in one packet with a SACK: it can
   * neither overtake the acknowledgement nor arrive without it. Undefined for any other chunk.
   */
  #sendWithSack({ type, bytes }: LibraryChunk): Promise<void> | undefined {
    const to = this.#address();
    if (!LAST_CHUNKS.has(type) || to === undefined || this.#receiver === undefined) {
      return undefined;
    }
    this.#delayedSack.set(undefined);
    return this.#sendPacket(this.#writer.sackWith(to, this.#receiver.takeSack(), bytes));
  }

  /** Resolves when the last fragment has gone out. */
  #send(
    streamId: number,
    ppid: number,
    data: Buffer,
    { ordered = true }: { readonly ordered?: boolean } = {},
  ): Promise<void> {
    // Nothing may be sent before or after; the library drops it too.
    if (this.#sctp.isStopped || this.#sctp.associationState !== ESTABLISHED) return DONE;
    const sender = this.#currentSender();
    const ssn = ordered ? this.#sctp.outboundStreamSeq[streamId] ?? 0 : 0;
    if (ordered) this.#sctp.outboundStreamSeq[streamId] = (ssn + 1) & 0xffff;
    return new Promise((onSent) => {
      sender.send({ streamId, ssn, unordered: !ordered, onSent, ...userData(ppid, data) });
      this.#sctp.localTsn = sender.endTsn;
      this.#retransmission.set(sender.deadline);
    });
  }

  #onTimeout(): void {
    if (this.#sctp.isStopped) return;
    this.#sender?.onTimeout();
    this.#retransmission.set(this.#sender?.deadline);
  }

  #currentSender(): SctpSender {
    return this.#sender ??= new SctpSender({
      initialTsn: this.#sctp.localTsn,
      maxPayload: this.#sctp.maxPayloadSize,
      peerWindow: this.#sctp.peerAdvertisedRwnd,
      now: () => performance.now(),
      transmit: (chunk, flags) => {
        const to = this.#address();
        if (to !== undefined && !this.#sctp.isStopped) {
          this.#sendPacket(this.#writer.data(to, chunk, flags));
        }
      },
    });
  }

  /** Undefined as long as the peer has not said where its numbers begin. */
  #currentReceiver(): SctpReceiver | undefined {
    const { lastReceivedTsn } = this.#sctp;
    if (lastReceivedTsn === undefined) return undefined;
    return this.#receiver ??= new SctpReceiver({
      initialTsn: tsnAdd(lastReceivedTsn, 1),
      deliver: ({ streamId, ppid, bytes }) => this.#sctp.receive(streamId, ppid, asBuffer(bytes)),
    });
  }

  #address(): PacketAddress | undefined {
    const { localPort, remotePort, remoteVerificationTag } = this.#sctp;
    if (remotePort === undefined) return undefined;
    return { sourcePort: localPort, destinationPort: remotePort, tag: remoteVerificationTag };
  }

  #dispose(): void {
    this.#retransmission[Symbol.dispose]();
    this.#delayedSack[Symbol.dispose]();
    this.#sender?.clear();
  }
}

/** An empty message is marked by its identifier, around one byte (RFC 8831 section 6.6). */
function userData(ppid: number, bytes: Uint8Array): { ppid: number; bytes: Uint8Array } {
  if (bytes.length > 0) return { ppid, bytes };
  const emptyPpid = ppid === Ppid.STRING ? Ppid.STRING_EMPTY : Ppid.BINARY_EMPTY;
  return { ppid: emptyPpid, bytes: new Uint8Array(1) };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
