/**
 * HTTP for the client, over a Unix socket or to the loopback address: one request a connection,
 * every wait bounded.
 *
 * @module
 */
import { type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { BackOff } from "../../base/back_off.ts";
import { sleep, systemTimer } from "../../base/timer.ts";
import { DaemonError, DeadlineError } from "../../base/errors.ts";
import { isNotPermitted } from "../../base/system_error.ts";
import { CLIENT_RETRY } from "../../base/timing.ts";
import { type ApiAddress, LOOPBACK, type TcpAddress, urlOf } from "../api/address.ts";
import type { Problem, Violation } from "../api/problem.ts";
import { problemSchema } from "../api/problem_schema.ts";
import { is } from "../api/validate.ts";

/** Most bytes of an answer, and characters of an event's line. */
const MAX_ANSWER = 4 * 1024 * 1024;
/** What the system says of a path where no socket is, or none that anybody listens at. */
const NO_SOCKET: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "EISDIR",
  "ENOENT",
  "ENOTDIR",
  "ENOTSOCK",
]);

/** No daemon answers where it should be. */
export class DaemonUnreachableError extends DaemonError {
  /** Stable, for programs; people read the message. */
  readonly code = "DAEMON_UNREACHABLE";
}

/** What answers is not the daemon's API, or is too new or old for this client. */
export class AnswerError extends DaemonError {
  /** Stable, for programs; people read the message. */
  readonly code = "ANSWER_INVALID";
}

/** The daemon answered with a problem. */
export class ApiError extends DaemonError {
  /** The problem's stable code, a `ProblemCode` of this or a later version. */
  readonly code: string;
  /** HTTP status, 100 to 599. */
  readonly status: number;
  /** The members or parameters at fault. */
  readonly violations: readonly Violation[];

  /**
   * An error of what the daemon said.
   *
   * @param problem What the daemon said.
   */
  constructor(problem: Problem) {
    super(problem.detail);
    this.code = problem.code;
    this.status = problem.status;
    this.violations = problem.errors ?? [];
  }
}

/** A request. */
export interface RequestParts {
  /** Of the request line. */
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** Beside `Host`. */
  readonly headers: { readonly [name: string]: string };
  /** Sent as it is. */
  readonly body?: string;
}

/** Where a daemon is found. */
export interface ApiLocation {
  /** What messages call it, e.g. the path of the file that tells the address. */
  readonly name: string;
  /**
   * The address at this moment: a daemon that was started again may have another.
   *
   * @throws {DaemonError} When there is none: what is wrong and what to do.
   */
  address(): Promise<ApiAddress>;
}

/** The location of an address that stays. */
export function fixedLocation(address: ApiAddress): ApiLocation {
  return {
    name: address.kind === "unix" ? address.path : urlOf(address),
    address: () => Promise.resolve(address),
  };
}

/** Requests to one daemon. */
export class ApiHttp {
  readonly #location: ApiLocation;

  /** Connects at each request, not before. */
  constructor(location: ApiLocation) {
    this.#location = location;
  }

  /**
   * Sends a request; resolves when the answer's headers are here. When too many others are
   * connecting (EAGAIN: nothing was sent), it is tried again until the signal aborts.
   */
  async open(request: RequestParts, signal: AbortSignal): Promise<IncomingMessage> {
    const waits = new BackOff(CLIENT_RETRY);
    for (;;) {
      try {
        return await this.#openOnce(request, signal);
      } catch (error) {
        if (!(error instanceof DaemonUnreachableError && codeOf(error.cause) === "EAGAIN")) {
          throw error;
        }
        await sleep(systemTimer, waits.next(), signal);
      }
    }
  }

  async #openOnce(request: RequestParts, signal: AbortSignal): Promise<IncomingMessage> {
    signal.throwIfAborted();
    const address = await this.#location.address();
    const response = await this.#send(request, address, signal);
    if (response.statusCode !== 401 || address.kind !== "tcp") return response;
    response.destroy();
    throw new DaemonUnreachableError(
      `The daemon can't be reached: what listens at ${urlOf(address)} refuses the token of ` +
        `${this.#location.name}: it is another program, or another daemon; ${LEFT_OVER}`,
    );
  }

  #send(
    request: RequestParts,
    address: ApiAddress,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const onAbort = () => sent.destroy();
    let sent: ClientRequest;
    try {
      sent = httpRequest({
        ...(address.kind === "unix"
          ? { socketPath: address.path }
          : { host: LOOPBACK, port: address.port }),
        method: request.method,
        path: request.target,
        headers: { ...headersFor(address), ...request.headers },
        agent: false,
      }, (response) => {
        response.once("close", () => signal.removeEventListener("abort", onAbort));
        resolve(response);
      });
    } catch (error) {
      return Promise.reject(this.#unreachable(address, error));
    }
    signal.addEventListener("abort", onAbort, { once: true });
    sent.on("error", (error) => {
      signal.removeEventListener("abort", onAbort);
      reject(signal.aborted ? signal.reason : this.#unreachable(address, error));
    });
    sent.on("close", () => reject(signal.aborted ? signal.reason : this.#unreachable(address)));
    sent.end(request.body);
    return promise;
  }

  /** The whole body of an answer. @throws {AnswerError} When it is too large. */
  async text(response: IncomingMessage, signal: AbortSignal): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    try {
      for await (const chunk of response) {
        text += decoder.decode(chunk, { stream: true });
        if (text.length > MAX_ANSWER) throw new AnswerError(`An answer over ${MAX_ANSWER} bytes`);
      }
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof DaemonError ? error : this.#cutOff(error);
    }
    return text;
  }

  /** The sentence for a place at which somebody listens who has said nothing for so long. */
  silence(ms: number): string {
    return `No answer at ${this.#location.name} within ${
      ms / 1000
    } s: what listens there hangs, or ` +
      `is not bolt-daemon serve; look at the daemon's log, or stop it and start it again`;
  }

  /**
   * The lines of a stream, empty ones too, until it ends or fails; the caller's abort throws. Only
   * whole lines are signs of life: bytes that never become one are as good as silence.
   *
   * @throws {DeadlineError} When no line comes for too long.
   */
  async *lines(
    stream: IncomingMessage,
    silenceMs: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<string> {
    const decoder = new TextDecoder();
    const onAbort = () => stream.destroy();
    signal?.addEventListener("abort", onAbort);
    let isSilent = false;
    const onSilence = () => {
      isSilent = true;
      stream.destroy();
    };
    let silence = setTimeout(onSilence, silenceMs);
    try {
      let rest = "";
      for await (const chunk of stream) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        if (rest.length > MAX_ANSWER) throw new AnswerError(`An event over ${MAX_ANSWER} bytes`);
        if (lines.length === 0) continue;
        clearTimeout(silence);
        yield* lines;
        silence = setTimeout(onSilence, silenceMs);
      }
    } catch (error) {
      // A stream that broke is opened again by the caller.
      if (error instanceof DaemonError) throw error;
    } finally {
      clearTimeout(silence);
      signal?.removeEventListener("abort", onAbort);
      stream.destroy();
    }
    signal?.throwIfAborted();
    if (isSilent) throw new DeadlineError(this.silence(silenceMs));
  }

  #unreachable(address: ApiAddress, cause?: unknown): DaemonUnreachableError {
    const code = codeOf(cause);
    if (address.kind === "tcp") return this.#unreachableByTcp(address, cause);
    const why = NO_SOCKET.has(code)
      ? "no daemon listens at"
      : isRefusedToUs(cause)
      ? "you may not use"
      : code === "EINVAL" || code === "ENAMETOOLONG"
      ? "too long for a socket is the path"
      : code === "ELOOP"
      ? "symbolic links go round in a circle at"
      : code === "EAGAIN"
      ? "too many clients are connecting to"
      : "the daemon closed the connection at";
    return new DaemonUnreachableError(
      `The daemon can't be reached: ${why} ${address.path}; is bolt-daemon serve running ` +
        `with this socket?`,
      { cause },
    );
  }

  #unreachableByTcp(address: TcpAddress, cause: unknown): DaemonUnreachableError {
    const { name } = this.#location;
    const at = name === urlOf(address) ? name : `${urlOf(address)}, which ${name} names`;
    const message = codeOf(cause) === "ECONNREFUSED"
      ? `no daemon listens at ${at}; ${LEFT_OVER}`
      : isRefusedToUs(cause)
      ? `this program may not use ${at}; let it, with --allow-net=${LOOPBACK}`
      : `the connection was closed at ${at}; is bolt-daemon serve running there?`;
    return new DaemonUnreachableError(`The daemon can't be reached: ${message}`, { cause });
  }

  #cutOff(cause: unknown): DaemonUnreachableError {
    return new DaemonUnreachableError(
      `The daemon can't be reached: the daemon closed the connection at ${this.#location.name}; ` +
        `is bolt-daemon serve running there?`,
      { cause },
    );
  }
}

/** What to do about a file whose daemon is not there. */
const LEFT_OVER = "the file may be left over from a daemon that was killed: start bolt-daemon " +
  "serve again, or name the file of the one that runs";

/** What each request shows of itself. */
function headersFor(address: ApiAddress): { readonly [name: string]: string } {
  return address.kind === "unix" ? { host: "localhost" } : {
    host: `${LOOPBACK}:${address.port}`,
    authorization: `Bearer ${address.token}`,
  };
}

function isRefusedToUs(cause: unknown): boolean {
  const code = codeOf(cause);
  return code === "EACCES" || code === "EPERM" || isNotPermitted(cause);
}

function codeOf(cause: unknown): unknown {
  return cause instanceof Error && "code" in cause ? cause.code : undefined;
}

/** Text as JSON. @throws {AnswerError} */
export function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AnswerError("What answers there does not speak JSON", { cause });
  }
}

/** The problem that an answer carries, as an error. */
export function problemOf(response: IncomingMessage, text: string): DaemonError {
  const value = parseAnswer(text);
  if (is(problemSchema, value)) return new ApiError(value);
  return new AnswerError(
    `What answers there answered ${response.statusCode} without problem details`,
  );
}
