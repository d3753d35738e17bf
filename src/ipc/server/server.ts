/**
 * The local API's server: HTTP/1.1 on a Unix socket or at the loopback address, every bound enforced.
 *
 * `node:http` and not `Deno.serve`: the latter has no deadline for headers or bodies and no bound
 * on connections (a silent client holds its place for ever), the former lets both be added.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { abortable, Deadline } from "../../base/deadline.ts";
import { InterruptedError, messageOf } from "../../base/errors.ts";
import { safeJson } from "../../base/text.ts";
import { LONGEST_TIMER_MS } from "../../base/timing.ts";
import type { Fields, Log } from "../../log/log.ts";
import { type Connection, Connections } from "./connections.ts";
import { type ApiAddress, urlOf } from "../api/address.ts";
import type { DaemonOperations } from "../api/operations.ts";
import type { EventHub } from "./event_hub.ts";
import { EventStreams } from "./event_streams.ts";
import type { Counter, MetricsRegistry } from "./metrics.ts";
import { type ApiLimits, DEFAULT_API_LIMITS } from "./limits.ts";
import { problem, type ProblemCode, statusOf } from "../api/problem.ts";
import type { Listener } from "./listener.ts";
import type { Publish } from "./loopback.ts";
import type { RequestHandler } from "./request_handler.ts";

/** Where the API is to be served. */
export type ListenAt =
  | {
    /** At a Unix socket. */
    readonly kind: "unix";
    /** Absolute path of the socket. Its folder is made private, or must be. */
    readonly path: string;
    /** Says who listens at a socket already, for the refusal; bounded in time by whoever gives it. */
    readonly describeOwner: (socketPath: string) => Promise<string>;
  }
  | {
    /** At a port of the loopback address. */
    readonly kind: "tcp";
    /** Tells the address, with its token, to this user's clients. */
    readonly publish: Publish;
  };

/** Options of {@linkcode LocalApi.listen}. */
export interface LocalApiOptions {
  /** Where it is served. */
  readonly at: ListenAt;
  /** What the daemon does. */
  readonly operations: DaemonOperations;
  /** The daemon's events. The API closes it at the end. */
  readonly events: EventHub;
  /** What `/metrics` shows; the API adds its own. */
  readonly metrics: MetricsRegistry;
  /** Where failures and the start are logged. */
  readonly log: Log;
  /** The daemon's version, for the OpenAPI document. */
  readonly version: string;
  /** Bounds other than the default ones. @default {DEFAULT_API_LIMITS} */
  readonly limits?: Partial<ApiLimits>;
  /** The platform. @default {Deno.build.os} */
  readonly os?: typeof Deno.build.os;
}

/** The local API, while it is served. */
export class LocalApi implements AsyncDisposable {
  readonly #options: LocalApiOptions;
  readonly #limits: ApiLimits;
  readonly #listener: Listener;
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #streams: EventStreams;
  readonly #problems: Counter;
  /** Aborts the operations that a close does not wait for any longer. */
  readonly #abandon = new AbortController();
  #address: ApiAddress | undefined;
  #handler: Promise<RequestHandler> | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Claims the place and serves there.
   *
   * @throws {IpcError} When it can't be had: what is wrong and what to do. Else what telling the
   * address throws.
   */
  static async listen(options: LocalApiOptions): Promise<LocalApi> {
    const api = new LocalApi(options, await listenerOf(options));
    try {
      await api.#listen();
    } catch (error) {
      await api.close();
      throw error;
    }
    return api;
  }

  private constructor(options: LocalApiOptions, listener: Listener) {
    const { events, metrics } = options;
    this.#options = options;
    this.#limits = { ...DEFAULT_API_LIMITS, ...options.limits };
    this.#listener = listener;
    const refused = metrics.counter(
      "bolt_api_connections_refused_total",
      "Connections that were refused or closed to make room.",
    );
    this.#connections = new Connections({
      limit: this.#limits.connections,
      onRefused: () => refused.add(),
    });
    const dropped = metrics.counter(
      "bolt_api_event_streams_dropped_total",
      "Event streams that were dropped because their reader was too slow.",
    );
    this.#streams = new EventStreams(events, {
      limit: this.#limits.eventStreams,
      heartbeatMs: this.#limits.heartbeatMs,
      onDropped: () => dropped.add(),
    });
    this.#problems = metrics.counter("bolt_api_problems_total", "Requests answered by a problem.");
    metrics.gauge("bolt_api_connections", "Open connections.").set(() => this.#connections.size);
    metrics.gauge("bolt_api_event_streams", "Open event streams.").set(() => this.#streams.size);
    this.#server = this.#createServer();
  }

  /** Where the API is served. */
  get address(): ApiAddress {
    if (this.#address === undefined) throw new TypeError("The API does not listen");
    return this.#address;
  }

  /**
   * Ends the service: event streams first, then the answers under way (bounded), then everything
   * else; the socket, or the file that tells the address, is removed. Calling it again waits for the same end.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** The same as {@linkcode close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #listen(): Promise<void> {
    this.#address = await this.#listener.bind(this.#server);
    this.#server.on("error", (error) => {
      this.#options.log.error("local API failed", { error: messageOf(error) });
    });
    await this.#listener.announce();
    this.#options.log.info("local API listening", shown(this.#address));
  }

  async #close(): Promise<void> {
    this.#options.events.close();
    if (this.#server.listening) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#server.close(() => resolve());
      this.#connections.closeIdle();
      {
        using deadline = new Deadline(this.#limits.closeMs, { what: "answers under way" });
        await abortable(promise, deadline.signal).catch(() => {
          this.#abandon.abort(new InterruptedError("The daemon is stopping"));
          this.#connections.closeAll();
        });
      }
      await promise;
    }
    await this.#listener[Symbol.asyncDispose]();
  }

  #createServer(): Server {
    const server = createServer({
      maxHeaderSize: this.#limits.headerBytes,
      // The deadlines are ours, one timer a connection: the library's check is a poll.
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: 0,
      connectionsCheckingInterval: LONGEST_TIMER_MS, // of no use: connections.ts has deadlines
      // We answer a missing Host ourselves, as a problem.
      requireHostHeader: false,
    });
    server.on("connection", (socket: Socket) => {
      socket.on("error", () => socket.destroy());
      const connection = this.#connections.admit(socket);
      if (connection !== undefined) this.#awaitRequest(connection);
    });
    const onRequest = (request: IncomingMessage, response: ServerResponse) => {
      const connection = this.#connections.get(request.socket);
      if (connection === undefined) request.socket.destroy();
      else this.#enqueue(connection, request, response);
    };
    server.on("request", onRequest);
    server.on("checkContinue", onRequest);
    server.on("checkExpectation", onRequest);
    server.on("clientError", (error: Error & { code?: string }, socket: Socket) => {
      this.#refuse(socket, codeOfClientError(error.code));
    });
    return server;
  }

  #awaitRequest(connection: Connection): void {
    const { socket } = connection;
    const before = socket.bytesRead;
    this.#connections.await(connection, this.#limits.headersMs, () => {
      // An idle connection is just closed; an unfinished request gets an answer.
      if (socket.bytesRead === before) socket.destroy();
      else this.#refuse(socket, "REQUEST_TIMEOUT");
    });
  }

  /** Answers what can't be answered through a response object, and closes. */
  #refuse(socket: Socket, code: ProblemCode): void {
    const connection = this.#connections.get(socket);
    const body = safeJson(problem(code, REFUSALS[code] ?? "Send an HTTP/1.1 request"));
    if (!socket.writable || (connection?.pending ?? 0) > 0) {
      socket.destroy();
      return;
    }
    this.#problems.add();
    const head = `HTTP/1.1 ${statusOf(code)} ${code}\r\n` +
      `content-type: application/problem+json\r\ncontent-length: ${body.length}\r\n` +
      `connection: close\r\n\r\n`;
    socket.end(head + body, () => socket.destroy());
  }

  /** Requests of one connection are served one after the other, whatever is sent ahead. */
  #enqueue(connection: Connection, request: IncomingMessage, response: ServerResponse): void {
    if (connection.pending >= this.#limits.pipelined) {
      connection.socket.destroy();
      return;
    }
    connection.pending++;
    connection.work();
    connection.tail = connection.tail.then(() => this.#serve(connection, request, response))
      .catch((error: unknown) => {
        // Only a defect of ours gets here: it costs this connection, never the daemon.
        this.#options.log.error("local API failed", { error: messageOf(error) });
        connection.socket.destroy();
      });
  }

  /** Serves one request to the end of its answer. */
  async #serve(
    connection: Connection,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    response.once("close", resolve);
    response.on("error", () => response.destroy());
    request.on("error", () => response.destroy());
    try {
      if (connection.socket.destroyed) return;
      await this.#answer(connection, request, response);
      if (response.writableEnded && !response.writableFinished) {
        const { socket } = connection;
        this.#connections.await(connection, this.#limits.readingMs, () => socket.destroy());
      }
      await ended;
    } finally {
      connection.pending--;
      if (connection.pending === 0) {
        if (this.#closing === undefined) this.#awaitRequest(connection);
        else connection.socket.destroy();
      }
    }
  }

  async #answer(
    connection: Connection,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const handler = await (this.#handler ??= this.#loadHandler());
    await handler.answer(connection, request, response);
  }

  /** The schemas, and what checks by them, are a large part of the daemon: not needed until then. */
  async #loadHandler(): Promise<RequestHandler> {
    const { RequestHandler } = await import("./request_handler.ts");
    const { operations, metrics, log, version } = this.#options;
    return new RequestHandler({
      operations,
      metrics,
      log,
      version,
      address: this.address,
      limits: this.#limits,
      connections: this.#connections,
      streams: this.#streams,
      problems: this.#problems,
      abandoned: this.#abandon.signal,
    });
  }
}

async function listenerOf({ at, os }: LocalApiOptions): Promise<Listener> {
  if (at.kind === "tcp") return (await import("./loopback.ts")).loopbackListener(at.publish);
  const { claimSocket } = await import("./socket.ts");
  return await claimSocket(at.path, {
    describeOwner: at.describeOwner,
    ...(os === undefined ? {} : { os }),
  });
}

/** What a log line may tell of an address: never the token. */
function shown(address: ApiAddress): Fields {
  return address.kind === "unix" ? { socket: address.path } : { url: urlOf(address) };
}

const REFUSALS: { readonly [code in ProblemCode]?: string } = {
  REQUEST_TIMEOUT: "The request did not arrive in time",
  HEADERS_TOO_LARGE: "Send fewer or shorter headers",
};

function codeOfClientError(code: string | undefined): ProblemCode {
  return code === "HPE_HEADER_OVERFLOW" ? "HEADERS_TOO_LARGE" : "BAD_REQUEST";
}
