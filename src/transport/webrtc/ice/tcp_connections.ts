/**
 * The TCP side of one connection's ICE (RFC 6544): who may connect to us, and whom we connect to.
 *
 * - We listen on each address of ours that is offered, bound to it, from gathering until the pair is
 *   chosen; then the listeners are gone.
 * - Who connects is nobody until a STUN request with the right user name and integrity code has come
 *   by that connection. Until then nothing is answered, little is read, and few are kept: when there
 *   is no place for one more, the one that has said nothing for longest goes.
 * - We connect to the passive candidates of the peer. The system chooses the address that we connect
 *   from; one outside the scope ends the connection before anything is sent.
 *
 * Each connection is a protocol of the library's agent, behind the datagram gate.
 *
 * @module
 */
import { isIP } from "node:net";
import { Deadline } from "../../../base/deadline.ts";
import { messageOf } from "../../../base/errors.ts";
import { ICE_PACE_MS, ICE_RECHECK_MS, TCP_CONNECT_MS, TCP_PROOF_MS } from "../../../base/timing.ts";
import { logFor } from "../../../log/log.ts";
import type { Candidate } from "../../../protocol/network_scope/candidate.ts";
import {
  CONNECTION_SHAPE,
  type ConnectionInsides,
  forgetProtocol,
  insidesOf,
  type LibraryConnection,
} from "../library.ts";
import type { DatagramGate } from "./datagram_gate.ts";
import { addProtocol, hostCandidate } from "./host_protocol.ts";
import { canReach } from "./pairing.ts";
import { TcpLink } from "./tcp_link.ts";
import { type BindAddress, mayBind } from "./udp_socket.ts";

/** Connections that came in and have not shown to be the peer's, at once. */
export const MAX_UNPROVEN = 16;
/** Connections that are the peer's, or lead to it, at once. */
export const MAX_LINKS = 32;
/** Connections that we try to make, in all. */
export const MAX_ATTEMPTS = 64;
/** Discard: what the candidate of a connection's active end has for a port (RFC 6544, 4.5). */
const ACTIVE_PORT = 9;
/** Type preference of host candidates, some below UDP's (RFC 6544, section 4.2). */
const TYPE_PREFERENCE = 2 ** 24 * 105;
/** Direction preferences: who connects comes first (RFC 6544, section 4.2). */
const DIRECTION = { active: 6 * 2 ** 21, passive: 4 * 2 ** 21 } as const;
const COMPONENT = 255;
const PREFERENCE_STEP = 2 ** 8;
/** Of our first address; 13 bits. */
const FIRST_PREFERENCE = 2 ** 13 - 1;

/** A TCP candidate of ours. */
export type OfferedConnection = Pick<Candidate, "address" | "port" | "priority"> & {
  /** Whether we listen there, or only connect from there. */
  readonly tcpType: "passive" | "active";
};

/** Options of {@linkcode TcpConnections}. */
export interface TcpConnectionsOptions {
  /** What comes in passes it. */
  readonly gate: DatagramGate;
  /** A connection of ours is there: what is paired anew is to be checked. */
  readonly onPair: () => void;
  /** A connection that could have become the path has failed. */
  readonly onFailed: () => void;
  /** The connection that is the path is over. */
  readonly onLost: (reason: unknown) => void;
}

interface Listener {
  readonly listener: Deno.TcpListener;
  readonly preference: number;
}

/** The TCP connections of one ICE agent. */
export class TcpConnections {
  readonly #connection: LibraryConnection;
  readonly #insides: ConnectionInsides;
  readonly #options: TcpConnectionsOptions;
  readonly #listeners: Listener[] = [];
  readonly #offered: OfferedConnection[] = [];
  readonly #unproven = new Map<TcpLink, ReturnType<typeof setTimeout>>();
  /** By what the agent calls them. */
  readonly #links = new Map<object, TcpLink>();
  #addresses: readonly BindAddress[] = [];
  readonly #over = new AbortController();
  #attempts = 0;
  #connecting = 0;
  /** Whoever is tried next waits for those before it. */
  #pace = 0;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #count = 0;

  /** For a connection that has no TCP yet. */
  constructor(connection: LibraryConnection, options: TcpConnectionsOptions) {
    this.#connection = connection;
    this.#insides = insidesOf<ConnectionInsides>(connection, CONNECTION_SHAPE);
    this.#options = options;
  }

  /** What the description offers. */
  get offered(): readonly OfferedConnection[] {
    return this.#offered;
  }

  /** Whether connections may still come, or are being made. */
  get mayConnect(): boolean {
    return !this.#isOver && (this.#listeners.length > 0 || this.#connecting > 0);
  }

  /** Connections that have shown nothing yet. */
  get unproven(): number {
    return this.#unproven.size;
  }

  /** The connection that a protocol of the agent's stands on. */
  linkOf(protocol: object): TcpLink | undefined {
    return this.#links.get(protocol);
  }

  /**
   * Listens, wherever the system and the program's permissions let it.
   *
   * @param addresses Ours, the likeliest first.
   */
  listen(addresses: readonly BindAddress[]): void {
    this.#addresses = addresses;
    for (const [i, one] of addresses.entries()) {
      const preference = PREFERENCE_STEP * (FIRST_PREFERENCE - i);
      const { address } = one;
      const offer = (tcpType: "passive" | "active", port: number) =>
        this.#offered.push({ address, port, tcpType, priority: priorityOf(tcpType, preference) });
      try {
        if (!mayBind(address)) throw new Error("the program's permissions do not allow it");
        const listener = Deno.listen({ hostname: withZone(one), port: 0 });
        this.#listeners.push({ listener, preference });
        offer("passive", listener.addr.port);
        void this.#accept(listener, preference);
      } catch (error) {
        offer("active", ACTIVE_PORT);
        const reason = messageOf(error);
        logFor("transport").debug("no TCP connections are taken at an address", {
          address,
          reason,
        });
      }
    }
  }

  /** Connects to candidates of the peer, the best first; those that take no connections are left. */
  connect(candidates: readonly Candidate[]): void {
    const passive = candidates.filter(({ tcpType }) => tcpType === "passive");
    for (const candidate of passive.toSorted((a, b) => b.priority - a.priority)) {
      for (const hostname of this.#hostsOf(candidate)) {
        this.#attemptAfter(ICE_PACE_MS * this.#pace++, candidate, hostname);
      }
    }
  }

  /** Tries a candidate; again later, as long as the choice is not made: it may have been bad luck. */
  #attemptAfter(ms: number, candidate: Candidate, hostname: string): void {
    if (this.#isOver || this.#attempts >= MAX_ATTEMPTS) return;
    this.#attempts++;
    this.#connecting++;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void this.#attempt(candidate, hostname);
    }, ms);
    this.#timers.add(timer);
  }

  /** The pair is chosen: all but its connection, if it is one, is over. */
  settle(protocol: object): TcpLink | undefined {
    const chosen = this.#links.get(protocol);
    this.#stop(chosen);
    chosen?.grow();
    return chosen;
  }

  /** Ends all; what waits on the connection that is the path still leaves. */
  async close(): Promise<void> {
    const { nominated } = this.#connection;
    const chosen = nominated && this.#links.get(nominated.protocol);
    this.#stop(chosen);
    await chosen?.close();
  }

  get #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  #stop(chosen: TcpLink | undefined): void {
    this.#over.abort();
    for (const timer of this.#timers) clearTimeout(timer); // who waits for one waits for nothing else
    this.#timers.clear();
    for (const { listener } of this.#listeners.splice(0)) listener.close();
    for (const link of this.#unproven.keys()) this.#refuse(link);
    for (const [protocol, link] of this.#links) {
      if (link !== chosen) this.#drop(protocol, link);
    }
  }

  async #accept(listener: Deno.TcpListener, preference: number): Promise<void> {
    while (!this.#isOver) {
      try {
        this.#take(await listener.accept(), preference);
      } catch {
        // Closed; or a connection that was gone before it was taken, or too many files are open.
        if (!this.#isOver) await this.#pause();
      }
    }
  }

  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      resolve();
    }, ICE_PACE_MS);
    this.#timers.add(timer);
    return promise;
  }

  /** Somebody has connected. */
  #take(conn: Deno.TcpConn, preference: number): void {
    const link = new TcpLink(conn);
    if (this.#isOver || !this.#options.gate.isInScope(link.remote[0])) return link.abort();
    const [oldest] = this.#unproven.keys();
    if (this.#unproven.size >= MAX_UNPROVEN && oldest !== undefined) this.#refuse(oldest);
    this.#unproven.set(link, setTimeout(() => this.#refuse(link), TCP_PROOF_MS));
    link.onClosed = () => this.#refuse(link);
    link.onDatagram = (data, from) => {
      const { address, port } = link.address;
      const isPeer = this.#options.gate.provesPeer(data, from, [address, port]);
      if (!isPeer || this.#links.size >= MAX_LINKS) return this.#refuse(link);
      clearTimeout(this.#unproven.get(link));
      this.#unproven.delete(link);
      link.prove();
      this.#join(link, "passive", port, preference);
      link.onDatagram(data, from);
    };
    link.start();
  }

  #refuse(link: TcpLink): void {
    clearTimeout(this.#unproven.get(link));
    this.#unproven.delete(link);
    link.abort();
  }

  async #attempt(candidate: Candidate, hostname: string): Promise<void> {
    const { address, port } = candidate;
    try {
      using deadline = new Deadline(TCP_CONNECT_MS, {
        what: "a TCP connection",
        parent: this.#over.signal,
      });
      const conn = await Deno.connect({ hostname, port, signal: deadline.signal });
      const link = new TcpLink(conn, { remote: [address, port] });
      if (this.#isOver || this.#links.size >= MAX_LINKS) return link.abort();
      if (!this.#options.gate.isInScope(link.address.address)) {
        link.abort();
        throw new Error("it would come from an address outside the network scope");
      }
      const retry = () => this.#attemptAfter(ICE_RECHECK_MS, candidate, hostname);
      this.#join(link, "active", ACTIVE_PORT, 0, { candidate, retry });
      link.prove();
      link.start();
      this.#options.onPair();
    } catch (error) {
      if (this.#isOver) return;
      const reason = messageOf(error);
      logFor("transport").debug("no TCP connection to the peer", { address, port, reason });
      this.#attemptAfter(ICE_RECHECK_MS, candidate, hostname);
    } finally {
      this.#connecting--;
      if (!this.#isOver) this.#options.onFailed();
    }
  }

  /** From now on a connection is one of the agent's ways to the peer. */
  #join(
    link: TcpLink,
    tcpType: "passive" | "active",
    port: number,
    preference: number,
    made?: { readonly candidate: Candidate; readonly retry: () => void },
  ): void {
    const protocol = addProtocol(this.#connection, this.#insides, link, {
      foundation: `t${++this.#count}`,
      transport: "tcp",
      tcpType,
      priority: priorityOf(tcpType, preference),
      host: link.address.address,
      port,
    });
    this.#links.set(protocol, link);
    link.onClosed = (reason) => this.#onClosed(protocol, link, reason, made?.retry);
    this.#options.gate.guard(protocol, link);
    if (made === undefined) return;
    const { foundation, priority, address: host, port: remotePort } = made.candidate;
    const theirs = hostCandidate({
      foundation,
      transport: "tcp",
      tcpType: "passive",
      priority,
      host,
      port: remotePort,
    }, this.#connection);
    this.#connection.remoteCandidates.push(theirs);
    this.#insides.tryPair(protocol, theirs);
  }

  #onClosed(
    protocol: object,
    link: TcpLink,
    reason: unknown,
    retry: () => void = () => {},
  ): void {
    if (this.#connection.nominated?.protocol === protocol) return this.#options.onLost(reason);
    this.#drop(protocol, link);
    retry();
    this.#options.onFailed();
  }

  #drop(protocol: object, link: TcpLink): void {
    this.#links.delete(protocol);
    const known = this.#insides.protocols.find((one) => one === protocol);
    forgetProtocol(this.#insides, protocol);
    link.abort();
    // Ends the checks that wait for an answer.
    void known?.close();
  }

  /** What to connect to: a link-local address leads somewhere on each link of ours. */
  #hostsOf({ address }: Candidate): string[] {
    const ours = this.#addresses.filter((one) => canReach(one.address, address));
    const zones = new Set(ours.map(({ zone }) => zone));
    return [...zones].map((zone) => withZone({ address, ...(zone === undefined ? {} : { zone }) }));
  }
}

function priorityOf(tcpType: "passive" | "active", preference: number): number {
  return TYPE_PREFERENCE + DIRECTION[tcpType] + preference + COMPONENT;
}

function withZone({ address, zone }: BindAddress): string {
  return zone === undefined || isIP(address) !== 6 ? address : `${address}%${zone}`;
}
