/**
 * The fast path through the WebRTC library: the same packets, with less work for each.
 *
 * Three layers, each usable without the others, each put over one connection's objects and never
 * over the library's classes:
 *
 * - sockets (`direct_socket.ts`): small receive arrays, sends straight to the handle;
 * - records (`fast_records.ts`): DTLS records sealed and opened in one step;
 * - association (`fast_association.ts`): our own SCTP sender and receiver.
 *
 * A layer that finds the library not built as expected leaves it as it is, and warns.
 *
 * @module
 */
import type { RTCSctpTransport, StunProtocol } from "werift";
import project from "../../../../deno.json" with { type: "json" };
import { messageOf } from "../../../base/errors.ts";
import { logFor } from "../../../log/log.ts";
import { useDirectSocket } from "./direct_socket.ts";
import { FastAssociation } from "./fast_association.ts";
import { FastRecords } from "./fast_records.ts";
import { hasMembers, UnexpectedInside } from "./insides.ts";

/** The only library that the layers were written for. */
const LIBRARY = "npm:werift@0.25.2";

/** Which layers are used, so that each can be measured alone. */
export interface FastPathOptions {
  /** @default {true} */
  readonly sockets?: boolean;
  /** @default {true} */
  readonly records?: boolean;
  /** @default {true} */
  readonly association?: boolean;
  /** Told when a layer is left out although it was asked for. @default A warning in the log. */
  readonly warn?: (message: string) => void;
}

/**
 * Puts the fast path over a connection. To be called when its SCTP transport has its DTLS
 * transport and its receiver, and before its sockets are opened.
 */
export function useFastPath(transport: RTCSctpTransport, options: FastPathOptions = {}): void {
  const { sockets = true, records = true, association = true } = options;
  const warn = options.warn ?? ((message) => logFor("transport").warn(message));
  const dtls = transport.dtlsTransport;
  const { connection } = dtls.iceTransport;
  const layer = (name: string, wanted: boolean, put: () => void): void => {
    if (!wanted) return;
    try {
      if (project.imports.werift !== LIBRARY) throw new UnexpectedInside(project.imports.werift);
      put();
    } catch (error) {
      warn(`going without the fast ${name}: ${messageOf(error)}`);
    }
  };
  layer("sockets", sockets, () =>
    onSocket(connection, (socket) => {
      layer("sockets", true, () => useDirectSocket(socket));
    }));
  layer("records", records, () => new FastRecords(dtls, warn));
  layer("association", association, () => new FastAssociation(transport));
}

/** Calls back for each socket of a connection, once it is open. */
function onSocket(connection: object, opened: (socket: object) => void): void {
  type Insides = { ensureProtocol(protocol: StunProtocol): void };
  if (!hasMembers<Insides>(connection, { ensureProtocol: "function" })) {
    throw new UnexpectedInside("the library's ICE connection");
  }
  const ensureProtocol = connection.ensureProtocol.bind(connection);
  connection.ensureProtocol = (protocol) => {
    ensureProtocol(protocol);
    const connectionMade = protocol.connectionMade;
    if (typeof connectionMade !== "function") return;
    protocol.connectionMade = async (...args) => {
      await connectionMade(...args);
      opened(protocol.transport);
    };
  };
}
