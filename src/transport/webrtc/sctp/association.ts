/**
 * An SCTP association with one data channel over DTLS: the state machine of `association_core.ts`
 * on a link, with the system's clock, timers and randomness.
 *
 * @module
 */
import type { PacketLink } from "../dtls/packet_link.ts";
import { AssociationCore, type AssociationCoreOptions } from "./association_core.ts";
import type { ChannelContent } from "./channel_stream.ts";
import { LazyTimer } from "./lazy_timer.ts";
import { firstTsn } from "./tsn.ts";

/** Ours for SCTP over DTLS; any would do, everybody takes this one. */
export const SCTP_PORT = 5000;
/** What we take, in bytes; every peer we know sends at most this. */
export const MAX_MESSAGE_SIZE: number = 256 * 1024;
/**
 * Larger datagrams that are tried, in bytes of their UDP payload: what tunnels commonly take (1420
 * and 1400 with IP), and the least that IPv6 asks for (1280).
 */
const LARGER_DATAGRAMS = [1400, 1352, 1232];

type Told = "onOpen" | "onMessage" | "onChannelClosed" | "onEnd";

/** Options of an {@linkcode Association}. */
export interface AssociationOptions extends Pick<AssociationCoreOptions, "peerOpens" | Told> {
  /** The peer's SCTP port, as its description says it. */
  readonly remotePort: number;
  /** Bounds of the receive window. */
  readonly window?: AssociationCoreOptions["window"];
  /** First sequence number, for tests. @default {a random one far from a wrap} */
  readonly firstTsn?: number;
}

/** An association on a link. */
export class Association {
  readonly #core: AssociationCore;
  readonly #timer: LazyTimer;
  readonly #stopped = Promise.withResolvers<void>();

  /** Takes the link over; it answers the peer from now on. */
  constructor(link: PacketLink, options: AssociationOptions) {
    const isReliable = link.isReliable === true;
    this.#core = new AssociationCore({
      ...options,
      isReliable,
      localPort: SCTP_PORT,
      initialTsn: options.firstTsn ?? firstTsn(),
      basePacket: link.maxPacket,
      largerPackets: isReliable ? [] : LARGER_DATAGRAMS.map((bytes) => bytes - link.overhead),
      maxMessageBytes: MAX_MESSAGE_SIZE,
      now: () => performance.now(),
      random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
      send: (packet) => link.send(packet),
      isWritable: () => link.isWritable !== false,
      onStopped: () => this.#stopped.resolve(),
    });
    this.#timer = new LazyTimer(() => this.#then(() => this.#core.onDeadline()));
    link.onPacket = (packet) => this.#then(() => this.#core.receive(packet));
    link.onWritable = () => this.#then(() => this.#core.flush());
    link.onClosed = () => options.onEnd();
  }

  /** What the path delivers in a round trip; see {@linkcode AssociationCore.deliveredBytes}. */
  get deliveredBytes(): number {
    return this.#core.deliveredBytes;
  }

  /** Begins: the opener's side sends an INIT. */
  start(): void {
    this.#then(() => this.#core.start());
  }

  /** Opens the channel; see {@linkcode AssociationCore.open}. */
  open(id: number, label: string): void {
    this.#then(() => this.#core.open(id, label));
  }

  /** Sends a message; see {@linkcode AssociationCore.send}. */
  send(content: ChannelContent, onAcknowledged: () => void): void {
    this.#then(() => this.#core.send(content, onAcknowledged));
  }

  /** A message has been read; see {@linkcode AssociationCore.consumed}. */
  consumed(bytes: number): void {
    this.#then(() => this.#core.consumed(bytes));
  }

  /** The link leads by another path now; see {@linkcode AssociationCore.onPathChange}. */
  onPathChange(): void {
    this.#then(() => this.#core.onPathChange());
  }

  /** Closes our direction of the channel. */
  closeChannel(): void {
    this.#then(() => this.#core.closeChannel());
  }

  /** Ends it in order, once the channel is closed. Resolves when both sides know. */
  shutdown(): Promise<void> {
    this.#then(() => this.#core.shutdown());
    return this.#stopped.promise;
  }

  /**
   * Acknowledges what has come, tells the peer of the end, and stops: no timer is left.
   *
   * @param confirm Whether to wait until the peer has shown that it knows; some 500 ms at most.
   */
  async stop(confirm: boolean): Promise<void> {
    this.#then(() => this.#core.abort(confirm));
    await this.#stopped.promise;
    this.#timer[Symbol.dispose]();
  }

  #then(act: () => void): void {
    act();
    this.#timer.set(this.#core.deadline);
  }
}
