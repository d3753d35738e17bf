/**
 * The API over TCP: a port of the system's choice at the loopback address, and a token that only
 * this run has.
 *
 * @module
 */
import { LOOPBACK, type TcpAddress, TOKEN_BYTES } from "../api/address.ts";
import { IpcError } from "../api/problem.ts";
import { listenAt, type Listener, whyNot } from "./listener.ts";

/**
 * Keeps an address where clients of this user find it, and nobody else does, until what it gives is
 * disposed.
 */
export type Publish = (address: TcpAddress) => Promise<AsyncDisposable>;

/**
 * A listener at {@linkcode LOOPBACK}, never another address. Needs `--allow-net=127.0.0.1`.
 *
 * @throws {IpcError} When it binds: TCP_UNAVAILABLE. Else what `publish` throws.
 */
export function loopbackListener(publish: Publish): Listener {
  let address: TcpAddress | undefined;
  let published: AsyncDisposable | undefined;
  return {
    async bind(server) {
      try {
        await listenAt(server, { host: LOOPBACK, port: 0 }, `${LOOPBACK}:0`);
      } catch (cause) {
        throw unavailable(whyNot(cause, LOOPBACK), cause);
      }
      const bound = server.address();
      if (bound === null || typeof bound === "string" || bound.address !== LOOPBACK) {
        throw unavailable("the system bound another address");
      }
      const token = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)).toHex();
      return address = { kind: "tcp", port: bound.port, token };
    },
    async announce() {
      if (address !== undefined) published = await publish(address);
    },
    async [Symbol.asyncDispose]() {
      await published?.[Symbol.asyncDispose]();
    },
  };
}

function unavailable(why: string, cause?: unknown): IpcError {
  return new IpcError("TCP_UNAVAILABLE", `Can't listen at ${LOOPBACK}: ${why}`, { cause });
}
