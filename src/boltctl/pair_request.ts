/**
 * What `boltctl pair` asks the daemon for. Pure.
 *
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { NETWORK_SCOPES } from "../protocol/network_scope/scope.ts";
import { normalizePeerCode } from "../protocol/signal/peer_code.ts";
import type { PairRequest } from "../ipc/schemas.ts";
import type { FlagValues } from "./flag_values.ts";

const PATH_FLAGS = ["offer", "answer"] as const;
const FILE_FLAGS = [...PATH_FLAGS, "signal-owner"] as const;
const RENDEZVOUS_FLAGS = [
  "rendezvous-url",
  "room",
  "session",
  "to",
  "expect-peer",
  "peer-id",
  "web",
] as const;
const SESSION_FLAGS = [
  "signal",
  "network-scope",
  "phase-timeout-secs",
  "no-wait",
  ...FILE_FLAGS,
  ...RENDEZVOUS_FLAGS,
] as const;

/**
 * The request that the flags describe; undefined without `--role`: then a request is answered.
 *
 * @param absolutePath Makes a path absolute.
 * @throws {UsageError} When a flag is missing, has no meaning here, or can't be right.
 */
export function readPairRequest(
  flags: FlagValues,
  absolutePath: (path: string) => string,
): PairRequest | undefined {
  const role = flags.choice("role", ["offerer", "answerer"]);
  if (role === undefined) {
    refuse(flags, SESSION_FLAGS, "needs --role: it says how a session is opened");
    return undefined;
  }
  refuse(flags, ["deny", "pairing"], "answers a request that waits: leave --role out");
  const scope = flags.choice("network-scope", NETWORK_SCOPES);
  const phase = flags.integer("phase-timeout-secs");
  const common = {
    ...(scope === undefined ? {} : { networkScope: scope }),
    ...(phase === undefined ? {} : { phaseTimeoutSecs: phase }),
  };
  if ((flags.choice("signal", ["file", "rendezvous"]) ?? "file") === "file") {
    refuse(flags, RENDEZVOUS_FLAGS, "needs --signal rendezvous");
    const [offer, answer] = PATH_FLAGS.map((name) => absolutePath(required(flags, name, "PATH")));
    const owner = flags.choice("signal-owner", ["own", "any"]);
    return {
      ...{ role, signal: "file", offer: offer ?? "", answer: answer ?? "" },
      ...(owner === undefined ? {} : { signalOwner: owner }),
      ...common,
    };
  }
  refuse(flags, FILE_FLAGS, "needs --signal file");
  const peerId = flags.has("peer-id") ? peerCode(flags, "peer-id") : undefined;
  const rendezvous = {
    signal: "rendezvous",
    rendezvousUrl: rendezvousUrl(required(flags, "rendezvous-url", "URL")),
    room: required(flags, "room", "NAME"),
    session: required(flags, "session", "NAME"),
    ...(peerId === undefined ? {} : { peerId }),
    ...(flags.has("web") ? { web: true } : {}),
    ...common,
  } as const;
  if (role === "offerer") {
    refuse(flags, ["expect-peer"], "is the answerer's flag; the offerer's is --to");
    return { role, to: peerCode(flags, "to"), ...rendezvous };
  }
  refuse(flags, ["to"], "is the offerer's flag; the answerer's is --expect-peer");
  return { role, expectPeer: peerCode(flags, "expect-peer"), ...rendezvous };
}

/**
 * A `ws:` or `wss:` URL as it is written in full.
 *
 * @throws {UsageError} When it is something else.
 */
export function rendezvousUrl(text: string): string {
  const url = URL.parse(text);
  const usable = url !== null && ["ws:", "wss:"].includes(url.protocol) && url.hash === "" &&
    url.username === "" && url.password === "";
  if (usable) return url.href;
  throw new UsageError("--rendezvous-url takes a ws:// or wss:// URL without user or fragment");
}

function refuse(flags: FlagValues, names: readonly string[], why: string): void {
  const given = names.find((name) => flags.has(name));
  if (given !== undefined) throw new UsageError(`--${given} ${why}`);
}

function required(flags: FlagValues, name: string, takes: string): string {
  const value = flags.text(name);
  if (value === undefined) throw new UsageError(`--${name} ${takes} is missing`);
  return value;
}

function peerCode(flags: FlagValues, name: "to" | "expect-peer" | "peer-id"): string {
  const code = normalizePeerCode(required(flags, name, "CODE"));
  if (code !== undefined) return code;
  throw new UsageError(`--${name} takes a peer code: 1 to 16 ASCII letters and digits`);
}
