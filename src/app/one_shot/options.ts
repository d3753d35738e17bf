/**
 * The flags of the one-shot program, once, and what they ask of a run. Parsed from the
 * command line by `cli/`.
 *
 * @module
 */
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "../../log/log.ts";
import type { NetworkScope } from "../../protocol/network_scope/scope.ts";
import type { Role } from "../../protocol/signal/bundle.ts";
import type { PeerCodes } from "../../protocol/signal/peer_code.ts";
import type { FlagTable } from "../../vocabulary/flag_table.ts";
import {
  networkScope,
  peerCode,
  phaseTimeoutSecs,
  rendezvousUrl,
  role,
  roomOrSession,
  SESSION_DEFAULTS,
  signalMode,
  type SignalOwner,
  signalOwner,
} from "../../vocabulary/session_values.ts";
import { oneOf, path } from "../../vocabulary/value_kind.ts";

/**
 * The flags of the one-shot program. Values are checked even where they have no effect: a typo is a
 * typo.
 * @internal
 */
export const ONE_SHOT_FLAGS = {
  /** Which side makes the offer. */
  role: { kind: role, required: "--role is required: offerer or answerer" },
  /** How offer and answer travel. */
  signal: { kind: signalMode, default: SESSION_DEFAULTS.signal },
  /** File mode: the offer's path, or `-` for stdin or stdout. */
  offer: { kind: path, default: "/tmp/bolt-spike/offer.json" },
  /** File mode: the answer's path, or `-`. */
  answer: { kind: path, default: "/tmp/bolt-spike/answer.json" },
  /** File mode: whose files are taken. */
  signalOwner: { kind: signalOwner, default: SESSION_DEFAULTS.signalOwner },
  /** Rendezvous mode: the server. */
  rendezvousUrl: { kind: rendezvousUrl, default: "ws://127.0.0.1:3001/" },
  /** Rendezvous mode: the room discriminator. */
  room: { kind: roomOrSession },
  /** Rendezvous mode: the session discriminator. */
  session: { kind: roomOrSession },
  /** Rendezvous mode: the answerer's code, for the offerer. */
  to: { kind: peerCode },
  /** Rendezvous mode: the offerer's code, for the answerer. */
  expectPeer: { kind: peerCode },
  /** Rendezvous mode: our own code. */
  peerId: { kind: peerCode },
  /** Bounds every phase, in seconds. */
  phaseTimeoutSecs: { kind: phaseTimeoutSecs, default: SESSION_DEFAULTS.phaseTimeoutSecs },
  /** Which addresses may be used. */
  networkScope: { kind: networkScope, default: SESSION_DEFAULTS.networkScope },
  /** How a record is spelled on stderr. */
  logFormat: { kind: oneOf(LOG_FORMATS), default: "text" },
  /** The lowest level that is written. */
  logLevel: { kind: oneOf(LOG_LEVELS), default: "info" },
} as const satisfies FlagTable;

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

/** Options of rendezvous mode (`--signal rendezvous`). */
export interface RendezvousOptions extends CommonOptions, PeerCodes {
  /** Told apart by this. */
  readonly signal: "rendezvous";
  /** The server's WebSocket URL. */
  readonly url: string;
  /** Room discriminator. */
  readonly room: string;
  /** Session discriminator. */
  readonly session: string;
}

/** Everything a run needs to know. */
export type OneShotOptions = FileOptions | RendezvousOptions;
