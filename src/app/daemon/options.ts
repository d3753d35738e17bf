/**
 * The flags of `bolt-daemon serve`, once: the command line is read by this table, the options' type
 * and `--help` derive from it, and the contract's table is checked against it.
 *
 * @module
 */
import { LOG_FORMATS, LOG_LEVELS } from "../../log/log.ts";
import type { DescribedFlagTable, OptionsOf } from "../../vocabulary/flag_table.ts";
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
  dataDir: {
    about: "The data folder",
    placeholder: "DIR",
    kind: path,
    required: "serve requires --data-dir DIR",
  },
  inbox: {
    about: "Where received files go; the folder `inbox` in the data folder when absent",
    placeholder: "DIR",
    kind: path,
  },
  socketPath: {
    about: "The local API's socket; in the data folder when absent",
    placeholder: "PATH",
    kind: path,
  },
  localApi: {
    about: "How the local API is served; on Windows tcp when absent, else unix",
    kind: localApi,
  },
  links: {
    about: "A file of links for machines that scripts set up; read again at SIGHUP",
    placeholder: "FILE",
    kind: path,
  },
  allowSendFrom: {
    about: "The only folders that files are sent from; every file of this user when there is none",
    placeholder: "DIR",
    kind: path,
    repeats: true,
  },
  allowSignalIn: {
    about: "The only folders that signal files of pairings may be in; any when there is none",
    placeholder: "DIR",
    kind: path,
    repeats: true,
  },
  maxPeers: {
    about: "Most sessions at once, those being opened too",
    placeholder: "NUMBER",
    kind: wholeNumber(1, 1024),
    default: 8,
  },
  maxTransfers: {
    about: "Most transfers under way at once",
    placeholder: "NUMBER",
    kind: wholeNumber(1, 64),
    default: 1,
  },
  maxFileBytes: {
    about: "Most bytes of a file, sent or received, as in 500M or 100G; 10G when absent",
    placeholder: "SIZE",
    kind: byteSize,
    default: 10 * 1024 ** 3,
  },
  rateLimit: {
    about: "Bytes a second of all that is sent, and as many of all that is received, as in 10M; " +
      "as fast as it goes when absent",
    placeholder: "RATE",
    kind: byteRate,
  },
  maxMemory: {
    about: "Most MiB that the two bounds above, and all else, may take together",
    placeholder: "MIB",
    kind: wholeNumber(1, 1_048_576, "MiB"),
    default: 1024,
  },
  pairingPolicy: {
    about: "What happens to an unknown identity",
    kind: pairingPolicy,
    default: "ask",
  },
  unprovenPeers: {
    about: "What happens to a session whose peer proves nothing of its identity",
    kind: unprovenPolicy,
    default: "ask",
  },
  onCollision: {
    about: "What happens when a received file's name is taken",
    kind: collisionPolicy,
    default: "number",
  },
  onInterrupt: {
    about: "What becomes of partial files that can be gone on with",
    kind: interruptPolicy,
    default: "keep",
  },
  transport: { about: "What may carry sessions", kind: transportChoice, default: "auto" },
  extensions: {
    about: "What is said and heard beyond the published protocol",
    placeholder: "LIST",
    kind: extensions,
    default: "all",
  },
  shutdownTimeoutSecs: {
    about: "How long a graceful shutdown may take, in seconds",
    placeholder: "SECS",
    kind: wholeNumber(1, 3600, "seconds"),
    default: 5,
  },
  deviceName: {
    about: "The name that peers are shown",
    placeholder: "NAME",
    kind: deviceName,
    default: "bolt-daemon",
  },
  logFormat: {
    about: "How a record is spelled on stderr",
    kind: oneOf(LOG_FORMATS),
    default: "text",
  },
  logLevel: { about: "The lowest level that is written", kind: oneOf(LOG_LEVELS), default: "info" },
} as const satisfies DescribedFlagTable;

/** Options of `bolt-daemon serve`. */
export type ServeOptions = OptionsOf<typeof SERVE_FLAGS>;
