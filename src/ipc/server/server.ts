/**
 * The local API's server: HTTP/1.1 on a Unix socket, every bound enforced.
 *
 * `node:http` and not `Deno.serve`: the latter has no deadline for headers or bodies and no bound
 * on connections (a silent client holds its place for ever), the former lets both be added.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { abortable, Deadline } from "../../base/deadline.ts";
import {
  DaemonError,
  DeadlineError,
  InterruptedError,
  messageOf,
  StorageError,
} from "../../base/errors.ts";
import { safeJson } from "../../base/text.ts";
import type { Log } from "../../log/log.ts";
import { type Connection, Connections } from "./connections.ts";
import {
  codesOf,
  type DaemonOperations,
  type OperationName,
  OPERATIONS,
} from "../api/operations.ts";
import type { EventHub } from "./event_hub.ts";
import { EventStreams, formatFor } from "./event_streams.ts";
import { callOperation } from "./call_operation.ts";
import type { Counter, MetricsRegistry } from "./metrics.ts";
import { type ApiLimits, DEFAULT_API_LIMITS } from "./limits.ts";
import { openApiDocument } from "./openapi.ts";
import {
  IpcError,
  OperationError,
  problem,
  type ProblemCode,
  RequestError,
  statusOf,
} from "../api/problem.ts";
import { checkRequest, ClientGoneError, hasBody, readJson } from "./requests.ts";
import { entries, type Match, match } from "./router.ts";
import { claimSocket, type SocketClaim } from "./socket.ts";

/** Options of {@linkcode LocalApi.listen}. */
export interface LocalApiOptions {
  /** Absolute path of the socket. Its folder is made private, or must be. */
  readonly socketPath: string;
  /** What the daemon does. */
  readonly operations: DaemonOperations;
  /** What the daemon tells. The API closes it at the end. */
  readonly events: EventHub;
  /** What `/metrics` shows; the API adds its own. */
  readonly metrics: MetricsRegistry;
  /** Where failures and the start are told. */
  readonly log: Log;
  /** The daemon's version, for the OpenAPI document. */
  readonly version: string;
  /** Says who listens at a socket already, for the refusal; bounded in time by whoever gives it. */
  readonly describeOwner: (socketPath: string) => Promise<string>;
  /** Bounds other than the default ones. @default {DEFAULT_API_LIMITS} */
  readonly limits?: Partial<ApiLimits>;
  /** The platform. @default {Deno.build.os} */
  readonly os?: typeof Deno.build.os;
}

/** The longest that a timer can wait: the library's own connection check is not needed. */
const NEVER_MS = 2 ** 31 - 1;

/** The local API, while it is served. */
export class LocalApi implements AsyncDisposable {
  readonly #options: LocalApiOptions;
  readonly #limits: ApiLimits;
  readonly #claim: SocketClaim;
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #streams: EventStreams;
  readonly #requests = new Map<string, Counter>();
  readonly #problems: Counter;
  readonly #openApi: string;
  /** Aborts the operations that a close does not wait for any longer. */
  readonly #abandon = new AbortController();
  #closing: Promise<void> | undefined;

  /**
   * Claims the socket and serves on it.
   *
   * @throws {IpcError} When the socket can't be had: what is wrong and what to do.
   */
  static async listen(options: LocalApiOptions): Promise<LocalApi> {
    const claim = await claimSocket(options.socketPath, {
      describeOwner: options.describeOwner,
      ...(options.os === undefined ? {} : { os: options.os }),
    });
    const api = new LocalApi(options, claim);
    try {
      await api.#listen();
    } catch (error) {
      await api.close();
      throw error;
    }
    return api;
  }

  private constructor(options: LocalApiOptions, claim: SocketClaim) {
    const { events, metrics } = options;
    this.#options = options;
    this.#limits = { ...DEFAULT_API_LIMITS, ...options.limits };
    this.#claim = claim;
    this.#openApi = JSON.stringify(openApiDocument(options.version));
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
    for (const [, { method, path }] of entries()) {
      this.#requests.set(
        `${method} ${path}`,
        metrics.counter("bolt_api_requests_total", "Requests by route.", { method, route: path }),
      );
    }
    this.#problems = metrics.counter("bolt_api_problems_total", "Requests answered by a problem.");
    metrics.gauge("bolt_api_connections", "Open connections.").set(() => this.#connections.size);
    metrics.gauge("bolt_api_event_streams", "Open event streams.").set(() => this.#streams.size);
    this.#server = this.#createServer();
  }

  /** Where the API is served. */
  get socketPath(): string {
    return this.#options.socketPath;
  }

  /**
   * Ends the service: event streams first, then the answers under way (bounded), then everything
   * else; the socket is removed. Calling it again waits for the same end.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** The same as {@linkcode close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #listen(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen(this.socketPath, resolve);
    try {
      await promise;
    } catch (cause) {
      throw new IpcError(
        "SOCKET_PATH",
        `Can't listen at ${this.socketPath}: ${messageOf(cause)}; choose another socket path`,
        { cause },
      );
    }
    this.#server.off("error", reject);
    this.#server.on("error", (error) => {
      this.#options.log.error("local API failed", { error: messageOf(error) });
    });
    await this.#claim.makePrivate();
    this.#options.log.info("local API listening", { socket: this.socketPath });
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
    await this.#claim[Symbol.asyncDispose]();
  }

  #createServer(): Server {
    const server = createServer({
      maxHeaderSize: this.#limits.headerBytes,
      // The deadlines are ours, one timer a connection: the library's check is a poll.
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: 0,
      connectionsCheckingInterval: NEVER_MS,
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
      // An idle connection is closed without a word; an unfinished request is told.
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
      await this.#answer(connection, request, response).catch((error: unknown) => {
        this.#answerProblem(response, error);
      });
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
    const { path, query } = checkRequest(request);
    const expectation = request.headers.expect?.toLowerCase();
    if (expectation !== undefined && expectation !== "100-continue") {
      throw new RequestError("EXPECTATION_FAILED", "The only expectation met is 100-continue");
    }
    const found = match(request.method ?? "", path);
    this.#requests.get(found.label)?.add();
    if (isOperation(found)) {
      const body = await this.#body(found.name, connection, request, response);
      await this.#operation(found, query, body, response);
    } else {
      if (hasBody(request)) throw takesNoBody();
      this.#own(found, request, response);
    }
  }

  async #body(
    name: OperationName,
    connection: Connection,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<unknown> {
    if (!("body" in OPERATIONS[name]) && hasBody(request)) throw takesNoBody();
    const late = new AbortController();
    this.#connections.await(connection, this.#limits.bodyMs, () => {
      late.abort(new RequestError("REQUEST_TIMEOUT", "The body did not arrive in time"));
    });
    try {
      const body = readJson(request, this.#limits.bodyBytes, () => {
        if (request.headers.expect !== undefined) response.writeContinue();
      });
      return await abortable(body, late.signal);
    } finally {
      connection.work();
    }
  }

  async #operation(
    found: Match & { readonly name: OperationName },
    query: string,
    body: unknown,
    response: ServerResponse,
  ): Promise<void> {
    using deadline = new Deadline(this.#limits.operationMs, {
      what: found.name,
      parent: this.#abandon.signal,
    });
    const { operations } = this.#options;
    const { name, parameters } = found;
    const { signal } = deadline;
    const answer = await abortable(
      callOperation(operations, { name, parameters, query, body, signal }),
      signal,
    ).catch((error: unknown) => {
      if (error instanceof OperationError && !codesOf(name).includes(error.code)) {
        const fields = { operation: name, code: error.code };
        this.#options.log.error("an operation was refused with a code it does not list", fields);
      }
      throw error;
    });
    send(response, answer.status, "application/json", answer.value);
  }

  #own(found: Match, request: IncomingMessage, response: ServerResponse): void {
    switch (found.name) {
      case "events": {
        const lastEventId = request.headers["last-event-id"];
        this.#streams.open(
          response,
          formatFor(request.headers.accept),
          Array.isArray(lastEventId) ? lastEventId[0] : lastEventId,
        );
        break;
      }
      case "openapi":
        sendText(response, 200, "application/json", this.#openApi);
        break;
      case "metrics":
        sendText(
          response,
          200,
          "text/plain; version=0.0.4; charset=utf-8",
          this.#options.metrics.render(),
        );
        break;
      default:
        send(response, 200, "application/json", { status: "ok" });
    }
  }

  #answerProblem(response: ServerResponse, error: unknown): void {
    if (response.headersSent || response.destroyed || error instanceof ClientGoneError) {
      response.destroy();
      return;
    }
    const { code, detail } = this.#codeOf(error);
    this.#problems.add();
    const violations = error instanceof RequestError ? error.violations : undefined;
    const headers = error instanceof RequestError ? error.headers : {};
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    // What is left of the request is not read: the connection can't go on after it.
    if (!response.req.complete) response.setHeader("connection", "close");
    const body = problem(code, detail, violations);
    send(response, body.status, "application/problem+json", body);
  }

  #codeOf(error: unknown): { code: ProblemCode; detail: string } {
    if (error instanceof RequestError || error instanceof OperationError) {
      return { code: error.code, detail: error.message };
    }
    if (error instanceof InterruptedError) return { code: "STOPPING", detail: error.message };
    if (error instanceof DeadlineError) {
      return { code: "OPERATION_TIMEOUT", detail: "The operation goes on or failed; list it" };
    }
    const code = error instanceof DaemonError ? error.code : "UNKNOWN";
    this.#options.log.error("operation failed", { code, error: messageOf(error) });
    if (error instanceof StorageError) {
      return { code: "STORAGE_FAILED", detail: `${error.message} (${error.code})` };
    }
    // Anything else may hold what is not for the caller: it goes to the log alone.
    return { code: "INTERNAL", detail: "The daemon's log says why" };
  }
}

const REFUSALS: { readonly [code in ProblemCode]?: string } = {
  REQUEST_TIMEOUT: "The request did not arrive in time",
  HEADERS_TOO_LARGE: "Send fewer or shorter headers",
};

function codeOfClientError(code: string | undefined): ProblemCode {
  return code === "HPE_HEADER_OVERFLOW" ? "HEADERS_TOO_LARGE" : "BAD_REQUEST";
}

function takesNoBody(): RequestError {
  return new RequestError("UNEXPECTED_BODY", "Send this request without a body");
}

function isOperation(found: Match): found is Match & { readonly name: OperationName } {
  return Object.hasOwn(OPERATIONS, found.name);
}

function send(response: ServerResponse, status: number, type: string, value: unknown): void {
  if (value === undefined) sendText(response, status, undefined, "");
  else sendText(response, status, type, safeJson(value) + "\n");
}

function sendText(
  response: ServerResponse,
  status: number,
  type: string | undefined,
  text: string,
): void {
  response.writeHead(status, {
    ...(type === undefined ? {} : {
      "content-type": type,
      "content-length": new TextEncoder().encode(text).length,
    }),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(text);
}
