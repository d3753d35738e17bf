/**
 * A client of the local API: the daemon's operations and its events, typed.
 *
 * It speaks through `node:http`, which needs `--allow-net=unix:PATH` and read and write on the
 * path; `fetch` through a Unix socket would need network access to localhost too.
 *
 * @module
 */
import type { IncomingMessage } from "node:http";
import { Deadline } from "../base/deadline.ts";
import { DaemonError, DeadlineError } from "../base/errors.ts";
import { type Endpoint, ENDPOINTS, type OperationName, OWN_ENDPOINTS } from "./endpoints.ts";
import { ApiEvent } from "./events.ts";
import type {
  DaemonOperations,
  ListTransfersParameters,
  SendParameters,
  TrustParameters,
} from "./operations.ts";
import type { Schema, Static } from "./schema.ts";
import type * as schemas from "./schemas.ts";
import {
  AnswerError,
  DaemonUnreachableError,
  FIRST_RETRY_MS,
  LONGEST_RETRY_MS,
  parseJson,
  pause,
  problemOf,
  SocketHttp,
} from "./socket_http.ts";
import { is } from "./validate.ts";

export { AnswerError, ApiError, DaemonUnreachableError } from "./socket_http.ts";

/** Options of a {@linkcode DaemonClient}. */
export interface DaemonClientOptions {
  /** Milliseconds for a call, answer included. @default {35_000} */
  readonly timeoutMs?: number;
  /** Milliseconds without event or heartbeat after which a stream is dead. @default {45_000} */
  readonly silenceMs?: number;
  /** Milliseconds for which a lost event stream is tried again. @default {10_000} */
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
}

interface CallParts {
  readonly path?: { readonly [name: string]: string };
  readonly query?: { readonly [name: string]: string | number | undefined };
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

type ResponseOf<K extends OperationName> = (typeof ENDPOINTS)[K] extends { response: infer R }
  ? R extends Schema ? Static<R> : never
  : undefined;

/**
 * The operations of a daemon at a socket. Every method throws {@linkcode ApiError} when the daemon
 * refuses, {@linkcode DaemonUnreachableError} when none is there, {@linkcode AnswerError} when
 * something else answers, and `DeadlineError` when it takes too long or says nothing.
 */
export class DaemonClient implements DaemonOperations {
  readonly #http: SocketHttp;
  readonly #timeoutMs: number;
  readonly #silenceMs: number;
  readonly #reconnectMs: number;

  /**
   * A client of the daemon at a socket; it connects at each call.
   *
   * @param socketPath Absolute path of the daemon's socket.
   */
  constructor(socketPath: string, options: DaemonClientOptions = {}) {
    this.#http = new SocketHttp(socketPath);
    this.#timeoutMs = options.timeoutMs ?? 35_000;
    this.#silenceMs = options.silenceMs ?? 45_000;
    this.#reconnectMs = options.reconnectMs ?? 10_000;
  }

  /** The daemon at a glance. */
  status(signal?: AbortSignal): Promise<schemas.Status> {
    return this.#call("status", { signal });
  }

  /** Begins the shutdown and returns. */
  async shutdown(request: schemas.ShutdownRequest = {}, signal?: AbortSignal): Promise<void> {
    await this.#call("shutdown", { body: request, signal });
  }

  /** Begins a session; its state is `signaling`. */
  pair(request: schemas.PairRequest, signal?: AbortSignal): Promise<schemas.Session> {
    return this.#call("pair", { body: request, signal });
  }

  /** The sessions of this run, ended ones too. */
  async listSessions(signal?: AbortSignal): Promise<schemas.Session[]> {
    return (await this.#call("listSessions", { signal })).sessions;
  }

  /** One session. */
  getSession(sessionId: string, signal?: AbortSignal): Promise<schemas.Session> {
    return this.#call("getSession", { path: { sessionId }, signal });
  }

  /** Ends a session, or the attempt at one. */
  closeSession(sessionId: string, signal?: AbortSignal): Promise<schemas.Session> {
    return this.#call("closeSession", { path: { sessionId }, signal });
  }

  /** All peers that are pinned or were met in this run. */
  async listPeers(signal?: AbortSignal): Promise<schemas.Peer[]> {
    return (await this.#call("listPeers", { signal })).peers;
  }

  /** One peer. */
  getPeer(identity: string, signal?: AbortSignal): Promise<schemas.Peer> {
    return this.#call("getPeer", { path: { identity }, signal });
  }

  /** Pins a decision, or replaces a pinned key with the SAS confirmed. */
  trust(parameters: TrustParameters, signal?: AbortSignal): Promise<schemas.Peer> {
    const { identity, decision, replacing } = parameters;
    const body: schemas.TrustRequest = replacing === undefined
      ? { decision }
      : { decision, replaces: replacing.identity, sas: replacing.sas };
    return this.#call("trust", { path: { identity }, body, signal });
  }

  /** Forgets a pinned decision. */
  async untrust(identity: string, signal?: AbortSignal): Promise<void> {
    await this.#call("untrust", { path: { identity }, signal });
  }

  /** Accepts a peer's offers without asking, or no longer. */
  setAutoAccept(identity: string, enabled: boolean, signal?: AbortSignal): Promise<schemas.Peer> {
    return this.#call("setAutoAccept", { path: { identity }, body: { enabled }, signal });
  }

  /** The pairing requests that wait for a decision. */
  async listPairings(signal?: AbortSignal): Promise<schemas.Pairing[]> {
    return (await this.#call("listPairings", { signal })).pairings;
  }

  /** One pairing request. */
  getPairing(pairingId: string, signal?: AbortSignal): Promise<schemas.Pairing> {
    return this.#call("getPairing", { path: { pairingId }, signal });
  }

  /** Decides a pairing request. */
  decidePairing(
    pairingId: string,
    decision: schemas.PairingDecision,
    signal?: AbortSignal,
  ): Promise<schemas.Pairing> {
    return this.#call("decidePairing", { path: { pairingId }, body: decision, signal });
  }

  /** Queues files, all or none. */
  async send(
    parameters: schemas.SendRequest | SendParameters,
    signal?: AbortSignal,
  ): Promise<schemas.Transfer[]> {
    return (await this.#call("send", { body: parameters, signal })).transfers;
  }

  /** A page of transfers, newest first. */
  listTransfers(
    parameters: schemas.TransferQuery | ListTransfersParameters = {},
    signal?: AbortSignal,
  ): Promise<schemas.TransferPage> {
    return this.#call("listTransfers", { query: parameters, signal });
  }

  /** One transfer. */
  getTransfer(transferId: string, signal?: AbortSignal): Promise<schemas.Transfer> {
    return this.#call("getTransfer", { path: { transferId }, signal });
  }

  /** Accepts an offered file. */
  acceptTransfer(
    transferId: string,
    request: schemas.AcceptRequest = {},
    signal?: AbortSignal,
  ): Promise<schemas.Transfer> {
    return this.#call("acceptTransfer", { path: { transferId }, body: request, signal });
  }

  /** Refuses an offered file. */
  rejectTransfer(transferId: string, signal?: AbortSignal): Promise<schemas.Transfer> {
    return this.#call("rejectTransfer", { path: { transferId }, signal });
  }

  /** Cancels a transfer, in either direction. */
  cancelTransfer(transferId: string, signal?: AbortSignal): Promise<schemas.Transfer> {
    return this.#call("cancelTransfer", { path: { transferId }, signal });
  }

  /** Holds a transfer. */
  pauseTransfer(transferId: string, signal?: AbortSignal): Promise<schemas.Transfer> {
    return this.#call("pauseTransfer", { path: { transferId }, signal });
  }

  /** Lets a held transfer go on. */
  resumeTransfer(transferId: string, signal?: AbortSignal): Promise<schemas.Transfer> {
    return this.#call("resumeTransfer", { path: { transferId }, signal });
  }

  /** The daemon's metrics, in the Prometheus text format. */
  metrics(signal?: AbortSignal): Promise<string> {
    return this.#exchange("GET", OWN_ENDPOINTS.metrics.path, { signal });
  }

  /**
   * Events as they happen, for ever. A lost stream is opened again where it ended; events that
   * are lost all the same are told by a `gap`. Events of types that this client does not know
   * are left out.
   *
   * @throws {DaemonUnreachableError} At once when no daemon is there at first; after the
   * reconnection time when it is gone for good.
   * @throws {DeadlineError} When what listens there says nothing at all.
   */
  async *events(options: EventsOptions = {}): AsyncGenerator<ApiEvent, never, void> {
    const { signal } = options;
    let { lastEventId } = options;
    let stream = await this.#openEvents(lastEventId, signal);
    while (true) {
      // Where the stream begins: a loss before its first event is then told by a gap too. An id of
      // ours is kept: the stream may begin with a gap, and be lost before that has come.
      const position = stream.headers["last-event-id"];
      if (typeof position === "string") lastEventId ??= position;
      options.onOpen?.();
      for await (const line of this.#http.lines(stream, this.#silenceMs, signal)) {
        const event = parseEvent(line);
        if (event === undefined) continue;
        lastEventId = event.id;
        yield event;
      }
      stream = await this.#reopenEvents(lastEventId, signal);
    }
  }

  async #call<K extends OperationName>(name: K, parts: CallParts): Promise<ResponseOf<K>> {
    const endpoint: Endpoint = ENDPOINTS[name];
    const path = endpoint.path.replaceAll(
      /\{(\w+)\}/g,
      (_, parameter: string) => encodeURIComponent(parts.path?.[parameter] ?? ""),
    );
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(parts.query ?? {})) {
      if (value !== undefined) query.set(key, String(value));
    }
    const target = query.size === 0 ? path : `${path}?${query}`;
    const text = await this.#exchange(endpoint.method, target, parts);
    const value = text === "" ? undefined : parseJson(text);
    if (endpoint.response === undefined ? value !== undefined : !is(endpoint.response, value)) {
      throw new AnswerError(`The daemon's answer to ${name} is not what this client knows`);
    }
    return value as ResponseOf<K>;
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
    const response = await this.#http.open(
      body === undefined
        ? { method, target, headers: {} }
        : { method, target, headers: { "content-type": "application/json" }, body },
      deadline.signal,
    );
    const text = await this.#http.text(response, deadline.signal);
    if ((response.statusCode ?? 0) < 300) return text;
    throw problemOf(response, text);
  }

  /** What a wait ended with; our own deadline as what it means: somebody listens, and is mute. */
  #orSilent(error: unknown, signal: AbortSignal | undefined): unknown {
    return error instanceof DeadlineError && signal?.aborted !== true
      ? new DeadlineError(this.#http.silence(this.#timeoutMs), { cause: error })
      : error;
  }

  /** No attempt was over when the time for it was: slow machine, short time. */
  #notBack(cause: DeadlineError): DaemonUnreachableError {
    return new DaemonUnreachableError(
      "The daemon is gone: its events ended and did not come back",
      {
        cause,
      },
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
      if (response.statusCode === 200) return response;
      throw problemOf(response, await this.#http.text(response, lifetime.signal));
    } catch (error) {
      throw this.#orSilent(error, signal);
    } finally {
      deadline.signal.removeEventListener("abort", onLate);
    }
  }

  async #reopenEvents(
    lastEventId: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<IncomingMessage> {
    using deadline = new Deadline(this.#reconnectMs, {
      what: "the daemon's return",
      ...(signal === undefined ? {} : { parent: signal }),
    });
    let failure: unknown;
    for (let delay = FIRST_RETRY_MS;; delay = Math.min(delay * 2, LONGEST_RETRY_MS)) {
      try {
        await pause(delay, deadline.signal);
        return await this.#openEvents(lastEventId, deadline.signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof DeadlineError) throw failure ?? this.#notBack(error);
        if (!(error instanceof DaemonUnreachableError)) throw error;
        failure = error;
      }
    }
  }
}

/** Says who listens at a socket, for the message of a refusal; takes at most two seconds. */
export async function describeOwner(socketPath: string): Promise<string> {
  try {
    const status = await new DaemonClient(socketPath, { timeoutMs: 2_000 }).status();
    return `bolt-daemon ${status.version} (process ${status.pid}, data folder ${status.dataDir})`;
  } catch (error) {
    // Whatever it is, it is alive and not a daemon that answers.
    if (error instanceof DaemonError) return "another program";
    throw error;
  }
}

function parseEvent(line: string): ApiEvent | undefined {
  const value = parseJson(line);
  return is(ApiEvent, value) ? value : undefined;
}
