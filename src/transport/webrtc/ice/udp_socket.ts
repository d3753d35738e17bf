/**
 * UDP sockets of Deno's own, bound to one address.
 *
 * Node's (`node:dgram`) cost two to three times as much for each datagram: an array of 64 KiB for
 * each that comes, a look-up of the address and a turn of the event loop for each that goes.
 *
 * @module
 */
import { messageOf, TransportError } from "../../../base/errors.ts";
import { isNotPermitted, systemReason } from "../../../base/system_error.ts";
import { logFor } from "../../../log/log.ts";
import type { LibraryAddress } from "../library.ts";

/** Room for any datagram that a path of today's Internet carries; what is longer is cut. */
const RECEIVE_BYTES = 2048;
/** Arrays of sends that are kept for the next ones have at least this size. */
const SEND_BYTES = 2048;
/** Datagrams that wait for the system to take them; what comes on top is a loss. */
export const MAX_WAITING_SENDS = 256;
/** Arrays that are kept for the next sends. */
const MAX_SPARE_ARRAYS = 32;
/**
 * Receives that fail one after another before a socket is given up. One failure says nothing: some
 * systems report there that an earlier datagram met no socket.
 */
const MAX_FAILURES = 64;

const DONE = Promise.resolve();

/** A way to lose, delay or watch datagrams; for tests and measurements. */
export interface DatagramTap {
  /** Whether an inbound datagram goes on. */
  readonly inbound?: (data: Uint8Array, from: LibraryAddress) => boolean;
  /** Whether an outbound datagram goes on. */
  readonly outbound?: (data: Uint8Array, to: LibraryAddress) => boolean;
}

/** The part of Deno's sockets that is used. */
export type DatagramConn = Pick<Deno.DatagramConn, "addr" | "receive" | "send" | "close">;

/** Options of a {@linkcode UdpSocket}. */
export interface UdpSocketOptions {
  /** Told of what a handler of datagrams threw. */
  readonly onFailure: (error: unknown) => void;
  /** Told when the system refuses a datagram: it may have taken the address away. */
  readonly onRefused?: () => void;
  /** Sees each datagram first. */
  readonly tap?: DatagramTap;
}

/** A datagram that the system has not taken yet. */
interface Waiting {
  readonly array: Uint8Array;
  readonly length: number;
  readonly to: Deno.NetAddr;
}

/** A bound socket, with what the library expects of a transport below its STUN protocol. */
export class UdpSocket {
  /** To the library: what this is. */
  readonly type = "udp";
  /** Where it is bound. */
  readonly address: { readonly address: string; readonly port: number };
  /** 4 or 6. */
  readonly addressFamily: 4 | 6;
  /** Takes what comes in; the array is a view that is valid until it returns. */
  onDatagram: (data: Uint8Array, from: LibraryAddress) => void = () => {};
  readonly #conn: DatagramConn;
  readonly #options: UdpSocketOptions;
  readonly #spare: Uint8Array[] = [];
  readonly #receiving: Promise<void>;
  /** What the system has not taken yet, in order; the first is under way. */
  readonly #waiting: Waiting[] = [];
  #to: Deno.NetAddr = { transport: "udp", hostname: "", port: 0 };
  #closed = false;

  /** Takes over a socket, and begins to receive. */
  constructor(conn: DatagramConn, options: UdpSocketOptions) {
    const { addr } = conn;
    if (!("hostname" in addr)) throw new Error("not a UDP socket");
    this.#conn = conn;
    this.#options = options;
    this.address = { address: addr.hostname, port: addr.port };
    this.addressFamily = addr.hostname.includes(":") ? 6 : 4;
    this.#receiving = this.#receive().catch((error) => {
      this.#end();
      options.onFailure(error);
    });
  }

  /** Whether it is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Hands a datagram to the system before it returns; what the system does not take is a loss. */
  send(data: Uint8Array, [hostname, port]: LibraryAddress): Promise<void> {
    if (this.#closed || this.#options.tap?.outbound?.(data, [hostname, port]) === false) {
      return DONE;
    }
    if (this.#waiting.length >= MAX_WAITING_SENDS) return DONE;
    if (this.#to.hostname !== hostname || this.#to.port !== port) {
      this.#to = { transport: "udp", hostname, port };
    }
    // Its own array: the system may take it later, and the caller uses his again.
    const array = data.length > SEND_BYTES
      ? new Uint8Array(data.length)
      : this.#spare.pop() ?? new Uint8Array(SEND_BYTES);
    array.set(data);
    this.#waiting.push({ array, length: data.length, to: this.#to });
    if (this.#waiting.length === 1) this.#sendFirst();
    return DONE;
  }

  /**
   * One at a time: several that the system can't take at once would go out in any order. As a rule
   * it takes them at once, and all go out in the turn in which they were handed over.
   */
  #sendFirst(): void {
    const [first] = this.#waiting;
    if (first !== undefined) this.#hand(first).then(this.#onSent, this.#onRefused);
  }

  readonly #onRefused = (): void => {
    if (!this.#closed) this.#options.onRefused?.();
    this.#onSent();
  };

  readonly #onSent = (): void => {
    const sent = this.#waiting.shift();
    if (sent?.array.length === SEND_BYTES && this.#spare.length < MAX_SPARE_ARRAYS) {
      this.#spare.push(sent.array);
    }
    if (!this.#closed) this.#sendFirst();
  };

  #hand({ array, length, to }: Waiting): Promise<number> {
    return this.#conn.send(array.subarray(0, length), to);
  }

  /** Takes a datagram that came in. */
  receive(data: Uint8Array, from: LibraryAddress): void {
    if (this.#closed || this.#options.tap?.inbound?.(data, from) === false) return;
    this.onDatagram(data, from);
  }

  /** Closes it; resolves when nothing is received any more. */
  async close(): Promise<void> {
    this.#end();
    await this.#receiving;
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    // What was handed over in this turn still goes out, if the system takes it.
    for (const waiting of this.#waiting.slice(1)) this.#hand(waiting).catch(() => {});
    this.#conn.close();
  }

  /** What is there is taken in one turn of the event loop, as many as the runtime lets. */
  async #receive(): Promise<void> {
    const array = new Uint8Array(RECEIVE_BYTES);
    for (let failures = 0; !this.#closed;) {
      let received: Awaited<ReturnType<DatagramConn["receive"]>>;
      try {
        received = await this.#conn.receive(array);
        failures = 0;
      } catch (error) {
        if (this.#closed || ++failures < MAX_FAILURES) continue;
        logFor("transport").debug("a UDP socket was given up", { reason: messageOf(error) });
        return this.#end();
      }
      const [data, from] = received;
      if ("hostname" in from) this.receive(data, [from.hostname, from.port]);
    }
  }
}

/** What an address is bound with: the zone is for link-local ones of IPv6. */
export interface BindAddress {
  /** Canonical literal. */
  readonly address: string;
  /** Number or name of the interface that a link-local address belongs to. */
  readonly zone?: string;
}

/**
 * Binds a socket to an address, at a port of the system's choice.
 *
 * @throws {TransportError} SETUP_FAILED when there is none to be had.
 */
export function openUdpSocket(
  { address, zone }: BindAddress,
  options: UdpSocketOptions,
): UdpSocket {
  const hostname = zone === undefined ? address : `${address}%${zone}`;
  try {
    return new UdpSocket(Deno.listenDatagram({ transport: "udp", hostname, port: 0 }), options);
  } catch (cause) {
    const why = isNotPermitted(cause)
      ? "the program was started without the permission for the network"
      : systemReason(cause) ?? messageOf(cause);
    throw new TransportError("SETUP_FAILED", `no UDP socket can be opened: ${why}`, { cause });
  }
}

/** Whether the program may bind a socket to an address; nobody is asked. */
export function mayBind(address: string): boolean {
  const host = address.includes(":") ? `[${address}]:0` : `${address}:0`;
  return Deno.permissions.querySync({ name: "net", host }).state === "granted";
}
