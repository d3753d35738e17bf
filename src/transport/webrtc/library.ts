/**
 * The only view that this folder has of the insides of the WebRTC library.
 *
 * The library's types hide what our workarounds must reach. Each view here names the members that
 * are reached, and {@linkcode insidesOf} proves that they are there before it hands the view out: a
 * library that changed is found when a connection is made, never by an odd failure later.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { Candidate as IceCandidate, RTCIceTransport, StunProtocol } from "werift";
import project from "../../../deno.json" with { type: "json" };
import { TransportError } from "../../base/errors.ts";

/** The version that the workarounds were written against. */
export const LIBRARY = "npm:werift@0.25.2";

/** A host literal and a port, as the library passes them. */
export type LibraryAddress = readonly [string, number];

/** The library's ICE agent. */
export type LibraryConnection = RTCIceTransport["connection"];

/** A candidate pair of the library's ICE agent. */
export type LibraryPair = LibraryConnection["checkList"][number];

/** The insides of an ICE agent. */
export interface ConnectionInsides {
  /** One for each local address. */
  readonly protocols: StunProtocol[];
  /** Checks that came before the peer's description. */
  readonly earlyChecks: unknown[];
  /** The candidate pairs, the best first. */
  readonly checkList: LibraryPair[];
  /** Passwords by user name, of this and earlier generations. */
  userHistory: Record<string, string>;
  /** To be called with each protocol before anything comes in by it. */
  ensureProtocol(protocol: StunProtocol): void;
  /** Pairs a protocol with a candidate of the peer's, if they can be. */
  tryPair(protocol: StunProtocol, candidate: IceCandidate): void;
}

/** Takes a protocol away from an agent, with its pairs. */
export function forgetProtocol(insides: ConnectionInsides, protocol: object): void {
  const { protocols, checkList } = insides;
  const at = protocols.findIndex((known) => known === protocol);
  if (at >= 0) protocols.splice(at, 1);
  for (let i = checkList.length - 1; i >= 0; i--) {
    if (checkList[i]?.protocol === protocol) checkList.splice(i, 1);
  }
}

/** Members of the library's ICE agent that are reached, with the types they must have. */
export const CONNECTION_SHAPE = {
  protocols: "object",
  earlyChecks: "object",
  checkList: "object",
  userHistory: "object",
  ensureProtocol: "function",
  tryPair: "function",
  localUsername: "string",
  localPassword: "string",
} as const;

/** What the library's ICE protocol calls below itself. */
export interface LibraryTransport {
  /** What it is. */
  readonly type: "udp" | "tcp";
  /** Where it is bound. */
  readonly address: { readonly address: string; readonly port: number };
  /** 4 or 6. */
  readonly addressFamily: 4 | 6;
  /** Whether it is closed. */
  readonly closed: boolean;
  /** Sends a datagram. */
  send(data: Uint8Array, address: LibraryAddress): Promise<void>;
  /** Closes it. */
  close(): Promise<void>;
}

/** The ICE protocol on a socket. */
export interface ProtocolInsides {
  /** The socket. */
  transport: LibraryTransport;
  /** Takes what comes in by its socket. */
  datagramReceived(data: Buffer, from: LibraryAddress): void;
}

/** Members of the ICE protocol that are reached. */
export const PROTOCOL_SHAPE = { datagramReceived: "function" } as const;

/**
 * Hands out a view of the insides of a library object.
 *
 * @param shape The members that must be there, with their `typeof`.
 * @throws {TransportError} SETUP_FAILED when the library is not the one expected. There is no way
 * round: without these members a peer can't be verified.
 */
export function insidesOf<T>(object: object, shape: Readonly<Record<string, string>>): T {
  if (project.imports.werift !== LIBRARY) throw unexpected(`${project.imports.werift} is in use`);
  const members = object as Readonly<Record<string, unknown>>;
  const typeOf = (name: string): string => typeof members[name];
  const wrong = Object.entries(shape).find(([name, type]) => typeOf(name) !== type);
  if (wrong !== undefined) throw unexpected(`${wrong[0]} is no ${wrong[1]}`);
  return object as T;
}

function unexpected(what: string): TransportError {
  return new TransportError(
    "SETUP_FAILED",
    `the WebRTC library is not the one this program was written for (${LIBRARY}): ${what}; ` +
      "install the pinned version",
  );
}
