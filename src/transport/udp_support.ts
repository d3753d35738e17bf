/**
 * Whether this runtime was started with what the transport needs of it. Loads nothing.
 *
 * @module
 */
import { TransportError } from "../base/errors.ts";

/**
 * Fails at the start in place of at the first connection.
 *
 * @throws {TransportError} SETUP_FAILED when there are no UDP sockets.
 */
export function requireUdpSockets(): void {
  if (typeof Deno.listenDatagram === "function") return;
  throw new TransportError(
    "SETUP_FAILED",
    "Deno was started without its UDP sockets; add --unstable-net to the flags of deno run",
  );
}
