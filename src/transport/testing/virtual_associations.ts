/**
 * Two whole associations on a link that loses, delays, doubles and reorders, in virtual time.
 * Everything follows from the seed.
 *
 * @module
 */
import { AssociationCore, type AssociationCoreOptions } from "../webrtc/sctp/association_core.ts";
import { type ControlChunk, type DataChunk, parsePacket } from "../webrtc/sctp/packet.ts";
import { seededRandom } from "./virtual_link.ts";

/** Options of {@linkcode VirtualAssociations}. */
export interface VirtualAssociationsOptions {
  /** Seed of everything random: one seed, one course. @default {1} */
  readonly seed?: number;
  /** Probability that a packet is lost, each way. @default {0} */
  readonly loss?: number;
  /** Probability that a packet comes twice. @default {0} */
  readonly doubling?: number;
  /** One way, in milliseconds. @default {10} */
  readonly delayMs?: number;
  /** Up to this much more, at random: reorders. @default {0} */
  readonly jitterMs?: number;
  /** Bytes a second that pass each way; what comes on top waits. @default {Infinity} */
  readonly bytesPerSecond?: number;
  /** Whether a packet passes; asked after `loss`. */
  readonly passes?: (packet: Uint8Array, now: number, from: "a" | "b") => boolean;
  /** Of both ends. */
  readonly core?: Partial<AssociationCoreOptions>;
  /** Whether messages count as read when they come. @default {true} */
  readonly reads?: boolean;
}

/** Packets and deadlines of one {@linkcode VirtualAssociations.run} at most: more are a loop. */
const MAX_STEPS = 200_000;

/** A message as it came. */
export type Content = string | Uint8Array;

/** One end, and what it has been told. */
export class VirtualEnd {
  /** The association. */
  readonly core: AssociationCore;
  /** What has happened, in order: `open LABEL`, `channel closed`, `end`, `stopped`. */
  readonly events: string[] = [];
  /** Messages that have come. */
  readonly received: Content[] = [];
  /** What it was ended by. */
  error: unknown;
  /** Packets that it has sent. */
  readonly sent: { readonly at: number; readonly packet: Uint8Array }[] = [];
  /** How many of its messages were acknowledged. */
  acknowledged = 0;

  /** Makes an end whose packets go to `carry`. */
  constructor(
    options: Partial<AssociationCoreOptions> & { readonly peerOpens: boolean },
    { now, random, reads, carry }: {
      readonly now: () => number;
      readonly random: () => number;
      readonly reads: boolean;
      readonly carry: (packet: Uint8Array) => void;
    },
  ) {
    this.core = new AssociationCore({
      localPort: 5000,
      remotePort: 5000,
      initialTsn: 1_500_000_000,
      basePacket: 1112,
      largerPackets: [1360, 1312, 1192],
      maxMessageBytes: 256 * 1024,
      now,
      random: (bytes) => Uint8Array.from({ length: bytes }, () => random() * 256),
      send: (scratch) => {
        const packet = scratch.slice();
        this.sent.push({ at: now(), packet });
        carry(packet);
      },
      onOpen: (label) => this.events.push(`open ${label}`),
      onMessage: ({ isText, bytes }) => {
        this.received.push(isText ? new TextDecoder().decode(bytes) : bytes.slice());
        if (reads) this.core.consumed(bytes.length);
      },
      onChannelClosed: () => this.events.push("channel closed"),
      onEnd: (error) => {
        this.error = error;
        this.events.push("end");
      },
      onStopped: () => this.events.push("stopped"),
      ...options,
    });
  }

  /** Sends a message. */
  send(message: Content): void {
    const isText = typeof message === "string";
    const bytes = isText ? new TextEncoder().encode(message) : message;
    this.core.send({ isText, bytes }, () => this.acknowledged++);
  }

  /** Types of the chunks of each packet that it has sent. */
  get sentTypes(): number[][] {
    return this.sent.map(({ packet }) => chunkTypes(packet));
  }
}

/** Two ends, a path, and time. `a` opens the channel. */
export class VirtualAssociations {
  /** The opener. */
  readonly a: VirtualEnd;
  /** The other. */
  readonly b: VirtualEnd;
  readonly #options: VirtualAssociationsOptions;
  readonly #random: () => number;
  readonly #events: { readonly at: number; readonly order: number; readonly run: () => void }[] =
    [];
  /** When the last byte of each direction has left that is under way. */
  readonly #freeAt = { a: 0, b: 0 };
  #order = 0;
  #now = 1;

  /** Begins at 1 ms, with nothing under way. */
  constructor(options: VirtualAssociationsOptions = {}) {
    this.#options = options;
    const random = this.#random = seededRandom(options.seed ?? 1);
    const end = (name: "a" | "b", peerOpens: boolean): VirtualEnd =>
      new VirtualEnd({ ...options.core, peerOpens }, {
        now: () => this.#now,
        random,
        reads: options.reads ?? true,
        carry: (packet) => this.#carry(packet, name),
      });
    this.a = end("a", false);
    this.b = end("b", true);
  }

  /** Milliseconds since the beginning. */
  get now(): number {
    return this.#now;
  }

  /** Has `a` begin and open its channel, and lets time pass until both have it. */
  connect(untilMs = Infinity): this {
    this.a.core.open(0, "bolt");
    this.a.core.start();
    this.run(untilMs, () => this.a.events.length > 0 && this.b.events.length > 0);
    return this;
  }

  /** Lets time pass until nothing is due any more, `untilMs`, or `isDone`. */
  run(untilMs = Infinity, isDone: () => boolean = () => false): void {
    for (let steps = 0; !isDone(); steps++) {
      if (steps > MAX_STEPS) throw new Error("it never comes to rest");
      const due = this.#next();
      if (due === undefined || due.at > untilMs) {
        if (untilMs !== Infinity) this.#now = Math.max(this.#now, untilMs);
        return;
      }
      this.#now = Math.max(this.#now, due.at);
      due.run();
    }
  }

  /** Has a packet of the test's come in at an end, at once. */
  inject(to: "a" | "b", packet: Uint8Array): void {
    this[to].core.receive(packet);
  }

  #next(): { readonly at: number; readonly run: () => void } | undefined {
    const first = this.#events[0];
    const all = [
      { at: first?.at, run: () => this.#events.shift()?.run() },
      ...[this.a, this.b].map(({ core }) => ({ at: core.deadline, run: () => core.onDeadline() })),
    ];
    return all
      .flatMap(({ at, run }) => at === undefined ? [] : [{ at, run }])
      .sort((x, y) => x.at - y.at)[0];
  }

  #carry(packet: Uint8Array, from: "a" | "b"): void {
    const { loss = 0, doubling = 0, delayMs = 10, jitterMs = 0, passes } = this.#options;
    const { bytesPerSecond = Infinity } = this.#options;
    const isLost = this.#random() < loss;
    if (isLost || passes?.(packet, this.#now, from) === false) return;
    const copies = this.#random() < doubling ? 2 : 1;
    const left = Math.max(this.#now, this.#freeAt[from]) + 1000 * packet.length / bytesPerSecond;
    this.#freeAt[from] = left;
    for (let i = 0; i < copies; i++) {
      const at = left + delayMs + this.#random() * jitterMs;
      const order = this.#order++;
      const to = from === "a" ? "b" : "a";
      this.#events.push({ at, order, run: () => this[to].core.receive(packet) });
    }
    this.#events.sort((x, y) => x.at - y.at || x.order - y.order);
  }
}

/** Types of a packet's chunks, in order. */
export function chunkTypes(packet: Uint8Array): number[] {
  const types: number[] = [];
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  for (let at = 12; at < packet.length; at += (view.getUint16(at + 2) + 3) & ~3) {
    types.push(view.getUint8(at));
  }
  return types;
}

/** Chunks of a packet that are of these kinds. */
export function chunksOf(
  packet: Uint8Array,
): { readonly data: DataChunk[]; readonly control: ControlChunk[] } {
  const chunks = { data: [] as DataChunk[], control: [] as ControlChunk[] };
  parsePacket(packet)?.visit({
    data: (chunk) => chunks.data.push(chunk),
    control: (chunk) => chunks.control.push(chunk) > 0,
  });
  return chunks;
}
