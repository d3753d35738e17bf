/**
 * Where the local API is served: at a Unix socket, or at a port of this machine's loopback address
 * behind a token. The latter is told by a file, which is read here.
 *
 * @module
 */
import { parseJsonObject, repeatsKeys, stringField } from "../../protocol/json.ts";

/** The only address that the API is served at where it is served over TCP. */
export const LOOPBACK = "127.0.0.1";
/** Bytes of a token: 256 bits of chance, new in every run. */
export const TOKEN_BYTES = 32;
/** Most bytes of a file that tells an address; it has some 120. */
export const MAX_API_FILE_BYTES = 4096;

/** A Unix socket. Who may open it is decided by modes. */
export interface UnixAddress {
  /** Tells it from the other. */
  readonly kind: "unix";
  /** Absolute path of the socket. */
  readonly path: string;
}

/** A port of {@linkcode LOOPBACK}. Who has the token may use it. */
export interface TcpAddress {
  /** Tells it from the other. */
  readonly kind: "tcp";
  /** From 1 to 65535. */
  readonly port: number;
  /** 64 hex digits in lower case. Never shown or logged. */
  readonly token: string;
}

/** Where the API is served, and what a client needs to use it. */
export type ApiAddress = UnixAddress | TcpAddress;

/** The URL of an address over TCP, without a slash at its end. */
export function urlOf({ port }: Pick<TcpAddress, "port">): string {
  return `http://${LOOPBACK}:${port}`;
}

/** The content of the file that tells an address: a JSON object with `url` and `token`. */
export function encodeApiFile(address: TcpAddress): Uint8Array {
  const { token } = address;
  return new TextEncoder().encode(`${JSON.stringify({ url: urlOf(address), token })}\n`);
}

/**
 * The address that a file tells; undefined when it tells none: another address than loopback,
 * anything beside the port in the URL, a token of another form, a key that is there twice. Further
 * members are left alone: later versions may add some.
 */
export function parseApiFile(bytes: Uint8Array): TcpAddress | undefined {
  const text = decode(bytes);
  const object = text === undefined ? undefined : parseJsonObject(text);
  if (text === undefined || object === undefined || repeatsKeys(text)) return undefined;
  const port = Number(
    /^http:\/\/127\.0\.0\.1:([1-9]\d{0,4})$/.exec(stringField(object, "url") ?? "")?.[1],
  );
  const token = stringField(object, "token") ?? "";
  if (!(port <= 65_535) || !/^[0-9a-f]{64}$/.test(token)) return undefined;
  return { kind: "tcp", port, token };
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
