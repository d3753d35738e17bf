/**
 * What a one-shot run is told to do. Parsed from the command line by `cli/`.
 *
 * @module
 */
import type { LogFormat, LogLevel } from "../../log/log.ts";
import type { NetworkScope } from "../../protocol/network_scope/scope.ts";
import type { PeerCode } from "../../protocol/signal/peer_code.ts";
import type { SignalOwner } from "../../signaling/file/signal_owner.ts";

/** Which side makes the offer. */
export const ROLES = ["offerer", "answerer"] as const;
/** A role. */
export type Role = typeof ROLES[number];

/** Whose signal files can be taken. */
export const SIGNAL_OWNERS: readonly SignalOwner[] = ["own", "any"];

/** Options of both signal modes. */
export interface CommonOptions {
  /** Which side makes the offer. */
  readonly role: Role;
  /** Which addresses may be used. */
  readonly scope: NetworkScope;
  /** Bounds every phase, in seconds. */
  readonly phaseTimeoutSecs: number;
  /** How a record is spelled on stderr. */
  readonly logFormat: LogFormat;
  /** The lowest level that is written. */
  readonly logLevel: LogLevel;
  /** Flags that were given and have no effect with this role or mode. */
  readonly unused: readonly string[];
}

/** File mode: the offer and the answer are files, or `-` for stdin and stdout. */
export interface FileOptions extends CommonOptions {
  /** Told apart by this. */
  readonly signal: "file";
  /** Path of the offer. */
  readonly offer: string;
  /** Path of the answer; the run refuses the offer's. */
  readonly answer: string;
  /** Whose files are taken. */
  readonly owner: SignalOwner;
}

/** Rendezvous mode. */
export interface RendezvousOptions extends CommonOptions {
  /** Told apart by this. */
  readonly signal: "rendezvous";
  /** The server's WebSocket URL. */
  readonly url: string;
  /** Room discriminator. */
  readonly room: string;
  /** Session discriminator. */
  readonly session: string;
  /** Our own code. */
  readonly self: PeerCode;
  /** `--to` of the offerer, `--expect-peer` of the answerer. */
  readonly remote: PeerCode;
}

/** Everything a run needs to know. */
export type OneShotOptions = FileOptions | RendezvousOptions;
