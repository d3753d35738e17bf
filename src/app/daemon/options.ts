/**
 * The flags of `bolt-daemon serve`, once: the command line is read by this table, the options' type
 * derives from it, and the contract's table is checked against it.
 *
 * @module
 */
import { LOG_FORMATS, LOG_LEVELS } from "../../log/log.ts";
import type { FlagTable, OptionsOf } from "../../vocabulary/flag_table.ts";
import { byteSize } from "../../vocabulary/accept_rule.ts";
import { extensions } from "../../vocabulary/extensions.ts";
import {
  collisionPolicy,
  interruptPolicy,
  localApi,
  pairingPolicy,
  transportChoice,
  unprovenPolicy,
} from "../../vocabulary/policies.ts";
import { byteRate } from "../../vocabulary/transfer_values.ts";
import { oneOf, path, textThat, wholeNumber } from "../../vocabulary/value_kind.ts";

/** Longest device name, in bytes of UTF-8: the rendezvous server's limit. */
const MAX_DEVICE_NAME_BYTES = 256;

const deviceName = textThat(
  `up to ${MAX_DEVICE_NAME_BYTES} bytes, none of them control characters`,
  (text) =>
    new TextEncoder().encode(text).length <= MAX_DEVICE_NAME_BYTES &&
    !/[\p{Cc}\p{Cf}]/u.test(text),
);

/**
 * The flags of `serve`.
 * @internal
 */
export const SERVE_FLAGS = {
  /** The data folder. */
  dataDir: { kind: path, required: "serve requires --data-dir DIR" },
  /** Where received files go; the folder `inbox` in the data folder when absent. */
  inbox: { kind: path },
  /** The local API's socket; in the data folder when absent. */
  socketPath: { kind: path },
  /** How the local API is served; on Windows `tcp` when absent, else `unix`. */
  localApi: { kind: localApi },
  /** A file of links for machines that scripts set up; read again at SIGHUP. */
  links: { kind: path },
  /** The only folders that files are sent from; every file of this user when there is none. */
  allowSendFrom: { kind: path, repeats: true },
  /** The only folders that signal files of pairings may be in; any when there is none. */
  allowSignalIn: { kind: path, repeats: true },
  /** Most sessions at once, those being opened too. */
  maxPeers: { kind: wholeNumber(1, 1024), default: 8 },
  /** Most transfers under way at once. */
  maxTransfers: { kind: wholeNumber(1, 64), default: 1 },
  /** Most bytes of a file, sent or received. */
  maxFileBytes: { kind: byteSize, default: 10 * 1024 ** 3 },
  /** Bytes a second of all files that are sent, and as many of those received; none: any. */
  rateLimit: { kind: byteRate },
  /** Most MiB that the two bounds above, and all else, may take together. */
  maxMemory: { kind: wholeNumber(1, 1_048_576, "MiB"), default: 1024 },
  /** What happens to an unknown identity. */
  pairingPolicy: { kind: pairingPolicy, default: "ask" },
  /** What happens to a session whose peer proves nothing of its identity. */
  unprovenPeers: { kind: unprovenPolicy, default: "ask" },
  /** What happens when a received file's name is taken. */
  onCollision: { kind: collisionPolicy, default: "number" },
  /** What becomes of partial files that can be gone on with. */
  onInterrupt: { kind: interruptPolicy, default: "keep" },
  /** What may carry sessions. */
  transport: { kind: transportChoice, default: "auto" },
  /** What is said and heard beyond the published protocol. */
  extensions: { kind: extensions, default: "all" },
  /** How long a graceful shutdown may take, in seconds. */
  shutdownTimeoutSecs: { kind: wholeNumber(1, 3600, "seconds"), default: 5 },
  /** The name that peers are shown. */
  deviceName: { kind: deviceName, default: "bolt-daemon" },
  /** How a record is spelled on stderr. */
  logFormat: { kind: oneOf(LOG_FORMATS), default: "text" },
  /** The lowest level that is written. */
  logLevel: { kind: oneOf(LOG_LEVELS), default: "info" },
} as const satisfies FlagTable;

/** Options of `bolt-daemon serve`. */
export type ServeOptions = OptionsOf<typeof SERVE_FLAGS>;
