/**
 * A rendezvous server for development and tests: the sockets around {@linkcode Room}. It speaks
 * the wire format of the real server, with the same limits, and is no part of the daemon.
 *
 * @module
 */
import { abortable, Deadline } from "../../src/base/deadline.ts";
import {
  ClientMessageError,
  MAX_MESSAGE_BYTES,
  parseClientMessage,
  type ServerMessage,
} from "./messages.ts";
import { RateLimit } from "./rate_limit.ts";
import { type Action, type Behaviour, Room } from "./room.ts";

/** Options of {@linkcode startRendezvousServer}. */
export interface RendezvousServerOptions {
  /** TCP port; 0 takes a free one. @default {0} */
  readonly port?: number;
  /** Address to listen on. @default {"127.0.0.1"} */
  readonly host?: string;
  /** Which version of the real server it is like. @default {"strict"} */
  readonly behaviour?: Behaviour;
  /** A connection without a message for this long is closed, in ms. @default {300000} */
  readonly idleTimeoutMs?: number;
  /** Messages a second that one connection may send. @default {50} */
  readonly messagesPerSecond?: number;
  /** Connections held at once; more are answered 503. @default {256} */
  readonly maxConnections?: number;
  /** Unsent bytes at which a client that does not read is dropped. @default {8388608} */
  readonly maxBufferedBytes?: number;
  /** Told of each registration, departure and closing. @default {() => {}} */
  readonly onEvent?: (event: RendezvousEvent) => void;
}

/** Something an operator of the server may want to see. Payloads are never part of it. */
export interface RendezvousEvent {
  /** What happened. */
  readonly kind: "registered" | "left" | "closed";
  /** The peer code, or why the server closed a connection. */
  readonly detail: string;
}

/** A running server; dispose it to stop. */
export interface RendezvousServer extends AsyncDisposable {
  /** Where clients connect, e.g. `ws://127.0.0.1:3001`. */
  readonly url: string;
  /** The TCP port. */
  readonly port: number;
  /** Closes every connection and the listener; settles when they are gone. */
  close(): Promise<void>;
}

/** Starts a server. It listens when this returns. */
export function startRendezvousServer(options: RendezvousServerOptions = {}): RendezvousServer {
  return new Server(options);
}

interface Connection {
  readonly socket: WebSocket;
  readonly rate: RateLimit;
  readonly gone: PromiseWithResolvers<void>;
  idleTimer: ReturnType<typeof setTimeout> | undefined;
  /** No message is obeyed any more once the server has closed its side. */
  closing: boolean;
  /** Messages in a row that were over the limit. */
  excess: number;
}

/** WebSocket close codes (RFC 6455, section 7.4.1). */
const CLOSE = { GOING_AWAY: 1001, UNSUPPORTED: 1003, POLICY: 1008, TOO_BIG: 1009 } as const;

/** Messages in a row over the limit that end a connection of the `replace` server. */
const MAX_EXCESS = 3;

/** How long clients have to answer the close when the server ends. */
const CLOSE_GRACE_MS = 1000;

const utf8 = new TextEncoder();

class Server implements RendezvousServer {
  readonly #idleTimeoutMs: number;
  readonly #messagesPerSecond: number;
  readonly #maxConnections: number;
  readonly #maxBufferedBytes: number;
  readonly #onEvent: (event: RendezvousEvent) => void;
  readonly #behaviour: Behaviour;
  readonly #room: Room<Connection>;
  readonly #connections = new Set<Connection>();
  readonly #http: Deno.HttpServer<Deno.NetAddr>;
  #closed = false;

  constructor(options: RendezvousServerOptions) {
    this.#behaviour = options.behaviour ?? "strict";
    this.#room = new Room(this.#behaviour);
    this.#idleTimeoutMs = options.idleTimeoutMs ?? 300_000;
    this.#messagesPerSecond = options.messagesPerSecond ?? 50;
    this.#maxConnections = options.maxConnections ?? 256;
    this.#maxBufferedBytes = options.maxBufferedBytes ?? 8 * 1024 * 1024;
    this.#onEvent = options.onEvent ?? (() => {});
    this.#http = Deno.serve({
      port: options.port ?? 0,
      hostname: options.host ?? "127.0.0.1",
      onListen: () => {},
    }, (request) => this.#upgrade(request));
  }

  get port(): number {
    return this.#http.addr.port;
  }

  get url(): string {
    const { hostname, port } = this.#http.addr;
    return `ws://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const gone = Promise.all([...this.#connections].map((connection) => {
      this.#end(connection, CLOSE.GOING_AWAY, "server is going away");
      return connection.gone.promise;
    }));
    using grace = new Deadline(CLOSE_GRACE_MS, { what: "clients to answer the close" });
    // Who does not answer in time is dropped by the shutdown.
    await abortable(gone, grace.signal).catch(() => {});
    await this.#http.shutdown();
    await gone;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #upgrade(request: Request): Response {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      const status = this.#behaviour === "strict" ? 426 : 200;
      return new Response("this is a WebSocket server\n", { status });
    }
    if (this.#closed || this.#connections.size >= this.#maxConnections) {
      return new Response("no room for another connection\n", { status: 503 });
    }
    // The protocol's own idle rule is the only one: silence counts, whatever the transport answers.
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    const connection: Connection = {
      socket,
      rate: new RateLimit(this.#messagesPerSecond, performance.now()),
      gone: Promise.withResolvers<void>(),
      idleTimer: undefined,
      closing: false,
      excess: 0,
    };
    this.#connections.add(connection);
    socket.onopen = () => this.#onOpen(connection);
    socket.onmessage = ({ data }) => this.#onMessage(connection, data);
    socket.onclose = () => this.#onClose(connection);
    return response;
  }

  #onOpen(connection: Connection): void {
    if (this.#closed) this.#end(connection, CLOSE.GOING_AWAY, "server is going away");
    else this.#restartIdleTimer(connection);
  }

  #onMessage(connection: Connection, data: unknown): void {
    if (connection.closing) return;
    this.#restartIdleTimer(connection);
    if (typeof data !== "string") {
      this.#end(connection, CLOSE.UNSUPPORTED, "text frames only");
    } else if (utf8.encode(data).length > MAX_MESSAGE_BYTES) {
      this.#end(connection, CLOSE.TOO_BIG, `message is over ${MAX_MESSAGE_BYTES} bytes`);
    } else if (!connection.rate.allows(performance.now())) {
      this.#refuseExcess(connection);
    } else {
      connection.excess = 0;
      this.#perform(this.#actionsOf(connection, data));
    }
  }

  #refuseExcess(connection: Connection): void {
    const strict = this.#behaviour === "strict";
    const message = strict
      ? `rate limit exceeded: ${this.#messagesPerSecond} messages a second`
      : "rate limited";
    this.#send(connection, { type: "error", message });
    if (strict || ++connection.excess >= MAX_EXCESS) this.#end(connection, CLOSE.POLICY, message);
  }

  #actionsOf(from: Connection, text: string): Action<Connection>[] {
    try {
      return this.#room.receive(from, parseClientMessage(text));
    } catch (error) {
      if (error instanceof ClientMessageError) return this.#room.reject(from, error.message);
      throw error;
    }
  }

  #onClose(connection: Connection): void {
    this.#retire(connection);
    this.#connections.delete(connection);
    connection.gone.resolve();
  }

  #perform(actions: readonly Action<Connection>[]): void {
    for (const action of actions) {
      if (action.kind === "send") this.#send(action.to, action.message);
      else if (action.kind === "close") this.#end(action.to, CLOSE.POLICY, action.reason);
      else this.#onEvent({ kind: action.event, detail: action.peerCode });
    }
  }

  #send(to: Connection, message: ServerMessage): void {
    if (to.socket.readyState !== WebSocket.OPEN) return;
    const text = JSON.stringify(message);
    if (to.socket.bufferedAmount + text.length > this.#maxBufferedBytes) {
      this.#end(to, CLOSE.POLICY, "does not read what it is sent");
    } else to.socket.send(text);
  }

  /**
   * Closes our side. A client that never answers keeps its TCP connection, and its place among
   * `maxConnections`, until it leaves or the server ends: the runtime has no way to cut it off.
   */
  #end(connection: Connection, code: number, reason: string): void {
    if (connection.closing) return;
    this.#onEvent({ kind: "closed", detail: reason });
    connection.socket.close(code, reason);
    this.#retire(connection);
  }

  /** From here on the connection is no peer: what is sent to its code is answered "not found". */
  #retire(connection: Connection): void {
    connection.closing = true;
    clearTimeout(connection.idleTimer);
    this.#perform(this.#room.leave(connection));
  }

  #restartIdleTimer(connection: Connection): void {
    clearTimeout(connection.idleTimer);
    connection.idleTimer = setTimeout(
      () => this.#end(connection, CLOSE.POLICY, "idle for too long"),
      this.#idleTimeoutMs,
    );
  }
}
