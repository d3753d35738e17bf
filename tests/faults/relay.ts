/**
 * A bad network between two daemons on this machine, without root: a relay that each takes for the
 * other. The signals that they exchange are carried by it too, with candidates that name the relay's
 * ports.
 *
 * Each peer keeps one candidate by UDP and one by TCP, at the address where the relay knows it (its loopback one, unless
 * the relay stands between hosts), and the relay has a port for it: what comes in there from the
 * other peer's candidate goes on to it, from the port that stands for the sender. So the pair of
 * candidates has its own pair of ports, and no other path between the two exists. Connections are
 * taken in the same way (`stream_relay.ts`).
 *
 * @module
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { PairRequest } from "../../src/ipc/api/schemas.ts";
import { publishSignalFile } from "../../src/signaling/file/signal_file.ts";
import { SignalFileWatcher } from "../../src/signaling/file/signal_file_watcher.ts";
import type { TempFolder } from "../support/temp_folder.ts";
import { seededRandom } from "../transport/loss.ts";
import { BadLink, type LinkConditions } from "./bad_link.ts";
import { StreamRelay } from "./stream_relay.ts";

/** Addresses that the relay stands at. */
export type Family = "IPv4" | "IPv6";

/** Datagrams that are under way at once; what comes on top is lost, as in any network. */
const MAX_UNDER_WAY = 20_000;

/** How a relay stands to one peer. */
export interface Standing {
  /** The peer's own address. */
  readonly peer: string;
  /** The relay's address that the peer can reach. */
  readonly relay: string;
}

/** Options of a {@linkcode FaultRelay}. */
export interface FaultRelayOptions {
  /** @default {"IPv4"} */
  readonly family?: Family;
  /** @default {loopback, for both} */
  readonly standing?: { readonly offerer: Standing; readonly answerer: Standing };
  /** Of both directions at first. @default {no faults} */
  readonly conditions?: LinkConditions;
  /** The same seed decides the same. @default {1} */
  readonly seed?: number;
}

/** What brings two daemons together across a relay. */
export interface RelayedMeeting {
  readonly offerer: PairRequest;
  readonly answerer: PairRequest;
}

/** Datagrams and segments that went through a relay, or did not at first. */
export interface RelayCounts {
  readonly received: number;
  readonly lost: number;
  readonly delivered: number;
}

/**
 * Carries signals, datagrams and connections between two peers, each direction over a
 * {@linkcode BadLink} of its own. Disposing it closes its ports and drops what is under way.
 */
export class FaultRelay implements AsyncDisposable {
  /** From the offerer to the answerer. */
  readonly forth: BadLink;
  /** From the answerer to the offerer. */
  readonly back: BadLink;
  readonly #streams: readonly StreamRelay[];
  readonly #offerer: End;
  readonly #answerer: End;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #closing = new AbortController();
  readonly #carried: Promise<unknown>[] = [];
  #received = 0;
  #lost = 0;
  #delivered = 0;

  private constructor(options: FaultRelayOptions, offerer: End, answerer: End) {
    const { conditions = {}, seed = 1 } = options;
    this.forth = new BadLink(conditions, seededRandom(seed));
    this.back = new BadLink(conditions, seededRandom(seed + 0x5bd1e995));
    this.#offerer = offerer;
    this.#answerer = answerer;
    this.#listen(answerer, offerer, this.forth);
    this.#listen(offerer, answerer, this.back);
    this.#streams = [
      this.#connect(answerer, this.forth, this.back),
      this.#connect(offerer, this.back, this.forth),
    ];
  }

  /** Opens its ports. */
  static async open(options: FaultRelayOptions = {}): Promise<FaultRelay> {
    const { family = "IPv4" } = options;
    const loopback = { peer: LOOPBACK[family], relay: LOOPBACK[family] };
    const { offerer, answerer } = options.standing ?? { offerer: loopback, answerer: loopback };
    return new FaultRelay(
      options,
      await openEnd(family, offerer, answerer),
      await openEnd(family, answerer, offerer),
    );
  }

  /** Changes both directions. */
  set conditions(conditions: LinkConditions) {
    this.forth.conditions = conditions;
    this.back.conditions = conditions;
  }

  /** Cuts both directions for so long; then the conditions are as before. */
  outage(ms: number): void {
    const before = [this.forth.conditions, this.back.conditions] as const;
    this.conditions = { cut: true };
    this.#after(ms, () => [this.forth.conditions, this.back.conditions] = before);
  }

  /** Cuts both directions again and again: so long it is gone, so long it is there. */
  flap(goneMs: number, thereMs: number): void {
    this.outage(goneMs);
    this.#after(goneMs + thereMs, () => this.flap(goneMs, thereMs));
  }

  /** What it did so far. */
  get counts(): RelayCounts {
    return { received: this.#received, lost: this.#lost, delivered: this.#delivered };
  }

  /**
   * What to ask two daemons so that they meet across this relay. It begins to carry their signals,
   * and does so until it is disposed.
   *
   * @param folder Where the signal files go.
   */
  meeting(folder: TempFolder, phaseTimeoutSecs = 30): RelayedMeeting {
    const name = crypto.randomUUID();
    const path = (whose: string, kind: string) => folder.path(`${name}.${whose}.${kind}`);
    const requestOf = (whose: string) =>
      ({
        signal: "file",
        offer: path(whose, "offer"),
        answer: path(whose, "answer"),
        phaseTimeoutSecs,
      }) as const;
    const offerer: PairRequest = { ...requestOf("offerer"), role: "offerer" };
    const answerer: PairRequest = { ...requestOf("answerer"), role: "answerer" };
    this.#carrySignal("offer", offerer.offer, answerer.offer, this.#offerer);
    this.#carrySignal("answer", answerer.answer, offerer.answer, this.#answerer);
    return { offerer, answerer };
  }

  /** A signal as the other peer must see it; the peer's candidate is taken note of. */
  disguise(signal: unknown, peer: "offerer" | "answerer"): unknown {
    return this.#disguise(signal, peer === "offerer" ? this.#offerer : this.#answerer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all(this.#carried);
    await Promise.all(this.#streams.map((stream) => stream[Symbol.asyncDispose]()));
    await Promise.all([this.#offerer, this.#answerer].map(async ({ socket }) => {
      const closed = once(socket, "close");
      socket.close();
      await closed;
    }));
  }

  #carrySignal(kind: "offer" | "answer", from: string, to: string, end: End): void {
    const parse = (text: string): unknown => JSON.parse(text);
    const watcher = new SignalFileWatcher({ path: from, kind, parse });
    const { signal } = this.#closing;
    const carry = async () => {
      try {
        const { value } = await watcher.next({ signal });
        await publishSignalFile(to, kind, JSON.stringify(this.#disguise(value, end)), { signal });
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    };
    this.#carried.push(carry());
  }

  #disguise(value: unknown, end: End): unknown {
    if (typeof value === "string") return this.#disguiseText(value, end);
    if (Array.isArray(value)) return value.map((one) => this.#disguise(one, end));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [name, this.#disguise(member, end)]),
    );
  }

  /** Candidate lines of an SDP: those at the address that we know point here, the others go. */
  #disguiseText(text: string, end: End): string {
    return text.replaceAll(
      /a=candidate:(\S+ 1 (UDP|TCP) \d+) (\S+) (\d+) (typ host[^\r\n]*)\r?\n/gi,
      (_, head, transport, at, port, tail) => {
        // Who connects is seen at the relay's address whatever its candidate says.
        if (at !== end.peerAddress || tail.includes("active")) return "";
        const isTcp = transport.toUpperCase() === "TCP";
        end[isTcp ? "peerTcpPort" : "peerPort"] = Number(port);
        const here = isTcp ? end.tcpPort : end.port;
        return `a=candidate:${head} ${end.address} ${here} ${tail}\r\n`;
      },
    );
  }

  /** Who connects where `to` is stood for gets through to it. */
  #connect(to: End, forth: BadLink, back: BadLink): StreamRelay {
    const stream = new StreamRelay({
      hostname: to.address,
      target: () =>
        to.peerTcpPort === undefined
          ? undefined
          : { hostname: to.peerAddress, port: to.peerTcpPort },
      links: [forth, back],
      onSegment: (isLost) => {
        this.#received++;
        if (isLost) this.#lost++;
        this.#delivered++;
      },
    });
    to.tcpPort = stream.port;
    return stream;
  }

  /** What comes in where `to` is stood for goes on to it, if it is from the other. */
  #listen(to: End, from: End, link: BadLink): void {
    to.socket.on("message", (data: Uint8Array, { port }: { port: number }) => {
      if (to.peerPort === undefined || port !== from.peerPort) return;
      this.#received++;
      const now = performance.now();
      const arrivals = this.#timers.size < MAX_UNDER_WAY ? link.arrivals(data.length, now) : [];
      if (arrivals.length === 0) this.#lost++;
      for (const due of arrivals) this.#deliverAt(due - now, data, from, to);
    });
  }

  #deliverAt(ms: number, data: Uint8Array, from: End, to: End): void {
    if (ms <= 0) this.#deliver(data, from, to);
    else this.#after(ms, () => this.#deliver(data, from, to));
  }

  #after(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }

  #deliver(data: Uint8Array, from: End, to: End): void {
    this.#delivered++;
    from.socket.send(data, to.peerPort, to.peerAddress);
  }
}

const LOOPBACK = { IPv4: "127.0.0.1", IPv6: "::1" } as const;

/** The relay's port that stands for one peer, where the other can reach it. */
interface End {
  readonly socket: Socket;
  readonly address: string;
  readonly port: number;
  readonly peerAddress: string;
  /** Of the peer's own candidates. */
  peerPort?: number;
  peerTcpPort?: number;
  /** Where the relay takes connections for the peer. */
  tcpPort?: number;
}

async function openEnd(family: Family, standsFor: Standing, facing: Standing): Promise<End> {
  const socket = createSocket(family === "IPv4" ? "udp4" : "udp6");
  // A port whose peer is gone answers with ICMP: that is a loss like any other.
  socket.on("error", () => {});
  const address = facing.relay;
  socket.bind({ address, port: 0 });
  await once(socket, "listening");
  return { socket, address, port: socket.address().port, peerAddress: standsFor.peer };
}
