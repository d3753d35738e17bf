/**
 * Two associations on a link that loses, delays and reorders, in virtual time: for tests of what
 * the sender and receiver do together. Everything follows from the seed.
 *
 * @module
 */
import { SACK_DELAY_MS } from "../../base/timing.ts";
import { dataPacket, sackPacket } from "./packets.ts";
import { type DataChunk, parsePacket } from "../webrtc/sctp/packet.ts";
import { type ReceivedMessage, SctpReceiver } from "../webrtc/sctp/receiver.ts";
import { ReceiveWindow } from "../webrtc/sctp/receive_window.ts";
import { RetransmissionTimeout } from "../webrtc/sctp/retransmission_timeout.ts";
import { type OutgoingMessage, SctpSender } from "../webrtc/sctp/sender.ts";

const ADDRESS = { sourcePort: 5000, destinationPort: 5000, tag: 1 };
const MAX_PAYLOAD = 1160;

/** Options of a {@linkcode VirtualLink}. */
export interface VirtualLinkOptions {
  /** Seed of everything random: one seed, one course. */
  readonly seed: number;
  /** Probability that a packet is lost, each way. @default {0} */
  readonly loss?: number;
  /** One way, in milliseconds. @default {10} */
  readonly delayMs?: number;
  /** Up to this much more, at random: reorders. @default {0} */
  readonly jitterMs?: number;
  /** The sender's first TSN. @default {1} */
  readonly initialTsn?: number;
  /** The receiver's window, in bytes. @default {1048576} */
  readonly window?: number;
  /** Whether nothing passes at a time. */
  readonly isDown?: (now: number) => boolean;
}

/** What went over the link. */
export interface LinkCounts {
  /** DATA packets, retransmissions too. */
  data: number;
  /** DATA packets that had been sent before. */
  retransmissions: number;
  /** Packets with a SACK. */
  sacks: number;
  /** Most bytes in flight beyond the congestion window that a transmission found. */
  mostOverWindow: number;
}

/** One sender, one receiver, and time. */
export class VirtualLink {
  /** One end. */
  readonly sender: SctpSender;
  /** The other end. */
  readonly receiver: SctpReceiver;
  /** Messages that came out, in order. */
  readonly received: ReceivedMessage[] = [];
  /** What went over the link so far. */
  readonly counts: LinkCounts = { data: 0, retransmissions: 0, sacks: 0, mostOverWindow: 0 };
  readonly #options: VirtualLinkOptions;
  readonly #random: () => number;
  readonly #events: { at: number; order: number; run: () => void }[] = [];
  readonly #seen = new Set<number>();
  #order = 0;
  #now = 1;
  #sackDue: number | undefined;

  /** Begins at 1 ms, with nothing under way. */
  constructor(options: VirtualLinkOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    const { initialTsn = 1, window = 1024 * 1024 } = options;
    this.receiver = new SctpReceiver({
      initialTsn,
      window: new ReceiveWindow({ first: window, most: window }),
      now: () => this.#now,
      deliver: (message) => this.received.push({ ...message, bytes: message.bytes.slice() }),
      onBreach: (breach) => {
        throw new Error(`the sender breaks the rules: ${breach}`);
      },
    });
    this.sender = new SctpSender({
      initialTsn,
      packetPayload: MAX_PAYLOAD,
      maxChunk: MAX_PAYLOAD,
      peerWindow: window,
      now: () => this.#now,
      timeout: new RetransmissionTimeout(),
      transmit: (chunk, flags) => this.#transmit(chunk, flags),
    });
  }

  /** Milliseconds since the beginning. */
  get now(): number {
    return this.#now;
  }

  /** Queues a message and sends what may be sent. */
  send(message: OutgoingMessage): void {
    this.sender.send(message);
    this.sender.transmit();
  }

  /** Lets time pass until nothing is due any more, or `untilMs`. */
  run(untilMs = Infinity): void {
    while (true) {
      const event = this.#next();
      if (event === undefined || event.at > untilMs) return;
      this.#now = Math.max(this.#now, event.at);
      event.run();
    }
  }

  #sendSack(): void {
    this.#sackDue = undefined;
    this.counts.sacks++;
    this.#carry(sackPacket(ADDRESS, this.receiver.takeSack()), (packet) => {
      parsePacket(packet)?.visit({ sack: (sack) => this.sender.onSack(sack) });
      this.sender.transmit();
    });
  }

  #next(): { at: number; run: () => void } | undefined {
    const first = this.#events[0];
    const due = [
      { at: this.sender.deadline, run: () => this.#onDeadline() },
      { at: this.#sackDue, run: () => this.#sendSack() },
      { at: first?.at, run: () => this.#events.shift()?.run() },
    ];
    return due
      .flatMap(({ at, run }) => at === undefined ? [] : [{ at, run }])
      .sort((a, b) => a.at - b.at)[0];
  }

  #onDeadline(): void {
    this.sender.onDeadline();
    this.sender.transmit();
  }

  #transmit(chunk: DataChunk, flags: number): void {
    this.counts.data++;
    if (this.#seen.has(chunk.tsn)) this.counts.retransmissions++;
    this.#seen.add(chunk.tsn);
    const over = this.sender.flightBytes - this.sender.congestionWindow;
    this.counts.mostOverWindow = Math.max(this.counts.mostOverWindow, over);
    this.#carry(dataPacket(ADDRESS, chunk, flags), (packet) => {
      parsePacket(packet)?.visit({ data: (data) => this.receiver.onData(data) });
      const urgency = this.receiver.endOfPacket();
      if (urgency === "now") this.#sendSack();
      else if (urgency === "delayed") this.#sackDue ??= this.#now + SACK_DELAY_MS;
    });
  }

  #carry(packet: Uint8Array, arrive: (packet: Uint8Array) => void): void {
    const { loss = 0, delayMs = 10, jitterMs = 0, isDown } = this.#options;
    if (this.#random() < loss || isDown?.(this.#now) === true) return;
    const at = this.#now + delayMs + this.#random() * jitterMs;
    this.#events.push({ at, order: this.#order++, run: () => arrive(packet) });
    this.#events.sort((a, b) => a.at - b.at || a.order - b.order);
  }
}

/** Numbers in [0, 1) that follow from a seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
