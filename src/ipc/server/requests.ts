/**
 * What is asked of every request before anything is done for it, and its bounded body.
 *
 * @module
 */
import type { IncomingMessage } from "node:http";
import { DaemonError } from "../../base/errors.ts";
import { equalBytes } from "../../protocol/crypto/constant_time.ts";
import { type ApiAddress, LOOPBACK } from "../api/address.ts";
import { RequestError } from "../api/problem.ts";

/** Names by which a client at the socket may call the daemon in `Host`; ports do not matter. */
const SOCKET_HOSTS = new Set(["localhost", "bolt", "bolt-daemon", "127.0.0.1", "[::1]"]);

/** A request's target in its parts. */
export interface Target {
  /** As it came: nothing decoded or resolved. */
  readonly path: string;
  /** What follows `?`, or empty. */
  readonly query: string;
}

/**
 * Refuses what a local application would not send: a request of a web page (`Origin`), one meant
 * for another host (DNS rebinding), one without the token where there is one, one through a proxy
 * (absolute target).
 *
 * @param address Where the API is served.
 * @returns The request's target.
 * @throws {RequestError} ORIGIN_REFUSED, HOST_REFUSED, TOKEN_REFUSED, BAD_REQUEST
 */
export function checkRequest(request: IncomingMessage, address: ApiAddress): Target {
  const { headers, url = "" } = request;
  if (headers.origin !== undefined) {
    throw new RequestError("ORIGIN_REFUSED", "Requests with an Origin header are refused");
  }
  checkHost(request, address);
  if (address.kind === "tcp") checkToken(request, address.token);
  if (!url.startsWith("/")) {
    throw new RequestError("BAD_REQUEST", "The request target must be a path");
  }
  const mark = url.indexOf("?");
  return mark < 0
    ? { path: url, query: "" }
    : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

function checkHost(request: IncomingMessage, address: ApiAddress): void {
  const host = (request.headers.host ?? "").toLowerCase();
  const isOurs = address.kind === "tcp"
    ? [`${LOOPBACK}:${address.port}`, `localhost:${address.port}`].includes(host)
    : SOCKET_HOSTS.has(/^(\[[0-9a-f:]+\]|[^:]*)(:\d{1,5})?$/.exec(host)?.[1] ?? "");
  if (isOurs && countOf(request, "host") === 1) return;
  throw new RequestError(
    "HOST_REFUSED",
    address.kind === "tcp"
      ? `Host must be ${LOOPBACK}:${address.port} or localhost:${address.port}`
      : "Host must be localhost; use http://localhost/...",
  );
}

/** The token is taken from its header alone: what stands in a URL ends up in histories and logs. */
function checkToken(request: IncomingMessage, token: string): void {
  const given = /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1];
  const encoder = new TextEncoder();
  const isRight = countOf(request, "authorization") === 1 &&
    equalBytes(encoder.encode(given ?? ""), encoder.encode(token));
  if (isRight) return;
  throw new RequestError(
    "TOKEN_REFUSED",
    "Send the token of the daemon's api.json: Authorization: Bearer TOKEN",
    undefined,
    {
      "www-authenticate": `Bearer realm="bolt-daemon"${
        given === undefined ? "" : ', error="invalid_token"'
      }`,
      // Who has no token gets one answer a connection.
      connection: "close",
    },
  );
}

/** How often a header is sent: of some, the library keeps the first alone. */
function countOf({ rawHeaders }: IncomingMessage, header: string): number {
  return rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === header).length;
}

/** The client went away before its request was complete: there is no one to answer. */
export class ClientGoneError extends DaemonError {
  /** Never sent: there is no one to send it to. */
  readonly code = "CLIENT_GONE";
}

/** Whether the request announces a body. */
export function hasBody(request: IncomingMessage): boolean {
  const { headers } = request;
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/**
 * The request's body as JSON, or undefined when it is empty.
 *
 * @param limit Most bytes.
 * @param onWanted Called when the headers are good and the body is going to be read.
 * @throws {RequestError} UNSUPPORTED_MEDIA_TYPE, BODY_TOO_LARGE, MALFORMED_JSON
 * @throws {ClientGoneError} When the client goes away in the middle.
 */
export async function readJson(
  request: IncomingMessage,
  limit: number,
  onWanted: () => void = () => {},
): Promise<unknown> {
  if (!hasBody(request)) return undefined;
  const type = (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase();
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (type !== "application/json" || encoding.toLowerCase() !== "identity") {
    throw new RequestError(
      "UNSUPPORTED_MEDIA_TYPE",
      "Send the body as content-type: application/json, without content-encoding",
      undefined,
      { accept: "application/json" },
    );
  }
  const tooLarge = new RequestError("BODY_TOO_LARGE", `A body may have ${limit} bytes`);
  if (Number(request.headers["content-length"] ?? 0) > limit) throw tooLarge;
  onWanted();
  try {
    const text = await collect(request, limit, tooLarge);
    return text === "" ? undefined : JSON.parse(text);
  } catch (cause) {
    // A TypeError is the decoder's: not UTF-8.
    if (!(cause instanceof SyntaxError || cause instanceof TypeError)) throw cause;
    throw new RequestError("MALFORMED_JSON", "The body is not JSON in UTF-8");
  }
}

/** The body's text, strictly UTF-8. By listeners: an iterator would destroy a refused request. */
function collect(request: IncomingMessage, limit: number, tooLarge: Error): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let length = 0;
  const onData = (chunk: Uint8Array) => {
    length += chunk.length;
    if (length > limit) {
      request.pause();
      reject(tooLarge);
      return;
    }
    try {
      text += decoder.decode(chunk, { stream: true });
    } catch (error) {
      reject(error);
    }
  };
  const onEnd = () => {
    try {
      resolve(text + decoder.decode());
    } catch (error) {
      reject(error);
    }
  };
  const onGone = () => reject(new ClientGoneError("The client went away"));
  request.on("data", onData).on("end", onEnd).on("error", onGone).on("close", onGone);
  return promise.finally(() => {
    request.off("data", onData).off("end", onEnd).off("error", onGone).off("close", onGone);
  });
}
