/**
 * The command line of the one-shot program (Operator Contract, "CLI Flags"). Pure: arguments in,
 * options or a {@linkcode UsageError} out, before any file or network is touched.
 *
 * @module
 */
import {
  type CommonOptions,
  type OneShotOptions,
  ROLES,
  SIGNAL_OWNERS,
} from "../app/one_shot/options.ts";
import { UsageError } from "../base/errors.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../log/log.ts";
import { NETWORK_SCOPES } from "../protocol/network_scope/scope.ts";
import { normalizePeerCode, type PeerCode } from "../protocol/signal/peer_code.ts";
import { shownUrl } from "../base/shown_url.ts";
import { type Given, oneOf, readFlags, wholeNumber, wrongValue } from "./flags.ts";

/** What a run without arguments prints. */
export const USAGE =
  "Usage: bolt-daemon --role offerer|answerer [--signal file|rendezvous] [options]";

const FLAGS = [
  "role",
  "signal",
  "offer",
  "answer",
  "signal-owner",
  "rendezvous-url",
  "room",
  "session",
  "to",
  "expect-peer",
  "peer-id",
  "phase-timeout-secs",
  "network-scope",
  "log-format",
  "log-level",
] as const;
type Flag = typeof FLAGS[number];

const FILE_FLAGS: readonly Flag[] = ["offer", "answer", "signal-owner"];
const RENDEZVOUS_FLAGS: readonly Flag[] = [
  "rendezvous-url",
  "room",
  "session",
  "to",
  "expect-peer",
  "peer-id",
];

/** Longest `--room` and `--session`, in UTF-16 units. */
const MAX_NAME_LENGTH = 256;
/** Seconds whose milliseconds are still exact integers. */
const MAX_TIMEOUT_SECS = Math.floor(Number.MAX_SAFE_INTEGER / 1000);

/**
 * Parses the arguments of the one-shot program.
 *
 * @param args The arguments, at least one.
 * @param makePeerId Makes the default of `--peer-id`.
 * @throws {UsageError} When a flag is unknown, given twice, without its value, or of a wrong value.
 */
export function parseOneShotOptions(
  args: readonly string[],
  makePeerId: () => PeerCode,
): OneShotOptions {
  const given = readFlags(args, FLAGS);
  const role = oneOf(given, "role", ROLES);
  if (role === undefined) throw new UsageError("--role is required: offerer or answerer");
  const signal = oneOf(given, "signal", ["file", "rendezvous"]) ?? "file";
  const offer = given.offer ?? "/tmp/bolt-spike/offer.json";
  const answer = given.answer ?? "/tmp/bolt-spike/answer.json";
  const owner = oneOf(given, "signal-owner", SIGNAL_OWNERS) ?? "any";
  // Values are checked even where they have no effect: a typo is a typo.
  const url = webSocketUrl(given["rendezvous-url"] ?? "ws://127.0.0.1:3001");
  const room = name(given, "room");
  const session = name(given, "session");
  const to = peerCode(given, "to");
  const expectPeer = peerCode(given, "expect-peer");
  const peerId = peerCode(given, "peer-id");
  const common: Omit<CommonOptions, "unused"> = {
    role,
    scope: oneOf(given, "network-scope", NETWORK_SCOPES) ?? "lan",
    phaseTimeoutSecs:
      wholeNumber(given, "phase-timeout-secs", [1, MAX_TIMEOUT_SECS], " of seconds") ?? 30,
    logFormat: oneOf(given, "log-format", LOG_FORMATS) ?? "text",
    logLevel: oneOf(given, "log-level", LOG_LEVELS) ?? "info",
  };
  const present = (flags: readonly Flag[]) =>
    flags.filter((flag) => given[flag] !== undefined).map((flag) => `--${flag}`);
  if (signal === "file") {
    return { ...common, signal, offer, answer, owner, unused: present(RENDEZVOUS_FLAGS) };
  }
  if (room === undefined) throw missing("--signal rendezvous requires --room NAME");
  if (session === undefined) throw missing("--signal rendezvous requires --session NAME");
  const remote = role === "offerer" ? to : expectPeer;
  if (remote === undefined) {
    const flag = role === "offerer" ? "--to" : "--expect-peer";
    throw missing(`--signal rendezvous with --role ${role} requires ${flag} PEER_CODE`);
  }
  const self = peerId ?? makePeerId();
  if (self === remote) {
    throw new UsageError(`--peer-id ${self} is also the other peer's code: they must differ`);
  }
  const unused = present([...FILE_FLAGS, role === "offerer" ? "expect-peer" : "to"]);
  return { ...common, signal, url, room, session, self, remote, unused };
}

const missing = (message: string): UsageError => new UsageError(message);

function webSocketUrl(value: string): string {
  const url = URL.parse(value);
  const usable = url !== null && ["ws:", "wss:"].includes(url.protocol) && url.hash === "" &&
    url.hostname !== "" && url.username === "" && url.password === "";
  if (!usable) {
    const takes = "a ws:// or wss:// URL without user name or fragment";
    throw new UsageError(`--rendezvous-url takes ${takes}; what was given is ${shownUrl(value)}`);
  }
  return url.href;
}

function name(given: Given<Flag>, flag: "room" | "session"): string | undefined {
  const value = given[flag];
  if (value === undefined) return undefined;
  if (value.length > MAX_NAME_LENGTH || /\p{Cc}/u.test(value)) {
    throw wrongValue(
      flag,
      value,
      `up to ${MAX_NAME_LENGTH} characters, none of them control characters`,
    );
  }
  return value;
}

function peerCode(
  given: Given<Flag>,
  flag: "to" | "expect-peer" | "peer-id",
): PeerCode | undefined {
  const value = given[flag];
  if (value === undefined) return undefined;
  const code = normalizePeerCode(value);
  if (code === undefined) {
    throw wrongValue(flag, value, "1 to 16 ASCII letters and digits (hyphens are dropped)");
  }
  return code;
}
