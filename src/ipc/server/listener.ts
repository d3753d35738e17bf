/**
 * How the API's server comes to listen: what is the same for a Unix socket and for TCP.
 *
 * @module
 */
import type { Server } from "node:http";
import type { ListenOptions } from "node:net";
import { messageOf } from "../../base/errors.ts";
import { isNotPermitted } from "../../base/system_error.ts";
import type { ApiAddress } from "../api/address.ts";

/** A place to listen at, for as long as it is not disposed. */
export interface Listener extends AsyncDisposable {
  /** Has the server listen. The address is not told to anybody yet. */
  bind(server: Server): Promise<ApiAddress>;
  /** Lets clients in: the socket is made private, or the address told in a file. */
  announce(): Promise<void>;
}

/**
 * Has a server listen, or throws what the system says.
 *
 * @param where The socket's path, or host and port.
 * @param permitted What the runtime must permit for it, as `--allow-net=` takes it.
 */
export async function listenAt(
  server: Server,
  where: ListenOptions,
  permitted: string,
): Promise<void> {
  // Where it is not, the library throws that past all that could catch it.
  const { state } = await Deno.permissions.query({ name: "net", host: permitted });
  if (state !== "granted") throw new Deno.errors.NotCapable(permitted);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(where, resolve);
  await promise;
  server.off("error", reject);
}

/** Why a server can't listen, and the flag that is missing when the runtime is what refuses it. */
export function whyNot(cause: unknown, permitted: string): string {
  return isNotPermitted(cause)
    ? `this program has no right to; start it with --allow-net=${permitted}`
    : messageOf(cause);
}
