/**
 * Opens the UDP sockets of a connection, in the library's place: its own way waits for ever where
 * the system or the runtime refuses a socket.
 *
 * @module
 */
import { UdpTransport } from "werift";
import { Deadline } from "../../../base/deadline.ts";
import { messageOf, TransportError } from "../../../base/errors.ts";
import { systemReason } from "../../../base/system_error.ts";
import { UDP_OPEN_MS } from "../../../base/timing.ts";
import { insidesOf } from "../library.ts";

/** A family of UDP sockets, as Node names it. */
export type SocketFamily = "udp4" | "udp6";

/** All addresses of each family, at a port of the system's choice, as permissions name it. */
const ANY_PORT = { udp4: "0.0.0.0:0", udp6: "[::]:0" } as const;

interface OpeningInsides {
  readonly socket: {
    bind(options: { readonly address?: string }): void;
    once(event: "listening" | "error", listener: (error?: Error) => void): unknown;
    off(event: "error", listener: (error?: Error) => void): unknown;
  };
}

/**
 * Opens a socket at a port of the system's choice.
 *
 * @param address Ours, to be bound to. @default {all of the family}
 * @throws {TransportError} SETUP_FAILED when there is none to be had.
 */
export async function openSocket(family: SocketFamily, address?: string): Promise<UdpTransport> {
  // Bound without it, the socket would fail where nobody can catch it.
  const { state } = Deno.permissions.querySync({ name: "net", host: ANY_PORT[family] });
  if (state !== "granted") {
    throw refused("the program was started without the permission for the network");
  }
  // Its constructor is private: only `init` calls it, which is what can't be used.
  const transport: UdpTransport = Reflect.construct(UdpTransport, [family]);
  const { socket } = insidesOf<OpeningInsides>(transport, { socket: "object" });
  using deadline = new Deadline(UDP_OPEN_MS, { what: "a UDP socket to open" });
  const opened = Promise.withResolvers<void>();
  const onError = (error?: Error) => opened.reject(error);
  deadline.signal.addEventListener("abort", () => opened.reject(deadline.signal.reason));
  socket.once("listening", () => opened.resolve());
  socket.once("error", onError);
  try {
    socket.bind(address === undefined ? {} : { address });
    await opened.promise;
    socket.off("error", onError);
    return transport;
  } catch (error) {
    await transport.close();
    throw refused(systemReason(error) ?? messageOf(error), error);
  }
}

function refused(why: string, cause?: unknown): TransportError {
  return new TransportError("SETUP_FAILED", `no UDP socket can be opened: ${why}`, { cause });
}
