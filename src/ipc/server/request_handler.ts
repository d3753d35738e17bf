/**
 * Answers the local API's requests: routing, checks, the daemon's operations, problems. Loaded when
 * the first request comes.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
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
import type { ApiAddress } from "../api/address.ts";
import {
  codesOf,
  type DaemonOperations,
  type OperationName,
  OPERATIONS,
} from "../api/operations.ts";
import { OperationError, problem, type ProblemCode, RequestError } from "../api/problem.ts";
import { callOperation, type OperationRequest } from "./call_operation.ts";
import type { Connection, Connections } from "./connections.ts";
import { type EventStreams, formatFor } from "./event_streams.ts";
import type { ApiLimits } from "./limits.ts";
import type { Counter, MetricsRegistry } from "./metrics.ts";
import { checkRequest, ClientGoneError, hasBody, readJson } from "./requests.ts";
import { entries, type Match, match } from "./router.ts";

/** What a {@linkcode RequestHandler} answers with. */
export interface RequestHandlerParts {
  /** What the daemon does. */
  readonly operations: DaemonOperations;
  /** What `/metrics` shows; requests are counted there by route. */
  readonly metrics: MetricsRegistry;
  /** Where failures are logged. */
  readonly log: Log;
  /** The daemon's version, for the OpenAPI document. */
  readonly version: string;
  /** Where the API is served: what a request has to show depends on it. */
  readonly address: ApiAddress;
  /** The bounds of a request. */
  readonly limits: ApiLimits;
  /** Holds the deadlines of what a client sends and reads. */
  readonly connections: Connections;
  /** The event streams. */
  readonly streams: EventStreams;
  /** Requests answered by a problem. */
  readonly problems: Counter;
  /** Aborts the operations that a close does not wait for any longer. */
  readonly abandoned: AbortSignal;
}

/** Answers requests, one after the other on a connection. */
export class RequestHandler {
  readonly #parts: RequestHandlerParts;
  readonly #requests = new Map<string, Counter>();

  /** Counts requests from now on. */
  constructor(parts: RequestHandlerParts) {
    this.#parts = parts;
    for (const [, { method, path }] of entries()) {
      this.#requests.set(
        `${method} ${path}`,
        parts.metrics.counter("bolt_api_requests_total", "Requests by route.", {
          method,
          route: path,
        }),
      );
    }
  }

  /** Answers a request, by a problem where it fails. */
  async answer(
    connection: Connection,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    await this.#answer(connection, request, response).catch((error: unknown) => {
      this.#answerProblem(response, error);
    });
  }

  async #answer(
    connection: Connection,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { path, query } = checkRequest(request, this.#parts.address);
    const expectation = request.headers.expect?.toLowerCase();
    if (expectation !== undefined && expectation !== "100-continue") {
      throw new RequestError("EXPECTATION_FAILED", "The only expectation met is 100-continue");
    }
    const found = match(request.method ?? "", path);
    this.#requests.get(found.label)?.add();
    if (isOperation(found)) {
      const body = await this.#body(found.name, connection, request, response);
      const key = request.headers["idempotency-key"];
      await this.#operation(found, { query, body, key }, response);
    } else {
      if (hasBody(request)) throw takesNoBody();
      await this.#own(found, request, response);
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
    this.#parts.connections.await(connection, this.#parts.limits.bodyMs, () => {
      late.abort(new RequestError("REQUEST_TIMEOUT", "The body did not arrive in time"));
    });
    try {
      const body = readJson(request, this.#parts.limits.bodyBytes, () => {
        if (request.headers.expect !== undefined) response.writeContinue();
      });
      return await abortable(body, late.signal);
    } finally {
      connection.work();
    }
  }

  async #operation(
    found: Match & { readonly name: OperationName },
    asked: Pick<OperationRequest, "query" | "body" | "key">,
    response: ServerResponse,
  ): Promise<void> {
    using deadline = new Deadline(this.#parts.limits.operationMs, {
      what: found.name,
      parent: this.#parts.abandoned,
    });
    const { operations } = this.#parts;
    const { name, parameters } = found;
    const { signal } = deadline;
    const answer = await abortable(
      callOperation(operations, { name, parameters, ...asked, signal }),
      signal,
    ).catch((error: unknown) => {
      if (error instanceof OperationError && !codesOf(name).includes(error.code)) {
        const fields = { operation: name, code: error.code };
        this.#parts.log.error("an operation was refused with a code it does not list", fields);
      }
      throw error;
    });
    send(response, answer.status, "application/json", answer.value);
  }

  async #own(found: Match, request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (found.name) {
      case "events": {
        const lastEventId = request.headers["last-event-id"];
        this.#parts.streams.open(
          response,
          formatFor(request.headers.accept),
          Array.isArray(lastEventId) ? lastEventId[0] : lastEventId,
        );
        break;
      }
      case "openapi": {
        // Few ask for it, and it is large: it is made when somebody does.
        const { openApiDocument } = await import("./openapi.ts");
        send(response, 200, "application/json", openApiDocument(this.#parts.version));
        break;
      }
      case "metrics":
        sendText(
          response,
          200,
          "text/plain; version=0.0.4; charset=utf-8",
          this.#parts.metrics.render(),
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
    this.#parts.problems.add();
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
      return {
        code: "OPERATION_TIMEOUT",
        detail: "The operation may still run, or has failed; list it",
      };
    }
    const code = error instanceof DaemonError ? error.code : "UNKNOWN";
    this.#parts.log.error("operation failed", { code, error: messageOf(error) });
    if (error instanceof StorageError) {
      return { code: "STORAGE_FAILED", detail: `${error.message} (${error.code})` };
    }
    // Anything else may hold what is not for the caller: it goes to the log alone.
    return { code: "INTERNAL", detail: "The daemon's log says why" };
  }
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
