/**
 * The fast path through the WebRTC library: the same packets, with less work for each.
 *
 * Two layers, each usable without the other, each put over one connection's objects and never over
 * the library's classes:
 *
 * - sockets (`direct_socket.ts`): small receive arrays, sends straight to the handle;
 * - records (`fast_records.ts`): DTLS records sealed and opened in one step.
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
import { FastRecords } from "./fast_records.ts";
import { hasMembers, iceInsides, UnexpectedInside } from "./insides.ts";

/** Which layers are used, so that each can be measured alone. */
export interface FastPathOptions {
  /** Small receive arrays and direct sends. @default {true} */
  readonly sockets?: boolean;
  /** DTLS records in one step. @default {true} */
  readonly records?: boolean;
  /** Told when a layer is left out although it was asked for. @default A warning in the log. */
  readonly warn?: (message: string) => void;
}

/** Makes a fast path of the layers that are wanted, to be put over each connection. */
export function createFastPath(options: FastPathOptions = {}): FastPath {
  const { sockets = true, records = true } = options;
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
    put("sockets", sockets, () => socketsOf(target).forEach(useDirectSocket));
    put("records", records, () => new FastRecords(target, warn));
  };
}

/** The UDP sockets of a connection. */
function socketsOf({ iceTransports: [{ connection }] }: FastPathTarget): Socket[] {
  return iceInsides(connection).protocols.map((protocol) => {
    const isExpected =
      hasMembers<{ transport: { socket: Socket } }>(protocol, { transport: "object" }) &&
      hasMembers(protocol.transport, { socket: "object" });
    if (!isExpected) throw new UnexpectedInside("the library's UDP transport");
    return protocol.transport.socket;
  });
}
