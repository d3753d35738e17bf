/**
 * A client of the local API: the daemon's operations and its events, typed.
 *
 * It speaks through `node:http`, which needs `--allow-net=unix:PATH` and read and write on the
 * path (`fetch` through a Unix socket would need network access to localhost too), or
 * `--allow-net=127.0.0.1`.
 *
 * @module
 */
import type { IncomingMessage } from "node:http";
import { Deadline } from "../../base/deadline.ts";
import { DaemonError, DeadlineError } from "../../base/errors.ts";
import { BackOff } from "../../base/back_off.ts";
import { sleep, systemTimer } from "../../base/timer.ts";
import {
  CALL_MS,
  CLIENT_RETRY,
  EVENTS_REOPEN_MS,
  EVENTS_SILENCE_MS,
  SOCKET_OWNER_MS,
} from "../../base/timing.ts";
import {
  type CalledOperations,
  MAX_BODY_BYTES,
  OPERATION_NAMES,
  type OperationName,
  OPERATIONS,
  type OperationSpec,
  OWN_ENDPOINTS,
} from "../api/operations.ts";
import { ApiEvent } from "../api/events.ts";
import type { ApiAddress } from "../api/address.ts";
import {
  AnswerError,
  ApiError,
  ApiHttp,
  type ApiLocation,
  DaemonUnreachableError,
  fixedLocation,
  parseAnswer,
  problemOf,
} from "./api_http.ts";
import { problem } from "../api/problem.ts";
import { is } from "../api/validate.ts";

export { AnswerError, ApiError, type ApiLocation, DaemonUnreachableError } from "./api_http.ts";

/** Options of a {@linkcode DaemonClient}. */
export interface DaemonClientOptions {
  /** Milliseconds for a call, answer included. @default {CALL_MS} */
  readonly timeoutMs?: number;
  /** Milliseconds of silence after which a stream is dead. @default {EVENTS_SILENCE_MS} */
  readonly silenceMs?: number;
  /**
   * Milliseconds for which a lost event stream is tried again; Infinity: until the caller's signal.
   * @default {EVENTS_REOPEN_MS}
   */
  readonly reconnectMs?: number;
}

/** Options of {@linkcode DaemonClient.events}. */
export interface EventsOptions {
  /** Go on after this event; without it, begin with the next one that happens. */
  readonly lastEventId?: string;
  /** Ends the events: the iterator throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called each time that a stream is open: what happens from now on is not missed. */
  readonly onOpen?: () => void;
  /** Called each time that a stream is lost, before it is opened again. */
  readonly onLost?: () => void;
}

interface CallParts {
  readonly body?: unknown;
  readonly headers?: { readonly [name: string]: string };
  readonly signal?: AbortSignal | undefined;
}

/**
 * The operations of a daemon: a method for each, derived from the table of operations.
 * Every method throws {@linkcode ApiError} when the daemon refuses,
 * {@linkcode DaemonUnreachableError} when none is there, {@linkcode AnswerError} when something else
 * answers, and `DeadlineError` when it takes too long or says nothing.
 */
export interface DaemonClient extends CalledOperations {}

/** See the interface; the methods of the operations are made in the static block. */
export class DaemonClient {
  readonly #http: ApiHttp;
  readonly #timeoutMs: number;
  readonly #silenceMs: number;
  readonly #reconnectMs: number;

  /**
   * A client of a daemon; it connects at each call.
   *
   * @param at The daemon's address, or what tells it anew for each call.
   */
  constructor(at: ApiAddress | ApiLocation, options: DaemonClientOptions = {}) {
    this.#http = new ApiHttp("kind" in at ? fixedLocation(at) : at);
    this.#timeoutMs = options.timeoutMs ?? CALL_MS;
    this.#silenceMs = options.silenceMs ?? EVENTS_SILENCE_MS;
    this.#reconnectMs = options.reconnectMs ?? EVENTS_REOPEN_MS;
  }

  /** The daemon's metrics, in the Prometheus text format. */
  metrics(signal?: AbortSignal): Promise<string> {
    return this.#exchange("GET", OWN_ENDPOINTS.metrics.path, { signal });
  }

  /**
   * Events as they happen, for ever. A lost stream is opened again where it ended; events that
   * are lost all the same are replaced by a `gap`. Events of types that this client does not know
   * are left out.
   *
   * A daemon greets each stream with an empty line, and sends one as a heartbeat ever after. What
   * greets and is then silent, twice in succession, is none.
   *
   * @throws {DaemonUnreachableError} At once when no daemon is there at first; after the
   * reconnection time when it is gone for good.
   * @throws {DeadlineError} When what listens there says nothing at all, or greets and no more.
   */
  async *events(options: EventsOptions = {}): AsyncGenerator<ApiEvent, never, void> {
    const { signal } = options;
    let { lastEventId } = options;
    let stream = await this.#openEvents(lastEventId, signal);
    let onlyGreeted = false;
    const waits = new BackOff(CLIENT_RETRY);
    while (true) {
      // Where the stream begins: a loss before its first event is then reported by a gap too. The id
      // that we asked with is kept: the stream may begin with a gap, and be lost before that has come.
      const position = stream.headers["last-event-id"];
      if (typeof position === "string") lastEventId ??= position;
      options.onOpen?.();
      let lines = 0;
      try {
        for await (const line of this.#http.lines(stream, this.#silenceMs, signal)) {
          lines++;
          const event = line === "" ? undefined : parseEvent(line);
          if (event === undefined) continue;
          lastEventId = event.id;
          yield event;
        }
        onlyGreeted = false;
      } catch (error) {
        // A daemon that hung or was suspended: its stream is opened again.
        const endsHere = lines === 0 || (lines === 1 && onlyGreeted);
        if (!(error instanceof DeadlineError) || signal?.aborted || endsHere) throw error;
        onlyGreeted = lines === 1;
      }
      if (lines > 1) waits.reset();
      options.onLost?.();
      stream = await this.#reopenEvents(lastEventId, waits, signal);
    }
  }

  static {
    for (const name of OPERATION_NAMES) {
      const value = function (this: DaemonClient, ...given: unknown[]): Promise<unknown> {
        return this.#call(name, given);
      };
      Object.defineProperty(this.prototype, name, { value });
    }
  }

  /** Calls an operation with what its method was given: ids, request, signal. */
  async #call(name: OperationName, given: readonly unknown[]): Promise<unknown> {
    const spec: OperationSpec = OPERATIONS[name];
    const rest = [...given];
    const path = spec.path.replaceAll(
      /\{\w+\}/g,
      () => encodeURIComponent(String(rest.shift())),
    );
    const takesRequest = spec.body !== undefined || spec.query !== undefined;
    const { idempotencyKey: key, ...request }: { readonly idempotencyKey?: unknown } = takesRequest
      ? Object(rest.shift() ?? {})
      : {};
    const [signal] = rest;
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(spec.query === undefined ? {} : request)) {
      if (value !== undefined) query.set(key, String(value));
    }
    const text = await this.#exchange(
      spec.method,
      query.size === 0 ? path : `${path}?${query}`,
      {
        ...(spec.body === undefined ? {} : { body: request }),
        ...(typeof key === "string" ? { headers: { "idempotency-key": key } } : {}),
        ...(signal instanceof AbortSignal ? { signal } : {}),
      },
    );
    const value = text === "" ? undefined : parseAnswer(text);
    if (spec.response === undefined ? value !== undefined : !is(spec.response, value)) {
      throw new AnswerError(`The daemon's answer to ${name} is not what this client knows`);
    }
    if (spec.answer !== undefined) return undefined;
    return spec.member === undefined ? value : Reflect.get(Object(value), spec.member);
  }

  /** One request and its whole answer; problems are thrown. */
  async #exchange(method: string, target: string, parts: CallParts): Promise<string> {
    try {
      return await this.#exchangeInTime(method, target, parts);
    } catch (error) {
      throw this.#orSilent(error, parts.signal);
    }
  }

  async #exchangeInTime(method: string, target: string, parts: CallParts): Promise<string> {
    using deadline = new Deadline(this.#timeoutMs, {
      what: "the daemon's answer",
      ...(parts.signal === undefined ? {} : { parent: parts.signal }),
    });
    const body = parts.body === undefined ? undefined : JSON.stringify(parts.body);
    checkSize(body);
    const response = await this.#http.open(
      body === undefined ? { method, target, headers: {} } : {
        method,
        target,
        headers: { "content-type": "application/json", ...parts.headers },
        body,
      },
      deadline.signal,
    );
    const text = await this.#http.text(response, deadline.signal);
    if ((response.statusCode ?? 0) < 300) return text;
    throw problemOf(response, text);
  }

  /**
   * What a wait ended with; our own deadline becomes: something listens there and does not answer.
   */
  #orSilent(error: unknown, signal: AbortSignal | undefined): unknown {
    return error instanceof DeadlineError && signal?.aborted !== true
      ? new DeadlineError(this.#http.silence(this.#timeoutMs), { cause: error })
      : error;
  }

  /** The daemon did not answer within the time for reopening the events. */
  #notBack(cause: unknown): DaemonUnreachableError {
    return new DaemonUnreachableError(
      `The daemon is gone: its events ended, and it did not answer within ${
        this.#reconnectMs / 1000
      } s`,
      { cause },
    );
  }

  async #openEvents(
    lastEventId: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<IncomingMessage> {
    // The deadline is for the headers; the stream itself lives as long as the caller's signal.
    const lifetime = new AbortController();
    using deadline = new Deadline(this.#timeoutMs, {
      what: "the event stream",
      ...(signal === undefined ? {} : { parent: signal }),
    });
    const onLate = () => lifetime.abort(deadline.signal.reason);
    if (deadline.signal.aborted) onLate();
    deadline.signal.addEventListener("abort", onLate);
    const headers = {
      accept: "application/x-ndjson",
      ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
    };
    try {
      const response = await this.#http.open(
        { method: "GET", target: OWN_ENDPOINTS.events.path, headers },
        lifetime.signal,
      );
      if (response.statusCode === 200) {
        if (isEventStream(response)) return response;
        response.destroy();
        throw new AnswerError("What answers there does not speak of events");
      }
      throw problemOf(response, await this.#http.text(response, lifetime.signal));
    } catch (error) {
      throw this.#orSilent(error, signal);
    } finally {
      deadline.signal.removeEventListener("abort", onLate);
    }
  }

  async #reopenEvents(
    lastEventId: string | undefined,
    waits: BackOff,
    signal: AbortSignal | undefined,
  ): Promise<IncomingMessage> {
    using deadline = new Deadline(this.#reconnectMs, {
      what: "the daemon's return",
      ...(signal === undefined ? {} : { parent: signal }),
    });
    let failure: unknown;
    for (;;) {
      try {
        await sleep(systemTimer, waits.next(), deadline.signal);
        return await this.#openEvents(lastEventId, deadline.signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (deadline.signal.aborted) throw failure ?? this.#notBack(error);
        if (!mayPass(error)) throw error;
        failure = error;
      }
    }
  }
}

/** Who listens at a socket, for the message of a refusal; at most {@linkcode SOCKET_OWNER_MS}. */
export async function describeOwner(socketPath: string): Promise<string> {
  try {
    const client = new DaemonClient({ kind: "unix", path: socketPath }, {
      timeoutMs: SOCKET_OWNER_MS,
    });
    const status = await client.status();
    return `bolt-daemon ${status.version} (process ${status.pid}, data folder ${status.dataDir})`;
  } catch (error) {
    // Whatever it is, it is alive and not a daemon that answers.
    if (error instanceof DaemonError) return "another program";
    throw error;
  }
}

/** Anything else may be as long as it likes, and never is an event. */
function isEventStream({ headers }: IncomingMessage): boolean {
  return /^application\/x-ndjson *(;|$)/i.test(headers["content-type"] ?? "");
}

/** Whether a refusal to open the events is one that a daemon which starts, stops or hangs gives. */
function mayPass(error: unknown): boolean {
  return error instanceof DaemonUnreachableError || error instanceof DeadlineError ||
    (error instanceof ApiError && error.status === 503);
}

function parseEvent(line: string): ApiEvent | undefined {
  const value = parseAnswer(line);
  return is(ApiEvent, value) ? value : undefined;
}

/** The daemon would close the connection while the rest is written, and its answer could be lost. */
function checkSize(body = ""): void {
  const { length } = new TextEncoder().encode(body);
  if (length <= MAX_BODY_BYTES) return;
  const detail =
    `The request takes ${length} bytes, and the daemon reads ${MAX_BODY_BYTES}: ask for ` +
    "less at once, such as fewer files";
  throw new ApiError(problem("BODY_TOO_LARGE", detail));
}
