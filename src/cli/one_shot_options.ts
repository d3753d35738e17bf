/**
 * The command line of the one-shot program (Operator Contract, "CLI Flags"). Pure: arguments in,
 * options or a {@linkcode UsageError} out, before any file or network is touched.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { type CommonOptions, type OneShotOptions, ROLES } from "../app/one_shot/options.ts";
import { UsageError } from "../base/errors.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../log/log.ts";
import { NETWORK_SCOPES } from "../protocol/network_scope/scope.ts";
import { normalizePeerCode, type PeerCode } from "../protocol/signal/peer_code.ts";

/** What a run without arguments prints. */
export const USAGE =
  "Usage: bolt-daemon --role offerer|answerer [--signal file|rendezvous] [options]";

const FLAGS = [
  "role",
  "signal",
  "offer",
  "answer",
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
type Given = { readonly [flag in Flag]?: string };

const FILE_FLAGS: readonly Flag[] = ["offer", "answer"];
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
  const given = readFlags(args);
  const role = oneOf(given, "role", ROLES);
  if (role === undefined) throw new UsageError("--role is required: offerer or answerer");
  const signal = oneOf(given, "signal", ["file", "rendezvous"]) ?? "file";
  const offer = given.offer ?? "/tmp/bolt-spike/offer.json";
  const answer = given.answer ?? "/tmp/bolt-spike/answer.json";
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
    phaseTimeoutSecs: seconds(given["phase-timeout-secs"] ?? "30"),
    logFormat: oneOf(given, "log-format", LOG_FORMATS) ?? "text",
    logLevel: oneOf(given, "log-level", LOG_LEVELS) ?? "info",
  };
  const present = (flags: readonly Flag[]) =>
    flags.filter((flag) => given[flag] !== undefined).map((flag) => `--${flag}`);
  if (signal === "file") {
    if (offer === answer && offer !== "-") {
      throw new UsageError("--offer and --answer name the same file: they must differ");
    }
    return { ...common, signal, offer, answer, unused: present(RENDEZVOUS_FLAGS) };
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

/** The flags by name, each at most once and each with a value that is not empty. */
function readFlags(args: readonly string[]): Given {
  const parsed = parseArgs(joinValues(args), { string: FLAGS, collect: FLAGS });
  const given: { [flag in Flag]?: string } = {};
  for (const flag of FLAGS) {
    const values: unknown = parsed[flag];
    if (!Array.isArray(values) || values.length === 0) continue;
    if (values.length > 1) {
      throw new UsageError(`--${flag} is given ${values.length} times, it takes one value`);
    }
    given[flag] = String(values[0]);
  }
  return given;
}

/**
 * Writes `--flag value` as `--flag=value`, so that no parser has to guess whether a word is a value
 * (`-` is one), and refuses what would be guessed wrong.
 */
function joinValues(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    const [flag = "", ...inline] = arg.split("=");
    if (!(FLAGS as readonly string[]).includes(flag.slice(2)) || !flag.startsWith("--")) {
      throw new UsageError(`Unknown argument: ${flag}`);
    }
    let value = inline.join("=");
    if (inline.length === 0) {
      const next = args[++i];
      if (next === undefined) throw new UsageError(`${flag} requires a value`);
      if (/^-(?!\d|$)/.test(next)) {
        throw new UsageError(
          `${flag} requires a value, but ${next} looks like a flag: write ${flag}=${next} to mean it`,
        );
      }
      value = next;
    }
    if (value === "") throw new UsageError(`${flag} requires a value that is not empty`);
    joined.push(`${flag}=${value}`);
  }
  return joined;
}

function oneOf<T extends string>(given: Given, flag: Flag, allowed: readonly T[]): T | undefined {
  const value = given[flag];
  if (value === undefined) return undefined;
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw wrong(flag, value, `one of ${allowed.join(", ")}`);
  return found;
}

function seconds(value: string): number {
  const number = /^\d+$/.test(value) ? Number(value) : 0;
  if (number < 1 || number > MAX_TIMEOUT_SECS) {
    const takes = `a whole number of seconds from 1 to ${MAX_TIMEOUT_SECS}`;
    throw wrong("phase-timeout-secs", value, takes);
  }
  return number;
}

function webSocketUrl(value: string): string {
  const url = URL.parse(value);
  const usable = url !== null && ["ws:", "wss:"].includes(url.protocol) && url.hash === "" &&
    url.hostname !== "" && url.username === "" && url.password === "";
  if (!usable) {
    const takes = "a ws:// or wss:// URL without user name or fragment";
    throw wrong("rendezvous-url", value, takes);
  }
  return url.href;
}

function name(given: Given, flag: "room" | "session"): string | undefined {
  const value = given[flag];
  if (value === undefined) return undefined;
  if (value.length > MAX_NAME_LENGTH || /\p{Cc}/u.test(value)) {
    throw wrong(
      flag,
      value,
      `up to ${MAX_NAME_LENGTH} characters, none of them control characters`,
    );
  }
  return value;
}

function peerCode(given: Given, flag: "to" | "expect-peer" | "peer-id"): PeerCode | undefined {
  const value = given[flag];
  if (value === undefined) return undefined;
  const code = normalizePeerCode(value);
  if (code === undefined) {
    throw wrong(flag, value, "1 to 16 ASCII letters and digits (hyphens are dropped)");
  }
  return code;
}

function wrong(flag: Flag, value: string, takes: string): UsageError {
  const shown = value.length > 80 ? `${value.slice(0, 80)}...` : value;
  return new UsageError(`--${flag} takes ${takes}, not ${JSON.stringify(shown)}`);
}
