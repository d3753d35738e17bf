/**
 * The fast path through the WebRTC library: the same packets, with less work for each.
 *
 * Two layers, each usable without the others, each put over one connection's objects and never
 * over the library's classes:
 *
 * - sockets (`direct_socket.ts`): small receive arrays, sends straight to the handle;
 * - association (`fast_association.ts`): our own SCTP sender and receiver.
 *
 * A layer that finds the library not built as expected leaves it as it is, and warns.
 *
 * @module
 */
import type { Socket } from "node:dgram";
import project from "../../../../deno.json" with { type: "json" };
import { messageOf } from "../../../base/errors.ts";
import { logFor } from "../../../log/log.ts";
import type { FastPath, FastPathTarget } from "../fast_path.ts";
import { LIBRARY } from "../library.ts";
import { useDirectSocket } from "./direct_socket.ts";
import { FastAssociation } from "./fast_association.ts";
import { hasMembers, iceInsides, UnexpectedInside } from "./insides.ts";

/** Which layers are used, so that each can be measured alone. */
export interface FastPathOptions {
  /** Small receive arrays and direct sends. @default {true} */
  readonly sockets?: boolean;
  /** Our own SCTP sender and receiver. @default {true} */
  readonly association?: boolean;
  /** Told when a layer is left out although it was asked for. @default A warning in the log. */
  readonly warn?: (message: string) => void;
}

/** Makes a fast path of the layers that are wanted, to be put over each connection. */
export function createFastPath(options: FastPathOptions = {}): FastPath {
  const { sockets = true, association = true } = options;
  const warn = options.warn ?? ((message) => logFor("transport").warn(message));
  const put = (layer: string, wanted: boolean, over: () => void): void => {
    if (!wanted) return;
    try {
      if (project.imports.werift !== LIBRARY) throw new UnexpectedInside(project.imports.werift);
      over();
    } catch (error) {
      warn(`the fast path's ${layer} is off: ${messageOf(error)}`);
    }
  };
  return (target) => {
    put("sockets", sockets, () => useDirectSockets(target, (use) => put("sockets", true, use)));
    put("association", association, () => new FastAssociation(target));
  };
}

/**
 * Uses direct sockets once the association is up. Not before: the library sets the state in which
 * it takes the answer to an INIT or a cookie only after it has awaited the send, and an answer that
 * is quicker is ignored, for a second.
 */
function useDirectSockets(target: FastPathTarget, later: (use: () => void) => void): void {
  const sockets = socketsOf(target);
  const { connected } = target.sctpTransport.sctp.stateChanged;
  if (!hasMembers(connected, { once: "function" })) {
    throw new UnexpectedInside("the library's SCTP association");
  }
  connected.once(() => later(() => sockets.forEach(useDirectSocket)));
}

/** The UDP sockets of a connection. */
function socketsOf({ connection }: FastPathTarget): Socket[] {
  return iceInsides(connection).protocols.map((protocol) => {
    const isExpected =
      hasMembers<{ transport: { socket: Socket } }>(protocol, { transport: "object" }) &&
      hasMembers(protocol.transport, { socket: "object" });
    if (!isExpected) throw new UnexpectedInside("the library's UDP transport");
    return protocol.transport.socket;
  });
}
