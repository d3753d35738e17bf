/**
 * An SCTP association (RFC 9260) with one data channel, from INIT to its end. Pure: packets, time
 * and randomness in; packets, messages, the end and the next deadline out.
 *
 * Each call that may lead to packets ends with {@linkcode AssociationCore.flush}: what is to be said
 * goes in as few packets as it fits in, acknowledgements first, then control chunks, then user data.
 *
 * @module
 */
import { TransportError } from "../../../base/errors.ts";
import {
  CHANNEL_ABORT_MS,
  CHANNEL_ABORT_RETRY,
  RELIABLE_SACK_DELAY_MS,
  SACK_DELAY_MS,
  SCTP_TIMER_EARLY_MS,
} from "../../../base/timing.ts";
import { type ChannelContent, ChannelStream } from "./channel_stream.ts";
import {
  ErrorCause,
  ParameterType,
  readParameters,
  unknownChunkRule,
  writeParameters,
} from "./chunks.ts";
import { Handshake, type PeerParameters } from "./handshake.ts";
import {
  CHUNK_HEADER_BYTES,
  ChunkType,
  COMMON_HEADER_BYTES,
  type ControlChunk,
  DATA_HEADER_BYTES,
  type DataChunk,
  notSctpError,
  type Packet,
  type PacketVisitor,
  PacketWriter,
  padded,
  parsePacket,
  REFLECTED_TAG,
  type Sack,
  viewOf,
} from "./packet.ts";
import { PathMtu } from "./path_mtu.ts";
import { type ReceiveBreach, SctpReceiver } from "./receiver.ts";
import { RECEIVE_WINDOW, ReceiveWindow, type ReceiveWindowOptions } from "./receive_window.ts";
import { RetransmissionTimeout } from "./retransmission_timeout.ts";
import { SctpSender } from "./sender.ts";
import { StreamReset } from "./stream_reset.ts";

/** Options of an {@linkcode AssociationCore}. */
export interface AssociationCoreOptions {
  /** Whether the peer opens the channel; if not, it may open none. */
  readonly peerOpens: boolean;
  /** Our SCTP port, and the peer's. */
  readonly localPort: number;
  /** See {@linkcode AssociationCoreOptions.localPort}. */
  readonly remotePort: number;
  /** Our first TSN. */
  readonly initialTsn: number;
  /** Bytes of a packet that passes everywhere. */
  readonly basePacket: number;
  /** Larger packets to try, the largest first, in bytes. */
  readonly largerPackets: readonly number[];
  /** Whether the link loses nothing. @default {false} */
  readonly isReliable?: boolean;
  /** Longest message that is taken, in bytes. */
  readonly maxMessageBytes: number;
  /** Bounds of the receive window. */
  readonly window?: Pick<ReceiveWindowOptions, "first" | "most"> | undefined;
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
  /** Random bytes, as many. */
  readonly random: (bytes: number) => Uint8Array;
  /** Sends a packet; its memory is used again. */
  readonly send: (packet: Uint8Array) => void;
  /**
   * Whether the link takes more user data for now; {@linkcode AssociationCore.flush} goes on when it
   * does again. @default {() => true}
   */
  readonly isWritable?: () => boolean;
  /** The channel is open. */
  readonly onOpen: (label: string) => void;
  /** A message has come; it counts as unread until {@linkcode AssociationCore.consumed}. */
  readonly onMessage: (content: ChannelContent) => void;
  /** Told once: the peer has closed the channel, or has confirmed that we did. */
  readonly onChannelClosed: () => void;
  /** Told once that it is over: without an error when the peer ended it in order. */
  readonly onEnd: (error?: unknown) => void;
  /** Nothing more is to be waited for: what {@linkcode AssociationCore.abort} began is done. */
  readonly onStopped: () => void;
}

/**
 * `setup`: INIT and cookies under way. `shutdown-*`: section 9.2. `aborting`: the peer is told that
 * we have ended it. `over`: it has ended; the peer may be owed a word. `stopped`: nothing happens
 * any more.
 */
type State =
  | "setup"
  | "established"
  | "shutdown-pending"
  | "shutdown-sent"
  | "shutdown-received"
  | "shutdown-ack-sent"
  | "aborting"
  | "over"
  | "stopped";

/** Chunks of ours after which the peer may look at nothing else: a SACK goes with them. */
const LAST_CHUNKS: ReadonlySet<number> = new Set([ChunkType.RECONFIG, ChunkType.ABORT]);
/** What is sent before it is worth finding out how large packets may be, in bytes. */
const MTU_WORTH_BYTES = 16 * 1024;
/** Nonce and size in a heartbeat of ours. */
const NONCE_BYTES = 8;
const HEARTBEAT_BYTES = NONCE_BYTES + 4;
const EMPTY = new Uint8Array();

/** The state machine of one association. */
export class AssociationCore {
  readonly #options: AssociationCoreOptions;
  readonly #timeout = new RetransmissionTimeout();
  readonly #handshake: Handshake;
  readonly #window: ReceiveWindow;
  readonly #mtu: PathMtu;
  readonly #writer: PacketWriter;
  readonly #channel: ChannelStream;
  readonly #nonce: Uint8Array;
  #state: State = "setup";
  #sender: SctpSender | undefined;
  #receiver: SctpReceiver | undefined;
  #reset: StreamReset | undefined;
  /** A channel to open once the association is up. */
  #toOpen: { readonly id: number; readonly label: string } | undefined;
  #ssn = 0;
  #sackAt: number | undefined;
  #isSackDue = false;
  #hasSack = false;
  #hasReconfig = false;
  #shutdownAt: number | undefined;
  #abort: { readonly until: number; retryAt: number; waitMs: number } | undefined;
  #probe: { readonly size: number; readonly sentAt: number; readonly isFirst: boolean } | undefined;
  #sentBytes = 0;
  #isChannelClosed = false;
  #packet: Packet | undefined;
  readonly #acknowledgements: PacketVisitor = {
    sack: (sack) => this.#onSack(sack),
    control: ({ type, body }) => {
      if (type === ChunkType.SHUTDOWN) this.#onCumulativeTsn(viewOf(body).getUint32(0));
      return true;
    },
  };
  readonly #rest: PacketVisitor = {
    data: (chunk) => this.#receiver?.onData(chunk),
    control: (chunk) => this.#onControl(chunk),
  };
  readonly #farewell: PacketVisitor = { control: (chunk) => this.#onFarewell(chunk) };
  readonly #content: PacketVisitor = {
    data: (chunk) => this.#receiver?.onData(chunk),
    sack: (sack) => this.#onSack(sack),
  };

  /** Waits for the peer's INIT. */
  constructor(options: AssociationCoreOptions) {
    this.#options = options;
    const { now, random, initialTsn, basePacket, largerPackets, maxMessageBytes } = options;
    // Where nothing is lost there is no reason to begin small.
    const first = options.isReliable === true ? { first: RECEIVE_WINDOW.most } : {};
    this.#window = new ReceiveWindow({ ...first, ...options.window, unreadSlack: maxMessageBytes });
    this.#writer = new PacketWriter(Math.max(basePacket, ...largerPackets));
    this.#nonce = random(NONCE_BYTES);
    this.#mtu = new PathMtu({
      base: whole(basePacket),
      sizes: largerPackets.map(whole),
      now,
      probe: (size) => this.#sendProbe(size),
    });
    this.#handshake = new Handshake({
      initialTsn,
      window: this.#window.limit,
      now,
      random,
      timeout: this.#timeout,
      send: (chunk, tag) => this.#sendAlone(chunk, tag),
      onEstablished: (peer) => this.#establish(peer),
      onRestart: () => this.#fail(lost("it has begun anew")),
    });
    this.#channel = new ChannelStream({
      peerOpens: options.peerOpens,
      send: (streamId, ppid, bytes, onAcknowledged) =>
        this.#sender?.send({
          streamId,
          ppid,
          bytes,
          unordered: false,
          ssn: this.#ssn++ & 0xffff,
          ...(onAcknowledged === undefined ? {} : { onAcknowledged }),
        }),
      reset: (stream) => this.#resetStream(stream),
      onOpen: options.onOpen,
      onMessage: (content) => {
        this.#window.addUnread(content.bytes.length);
        options.onMessage(content);
      },
      onClosed: () => this.#tellClosed(),
      onBreach: (error) => this.#fail(error),
    });
  }

  /** When {@linkcode AssociationCore.onDeadline} is due; undefined for never. */
  get deadline(): number | undefined {
    if (this.#state === "aborting") return this.#abort?.retryAt;
    if (this.#isOver) return undefined;
    let at = this.#sackAt ?? Infinity;
    at = Math.min(at, this.#handshake.deadline ?? Infinity, this.#sender?.deadline ?? Infinity);
    at = Math.min(at, this.#reset?.deadline ?? Infinity, this.#mtu.deadline ?? Infinity);
    at = Math.min(at, this.#shutdownAt ?? Infinity);
    return at === Infinity ? undefined : at;
  }

  /** Bytes of the largest packet that is known to pass. */
  get packetBytes(): number {
    return this.#mtu.packet;
  }

  /** Bytes that the path delivered in the last round trip that was in use. */
  get deliveredBytes(): number {
    return this.#sender?.deliveredBytes ?? 0;
  }

  /** Begins, with an INIT. */
  start(): void {
    if (this.#state === "setup") this.#handshake.start();
  }

  /** Opens the channel, at once or as soon as the association is up. */
  open(id: number, label: string): void {
    if (this.#state === "established") this.#channel.open(id, label);
    else this.#toOpen = { id, label };
    this.flush();
  }

  /** Sends a message on the channel. Its bytes must not be changed until it was acknowledged. */
  send(content: ChannelContent, onAcknowledged: () => void): void {
    if (this.#state !== "established") return;
    this.#channel.send(content, onAcknowledged);
    this.flush();
  }

  /** A message of so many bytes has been read: there is room again. */
  consumed(bytes: number): void {
    this.#window.removeUnread(bytes);
    if (this.#receiver === undefined || this.#isOver || !this.#window.isNews) return;
    this.#isSackDue = true;
    this.flush();
  }

  /** Closes our direction of the channel; the peer confirms it. */
  closeChannel(): void {
    this.#channel.close();
    this.flush();
  }

  /** Ends it in order, once all that was sent has been acknowledged (section 9.2). */
  shutdown(): void {
    if (this.#state !== "established") return;
    this.#state = "shutdown-pending";
    this.flush();
  }

  /**
   * Ends it at once (section 9.1). `onStopped` follows: when the peer has shown that it knows, or
   * after a while.
   *
   * @param confirm Whether to wait for that: not, when the peer knows or can't be reached.
   */
  abort(confirm: boolean): void {
    if (this.#state === "stopped" || this.#state === "aborting") return;
    const isUp = this.#receiver !== undefined;
    const asks = confirm && isUp && !this.#isOver && !this.#channel.isResetByPeer;
    if (isUp) this.#sendAbort(asks);
    this.#clear();
    if (!asks) return this.#stop();
    const now = this.#options.now();
    const { firstMs } = CHANNEL_ABORT_RETRY;
    this.#state = "aborting";
    this.#abort = { until: now + CHANNEL_ABORT_MS, retryAt: now + firstMs, waitMs: firstMs };
  }

  /**
   * The link leads by another path now. What may have been lost with the old one goes again at once,
   * and the peer is told at once what has come: its acknowledgements may have been lost too.
   */
  onPathChange(): void {
    if (this.#isOver || this.#receiver === undefined) return;
    this.#isSackDue = true;
    this.#sender?.onPathChange();
    this.#mtu.onPathChange();
    this.#resize();
    this.flush();
  }

  /** A packet has come: a view that is valid until this returns. */
  receive(bytes: Uint8Array): void {
    if (this.#isOver && this.#state !== "aborting") return;
    const packet = parsePacket(bytes);
    // DTLS has proven that the peer wrote it, so this is no damage on the way.
    if (packet?.hasValidChecksum() !== true) return this.#fail(notSctpError());
    // Of an association before this one (section 8.5): dropped silently.
    if (!this.#isForUs(packet)) return;
    if (this.#state === "aborting") return packet.visit(this.#farewell);
    try {
      this.#packet = packet;
      if (packet.kind === "data") packet.visit(this.#content);
      else {
        // First, wherever in the packet they are: what else is in it may end the channel.
        packet.visit(this.#acknowledgements);
        packet.visit(this.#rest);
      }
    } catch (error) {
      this.#fail(error); // whoever takes messages threw
    }
    this.#endOfPacket();
    this.flush();
  }

  /** Whatever is due by now is done. */
  onDeadline(): void {
    const now = this.#options.now() + SCTP_TIMER_EARLY_MS;
    const isDue = (at: number | undefined): boolean => at !== undefined && at <= now;
    if (this.#state === "aborting") {
      return isDue(this.#abort?.retryAt) ? this.#repeatAbort() : void 0;
    }
    if (this.#isOver) return;
    if (isDue(this.#sackAt)) this.#isSackDue = true;
    if (isDue(this.#handshake.deadline)) this.#handshake.onDeadline();
    if (isDue(this.#reset?.deadline)) this.#reset?.onDeadline();
    if (isDue(this.#mtu.deadline)) this.#mtu.onDeadline();
    if (isDue(this.#shutdownAt)) this.#repeatShutdown();
    const sender = this.#sender;
    if (sender !== undefined && isDue(sender.deadline)) {
      const { timeouts } = sender;
      sender.onDeadline();
      if (sender.timeouts > timeouts) this.#onBlackHole(sender);
    }
    this.flush();
  }

  /** Sends all that may be sent. */
  flush(): void {
    if (this.#isOver) return;
    if (this.#isSackDue) this.#addSack();
    this.#sender?.transmit();
    if (this.#state === "shutdown-pending" || this.#state === "shutdown-received") {
      if (this.#sender?.isIdle !== false) this.#advanceShutdown();
    }
    this.#endPacket();
    if (this.#sentBytes > MTU_WORTH_BYTES) this.#mtu.begin();
  }

  get #isOver(): boolean {
    return this.#state === "over" || this.#state === "stopped" || this.#state === "aborting";
  }

  #establish(peer: PeerParameters): void {
    this.#state = "established";
    const { now, initialTsn, maxMessageBytes, isReliable = false } = this.#options;
    this.#sender = new SctpSender({
      isReliable,
      initialTsn,
      ...this.#sizes(),
      peerWindow: peer.window,
      now,
      timeout: this.#timeout,
      transmit: (chunk, flags) => this.#addData(chunk, flags),
      isWritable: this.#options.isWritable ?? (() => true),
    });
    const receiver = this.#receiver = new SctpReceiver({
      isReliable,
      initialTsn: peer.initialTsn,
      window: this.#window,
      now,
      roundTripMs: () => this.#timeout.leastMs,
      maxMessageBytes,
      deliver: (message) => this.#channel.onMessage(message),
      onBreach: (breach) => this.#fail(breachError(breach)),
    });
    this.#reset = new StreamReset({
      initialTsn,
      peerInitialTsn: peer.initialTsn,
      now,
      timeoutMs: () => this.#timeout.ms,
      cumulativeTsn: () => receiver.cumulativeTsn,
      send: (chunk) => this.#addControl(chunk),
      onIncoming: (streams) => this.#channel.onReset(streams),
      onConfirmed: () => this.#tellClosed(),
    });
    if (this.#toOpen !== undefined) this.#channel.open(this.#toOpen.id, this.#toOpen.label);
  }

  /** Verification tags (section 8.5.1). */
  #isForUs(packet: Packet): boolean {
    const { firstType: type, tag } = packet;
    if (type === ChunkType.INIT) return tag === 0 && packet.isSingle;
    // The cookie decides.
    if (type === ChunkType.COOKIE_ECHO) return true;
    const mayReflect = type === ChunkType.ABORT || type === ChunkType.SHUTDOWN_COMPLETE;
    if (mayReflect && packet.firstFlags & REFLECTED_TAG) return tag === this.#handshake.peer?.tag;
    return tag === this.#handshake.tag;
  }

  #onSack(sack: Sack): void {
    this.#sender?.onSack(sack);
  }

  #onCumulativeTsn(cumulativeTsn: number): void {
    const window = this.#sender?.peerWindow ?? 0;
    this.#onSack({ cumulativeTsn, window, gaps: [], duplicates: [] });
  }

  /** Returns whether the rest of the packet counts. */
  #onControl(chunk: ControlChunk): boolean {
    const { type, body } = chunk;
    switch (type) {
      case ChunkType.INIT:
        if (this.#packet?.isSingle === true) this.#handshake.onInit(body);
        return false;
      case ChunkType.INIT_ACK:
        this.#handshake.onInitAck(body);
        return false;
      case ChunkType.COOKIE_ECHO:
        return this.#handshake.onCookieEcho(body, this.#packet?.tag ?? 0);
      case ChunkType.COOKIE_ACK:
        this.#handshake.onCookieAck();
        return true;
      case ChunkType.ERROR:
        this.#handshake.onError(body);
        return true;
      case ChunkType.ABORT:
        this.#end();
        return false;
    }
    // Section 8.4: none of the others means anything before.
    if (this.#receiver === undefined) return true;
    switch (type) {
      case ChunkType.HEARTBEAT:
        this.#addControl({ type: ChunkType.HEARTBEAT_ACK, flags: 0, body });
        return true;
      case ChunkType.HEARTBEAT_ACK:
        this.#onHeartbeatAck(body);
        return true;
      case ChunkType.SHUTDOWN:
        this.#onShutdown();
        return true;
      case ChunkType.SHUTDOWN_ACK:
        this.#onShutdownAck();
        return true;
      case ChunkType.SHUTDOWN_COMPLETE:
        if (this.#state === "shutdown-ack-sent") this.#end();
        return true;
      case ChunkType.RECONFIG:
        this.#reset?.onReconfig(body);
        return true;
      case ChunkType.FORWARD_TSN:
        this.#receiver.onForwardTsn(viewOf(body).getUint32(0));
        return true;
      case ChunkType.PAD:
        return true;
    }
    return this.#onUnknown(chunk);
  }

  /** We have ended it: only what shows that the peer knows counts. */
  #onFarewell({ type, body }: ControlChunk): boolean {
    const isKnown = type === ChunkType.ABORT ||
      (type === ChunkType.HEARTBEAT_ACK && this.#sizeOfOurs(body) === 0);
    if (isKnown) this.#stop();
    return !isKnown;
  }

  #onUnknown({ type, flags, body }: ControlChunk): boolean {
    const { passOver, report } = unknownChunkRule(type);
    if (report) {
      const header = Uint8Array.of(type, flags, ...new Uint8Array(2));
      viewOf(header).setUint16(2, CHUNK_HEADER_BYTES + body.length);
      const value = Uint8Array.of(...header, ...body.subarray(0, 64));
      const cause = writeParameters([{ type: ErrorCause.UNRECOGNIZED_CHUNK, value }]);
      this.#addControl({ type: ChunkType.ERROR, flags: 0, body: cause });
    }
    return passOver;
  }

  #endOfPacket(): void {
    if (this.#isOver || this.#receiver === undefined) return;
    const urgency = this.#receiver.endOfPacket();
    if (urgency === "now") this.#isSackDue = true;
    else if (urgency === "delayed") this.#sackAt ??= this.#options.now() + this.#sackDelayMs;
    if (urgency !== "none") this.#reset?.onAdvance();
  }

  get #sackDelayMs(): number {
    return this.#options.isReliable === true ? RELIABLE_SACK_DELAY_MS : SACK_DELAY_MS;
  }

  // What goes out.

  #addSack(): void {
    this.#isSackDue = false;
    this.#sackAt = undefined;
    if (this.#receiver === undefined || this.#hasSack) return;
    this.#hasSack = true;
    this.#writer.sack(this.#receiver.takeSack());
  }

  #addControl(chunk: ControlChunk): void {
    const isReconfig = chunk.type === ChunkType.RECONFIG;
    // One to a packet (RFC 6525, section 3.1, allows no second request to be under way).
    if (isReconfig && this.#hasReconfig) this.#endPacket();
    this.#makeRoomFor(CHUNK_HEADER_BYTES + chunk.body.length);
    if (LAST_CHUNKS.has(chunk.type)) this.#addSack();
    this.#hasReconfig ||= isReconfig;
    this.#writer.control(chunk);
  }

  #addData(chunk: DataChunk, flags: number): void {
    const length = DATA_HEADER_BYTES + chunk.payload.length;
    this.#makeRoomFor(length);
    if (this.#writer.isEmpty && this.#sackAt !== undefined) {
      this.#addSack();
      this.#makeRoomFor(length);
    }
    this.#sentBytes += length;
    this.#writer.data(chunk, flags);
  }

  #makeRoomFor(length: number): void {
    if (this.#writer.length + padded(length) > this.#mtu.packet) this.#endPacket();
  }

  #endPacket(): void {
    this.#hasSack = this.#hasReconfig = false;
    if (this.#writer.isEmpty) return;
    this.#options.send(this.#writer.end(this.#to(this.#handshake.peer?.tag ?? 0)));
  }

  #sendAlone(chunk: ControlChunk, tag: number): void {
    this.#endPacket();
    this.#writer.control(chunk);
    this.#options.send(this.#writer.end(this.#to(tag)));
  }

  #to(tag: number) {
    const { localPort, remotePort } = this.#options;
    const takesZeroChecksum = this.#handshake.peer?.takesZeroChecksum === true;
    return { sourcePort: localPort, destinationPort: remotePort, tag, takesZeroChecksum };
  }

  // The channel's stream.

  #resetStream(stream: number): void {
    const sender = this.#sender;
    if (sender === undefined || this.#isOver) return;
    sender.dropWaiting();
    this.#reset?.request(stream, sender.lastTsn);
    // A peer that knows no resets confirms none.
    if (this.#handshake.peer?.canReset === false) this.#tellClosed();
  }

  /** Once: the answer to our reset and the peer's own may come in either order. */
  #tellClosed(): void {
    if (this.#isChannelClosed) return;
    this.#isChannelClosed = true;
    this.#options.onChannelClosed();
  }

  // Heartbeats: of probes of the path, and of the ABORT, whose size is 0.

  #heartbeat(size: number, padding = 0): ControlChunk {
    const value = new Uint8Array(HEARTBEAT_BYTES + padding);
    value.set(this.#nonce);
    viewOf(value).setUint32(NONCE_BYTES, size);
    const body = writeParameters([{ type: ParameterType.HEARTBEAT_INFO, value }]);
    return { type: ChunkType.HEARTBEAT, flags: 0, body };
  }

  /** What a heartbeat of ours said; undefined when it is none. */
  #sizeOfOurs(body: Uint8Array): number | undefined {
    const [info] = readParameters(body);
    if (info === undefined || info.value.length < HEARTBEAT_BYTES) return undefined;
    if (this.#nonce.some((byte, i) => info.value[i] !== byte)) return undefined;
    return viewOf(info.value).getUint32(NONCE_BYTES);
  }

  #sendProbe(size: number): void {
    this.#endPacket();
    const isFirst = this.#probe?.size !== size;
    this.#probe = { size, sentAt: this.#options.now(), isFirst };
    const bare = this.#heartbeat(size);
    const padding = size - COMMON_HEADER_BYTES - CHUNK_HEADER_BYTES - bare.body.length;
    // Who does not say that it knows padding has it in the heartbeat, and sends as much back.
    if (this.#handshake.peer?.canPad === true) {
      this.#writer.control(bare);
      const body = new Uint8Array(padding - CHUNK_HEADER_BYTES);
      this.#writer.control({ type: ChunkType.PAD, flags: 0, body });
    } else this.#writer.control(this.#heartbeat(size, padding));
    this.#endPacket();
  }

  #onHeartbeatAck(body: Uint8Array): void {
    const size = this.#sizeOfOurs(body);
    if (size === undefined || size !== this.#probe?.size) return;
    // Karn's rule: the answer to one of several says nothing of the round trip.
    if (this.#probe.isFirst) this.#timeout.onRoundTrip(this.#options.now() - this.#probe.sentAt);
    this.#probe = undefined;
    this.#mtu.onAnswer(size);
    this.#resize();
  }

  /** All in flight is lost: perhaps because of its size. */
  #onBlackHole(sender: SctpSender): void {
    if (sender.peerWindow === 0) return;
    this.#mtu.onBlackHole();
    this.#resize();
  }

  #resize(): void {
    const { packetPayload, maxChunk } = this.#sizes();
    this.#sender?.resize(packetPayload, maxChunk);
  }

  /**
   * A chunk can't be cut again once it has been numbered, so none is larger than passes everywhere:
   * a larger packet has two.
   */
  #sizes(): { readonly packetPayload: number; readonly maxChunk: number } {
    const room = this.#mtu.packet - COMMON_HEADER_BYTES;
    const count = this.#mtu.packet > whole(this.#options.basePacket) ? 2 : 1;
    const maxChunk = whole(Math.floor(room / count)) - DATA_HEADER_BYTES;
    return { packetPayload: count * maxChunk, maxChunk };
  }

  // The end.

  #onShutdown(): void {
    if (this.#state === "shutdown-ack-sent") return this.#repeatShutdown();
    const isNew = this.#state === "established" || this.#state === "shutdown-pending";
    this.#state = this.#state === "shutdown-sent" ? "shutdown-ack-sent" : "shutdown-received";
    if (this.#state === "shutdown-ack-sent") this.#repeatShutdown();
    if (isNew) this.#options.onEnd();
  }

  /** All is acknowledged: the next word of the shutdown is due. */
  #advanceShutdown(): void {
    this.#state = this.#state === "shutdown-pending" ? "shutdown-sent" : "shutdown-ack-sent";
    this.#repeatShutdown();
  }

  /** Sends what the peer is to answer, and waits for it (T2). */
  #repeatShutdown(): void {
    this.#shutdownAt = this.#options.now() + this.#timeout.ms;
    if (this.#state === "shutdown-ack-sent") {
      return this.#addControl({ type: ChunkType.SHUTDOWN_ACK, flags: 0, body: EMPTY });
    }
    const body = new Uint8Array(4);
    viewOf(body).setUint32(0, this.#receiver?.cumulativeTsn ?? 0);
    this.#addControl({ type: ChunkType.SHUTDOWN, flags: 0, body });
  }

  #onShutdownAck(): void {
    if (this.#state !== "shutdown-sent" && this.#state !== "shutdown-ack-sent") return;
    this.#addControl({ type: ChunkType.SHUTDOWN_COMPLETE, flags: 0, body: EMPTY });
    this.#end();
  }

  #sendAbort(asks: boolean): void {
    this.#endPacket();
    this.#addSack();
    if (asks) this.#addControl(this.#heartbeat(0));
    this.#addControl({ type: ChunkType.ABORT, flags: 0, body: EMPTY });
    this.#endPacket();
  }

  #repeatAbort(): void {
    const abort = this.#abort;
    const now = this.#options.now();
    if (abort === undefined || now + SCTP_TIMER_EARLY_MS >= abort.until) return this.#stop();
    this.#sendAbort(true);
    abort.waitMs = Math.min(2 * abort.waitMs, CHANNEL_ABORT_RETRY.longestMs);
    abort.retryAt = Math.min(now + abort.waitMs, abort.until);
  }

  /** The peer has ended it, or both have. */
  #end(): void {
    if (this.#isOver) return;
    // Of a shutdown both sides know already.
    const wasTold = this.#state.startsWith("shutdown-") && this.#state !== "shutdown-pending";
    this.#endPacket();
    this.#clear();
    this.#state = "over";
    if (!wasTold) this.#options.onEnd();
    this.#stop();
  }

  /** The peer broke the protocol; it is told so when the connection is closed for that. */
  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#clear();
    this.#state = "over";
    this.#options.onEnd(error);
  }

  #clear(): void {
    this.#handshake.stop();
    this.#sender?.clear();
    this.#reset?.stop();
    this.#sackAt = this.#shutdownAt = undefined;
    this.#isSackDue = false;
  }

  #stop(): void {
    if (this.#state === "stopped") return;
    this.#state = "stopped";
    this.#options.onStopped();
  }
}

/** Packets are made of words of four bytes. */
function whole(bytes: number): number {
  return bytes - bytes % 4;
}

function lost(what: string): TransportError {
  return new TransportError("CHANNEL_LOST", `the connection to the peer is lost: ${what}`);
}

function breachError(breach: ReceiveBreach): TransportError {
  return breach === "window"
    ? new TransportError(
      "RECEIVE_OVERFLOW",
      "the peer sent more than the window that it was given; the connection is closed",
    )
    : lost("it sent a longer message than was agreed on");
}
