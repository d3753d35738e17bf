/**
 * What a one-shot run is told to do. Parsed from the command line by `cli/`.
 *
 * @module
 */
import type { LogFormat, LogLevel } from "../../log/log.ts";
import type { NetworkScope } from "../../protocol/network_scope/scope.ts";
import type { PeerCode } from "../../protocol/signal/peer_code.ts";

/** Which side makes the offer. */
export const ROLES = ["offerer", "answerer"] as const;
/** A role. */
export type Role = typeof ROLES[number];

/** Options of both signal modes. */
export interface CommonOptions {
  readonly role: Role;
  readonly scope: NetworkScope;
  /** Bounds every phase, in seconds. */
  readonly phaseTimeoutSecs: number;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
  /** Flags that were given and have no effect with this role or mode. */
  readonly unused: readonly string[];
}

/** File mode: the offer and the answer are files, or `-` for stdin and stdout. */
export interface FileOptions extends CommonOptions {
  readonly signal: "file";
  readonly offer: string;
  readonly answer: string;
}

/** Rendezvous mode. */
export interface RendezvousOptions extends CommonOptions {
  readonly signal: "rendezvous";
  readonly url: string;
  readonly room: string;
  readonly session: string;
  readonly self: PeerCode;
  /** `--to` of the offerer, `--expect-peer` of the answerer. */
  readonly remote: PeerCode;
}

/** Everything a run needs to know. */
export type OneShotOptions = FileOptions | RendezvousOptions;
