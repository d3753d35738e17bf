/**
 * The UDP sockets of one connection: one for each address of ours that it serves.
 *
 * Bound to their addresses: nothing comes in by an address that is not offered, and what goes out
 * has the address that the peer was told of. Where the program's permissions do not allow that, the
 * addresses of a family share a socket that is bound to all of them.
 *
 * @module
 */
import { isIP } from "node:net";
import type { StunProtocol } from "werift";
import { messageOf } from "../../../base/errors.ts";
import { logFor } from "../../../log/log.ts";
import {
  CONNECTION_SHAPE,
  type ConnectionInsides,
  forgetProtocol,
  insidesOf,
  type LibraryConnection,
} from "../library.ts";
import { addProtocol } from "./host_protocol.ts";
import {
  type BindAddress,
  mayBind,
  openUdpSocket,
  type UdpSocket,
  type UdpSocketOptions,
} from "./udp_socket.ts";

/** Of our first candidate; each further one stands a local preference lower (RFC 8445, 5.1.2.1). */
const HOST_PRIORITY = 2 ** 24 * 126 + 2 ** 8 * 65535 + 255;
const PREFERENCE_STEP = 2 ** 8;
/** All addresses of each family. */
const WILDCARD = { 4: "0.0.0.0", 6: "::" } as const;

/** A socket with its address, as it is offered. */
export interface OfferedAddress {
  /** Canonical literal. */
  readonly address: string;
  /** Of the socket that serves it. */
  readonly port: number;
  /** Of its candidate. */
  readonly priority: number;
}

/** A socket, and the ICE protocol on it. */
interface LocalSocket {
  readonly protocol: StunProtocol;
  readonly socket: UdpSocket;
  /** The address that it is bound to; undefined when that is all of its family. */
  readonly boundTo: string | undefined;
}

/** Options of {@linkcode LocalSockets}. */
export interface LocalSocketsOptions extends UdpSocketOptions {
  /** Told of each socket before anything comes in by it. */
  readonly onSocket: (protocol: StunProtocol, socket: UdpSocket) => void;
}

let isWildcardTold = false;

/** The sockets of one connection. The connection closes them. */
export class LocalSockets {
  readonly #connection: LibraryConnection;
  readonly #insides: ConnectionInsides;
  readonly #options: LocalSocketsOptions;
  readonly #offered: OfferedAddress[] = [];
  /** By what the agent calls them. */
  readonly #sockets = new Map<object, LocalSocket>();
  #priority = HOST_PRIORITY;

  /** For a connection that has no sockets yet. */
  constructor(connection: LibraryConnection, options: LocalSocketsOptions) {
    this.#connection = connection;
    this.#insides = insidesOf<ConnectionInsides>(connection, CONNECTION_SHAPE);
    this.#options = options;
  }

  /** The socket that a protocol of the agent's stands on. */
  socketOf(protocol: object): UdpSocket | undefined {
    return this.#sockets.get(protocol)?.socket;
  }

  /** All of them. */
  get all(): readonly UdpSocket[] {
    return [...this.#sockets.values().map(({ socket }) => socket)];
  }

  /** What the description offers. */
  get offered(): readonly OfferedAddress[] {
    return this.#offered;
  }

  /**
   * Opens the first sockets.
   *
   * @param addresses Ours, the likeliest first.
   * @throws {TransportError} SETUP_FAILED when there are addresses, and no socket for any of them.
   */
  open(addresses: readonly BindAddress[]): void {
    let refusal: unknown;
    for (const one of addresses) {
      try {
        const { port } = this.#serve(one).socket.address;
        this.#offered.push({ address: one.address, port, priority: this.#priority });
      } catch (error) {
        refusal ??= error;
        const reason = messageOf(error);
        logFor("transport").debug("no socket for an address", { address: one.address, reason });
      }
      this.#priority -= PREFERENCE_STEP;
    }
    if (this.#offered.length === 0 && refusal !== undefined) throw refusal;
  }

  /** Whether the address that data is sent from is not one of these. */
  hasLost(addresses: readonly BindAddress[]): boolean {
    const { nominated } = this.#connection;
    const boundTo = nominated && this.#sockets.get(nominated.protocol)?.boundTo;
    return boundTo !== undefined && addresses.every(({ address }) => address !== boundTo);
  }

  /**
   * Opens sockets for addresses that are new, and closes those whose address has gone, except the
   * one in use: its address may come back.
   *
   * @param addresses Those that we have now.
   * @returns Whether anything is new.
   */
  renew(addresses: readonly BindAddress[]): boolean {
    const isHere = ({ boundTo }: LocalSocket) =>
      boundTo === undefined || addresses.some(({ address }) => address === boundTo);
    for (const local of this.#sockets.values()) {
      if (!isHere(local) && local.protocol !== this.#connection.nominated?.protocol) {
        this.#drop(local);
      }
    }
    let isNew = false;
    for (const one of addresses) {
      if (this.#serving(one.address) !== undefined) continue;
      try {
        this.#serve(one);
        isNew = true;
      } catch {
        // Gone again, or not ours yet: it is asked for the next time.
      }
    }
    return isNew;
  }

  /** Closes all of them: the path is another. */
  closeAll(): void {
    for (const local of this.#sockets.values()) this.#drop(local);
  }

  #serving(address: string): LocalSocket | undefined {
    return this.#sockets.values().find(({ boundTo, socket }) =>
      boundTo === address || (boundTo === undefined && socket.addressFamily === isIP(address))
    );
  }

  #serve(one: BindAddress): LocalSocket {
    const known = this.#serving(one.address);
    if (known !== undefined) return known;
    const family = isIP(one.address) === 6 ? 6 : 4;
    const isShared = !mayBind(one.address) && mayBind(WILDCARD[family]);
    if (isShared) tellWildcard(one.address);
    const socket = openUdpSocket(isShared ? { address: WILDCARD[family] } : one, this.#options);
    const local = {
      socket,
      protocol: addProtocol(this.#connection, this.#insides, socket, {
        foundation: String(this.#sockets.size + 1),
        transport: "udp",
        priority: this.#priority,
        host: one.address,
        port: socket.address.port,
      }),
      boundTo: isShared ? undefined : one.address,
    };
    this.#sockets.set(local.protocol, local);
    this.#options.onSocket(local.protocol, socket);
    return local;
  }

  #drop(local: LocalSocket): void {
    this.#sockets.delete(local.protocol);
    forgetProtocol(this.#insides, local.protocol);
    void local.protocol.close();
  }
}

/** Once a process: it is a matter of how that was started. */
function tellWildcard(address: string): void {
  if (isWildcardTold) return;
  isWildcardTold = true;
  logFor("transport").warn(
    "the program's permissions allow no UDP socket on an address of its own, so that one socket " +
      "takes what comes to any address of this machine; list this machine's addresses in --allow-net too",
    { address },
  );
}
