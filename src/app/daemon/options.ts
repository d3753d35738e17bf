/**
 * What the daemon is told to do. Parsed from the command line by `cli/`.
 *
 * @module
 */
import type { LogFormat, LogLevel } from "../../log/log.ts";

/** What happens to an identity that nobody has decided about. */
export const PAIRING_POLICIES = ["ask", "deny", "allow"] as const;
/** See {@linkcode PAIRING_POLICIES}. */
export type PairingPolicy = typeof PAIRING_POLICIES[number];

/** What happens when a received file's name is taken. */
export const COLLISION_POLICIES = ["number", "refuse"] as const;
/** What becomes of the partial file of a transfer that ended early. */
export const PARTIAL_POLICIES = ["remove", "keep"] as const;

/** Options of `bolt-daemon serve`. */
export interface ServeOptions {
  /** The data folder. */
  readonly dataDir: string;
  /** Where received files go; the folder `inbox` in the data folder when absent. */
  readonly inbox?: string;
  /** The local API's socket; in the data folder when absent. */
  readonly socketPath?: string;
  /** Most sessions at once, those being opened too. */
  readonly maxPeers: number;
  /** Most transfers under way at once. */
  readonly maxTransfers: number;
  /** Most MiB that the two bounds above, and all else, may take together. */
  readonly maxMemory: number;
  /** What happens to an unknown identity. */
  readonly pairingPolicy: PairingPolicy;
  /** What happens when a received file's name is taken. */
  readonly onCollision: typeof COLLISION_POLICIES[number];
  /** What becomes of partial files. */
  readonly onInterrupt: typeof PARTIAL_POLICIES[number];
  /** How long a graceful shutdown may take, in seconds. */
  readonly shutdownTimeoutSecs: number;
  /** The name that peers are shown. */
  readonly deviceName: string;
  /** How a record is spelled on stderr. */
  readonly logFormat: LogFormat;
  /** The lowest level that is written. */
  readonly logLevel: LogLevel;
}
