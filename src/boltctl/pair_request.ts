/**
 * What `boltctl pair` asks the daemon for. Pure.
 *
 * @module
 */
import { UsageError } from "../base/errors.ts";
import type { LinkRequest, PairRequest } from "../ipc/api/schemas.ts";
import type { Role } from "../protocol/signal/bundle.ts";
import { distinctCodes, type PeerCode } from "../protocol/signal/peer_code.ts";
import { transportChoice } from "../vocabulary/policies.ts";
import {
  CODE_MUST_STAY,
  CODES_MUST_DIFFER,
  identityKey,
  NEEDS_WEB_OFFERER,
  networkScope,
  NOT_KEPT_WITH_WEB,
  NOT_WITH_WEB,
  peerCode,
  phaseTimeoutSecs,
  rendezvousUrl,
  role as roleKind,
  roomOrSession,
  SESSION_DEFAULTS,
  signalMode,
  signalOwner,
  UDP_WITH_WEB,
  webConsent,
} from "../vocabulary/session_values.ts";
import { path, type ValueKind } from "../vocabulary/value_kind.ts";
import type { FlagValues } from "./flag_values.ts";

const PATH_FLAGS = ["offer", "answer"] as const;
const FILE_FLAGS = [...PATH_FLAGS, "signal-owner"] as const;
/** Where the two meet at a rendezvous server, and who they are there. */
const MEETING_FLAGS = [
  "rendezvous-url",
  "room",
  "session",
  "to",
  "expect-peer",
  "peer-id",
] as const;
const ATTEMPT_FLAGS = ["network-scope", "phase-timeout-secs", "transport"] as const;
const RENDEZVOUS_FLAGS = [...MEETING_FLAGS, "web", "web-consent", "keep"] as const;
const LINK_FLAGS = ["role", "identity", "trust", ...MEETING_FLAGS, ...ATTEMPT_FLAGS] as const;
const SESSION_FLAGS = [
  "signal",
  ...ATTEMPT_FLAGS,
  "no-wait",
  "identity",
  ...FILE_FLAGS,
  ...RENDEZVOUS_FLAGS,
] as const;

/** What is said of a flag for the answer to a question, where none is asked. */
const NOT_ASKED =
  "does not go with --identity: nobody is asked then (boltctl trust PEER --auto-accept on)";

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
  const role = flags.value("role", roleKind);
  if (flags.has("deny")) refuse(flags, ["accept-files"], "is for a peer that is let in");
  if (flags.has("identity")) refuse(flags, ["accept-files"], NOT_ASKED);
  if (role === undefined) {
    refuse(flags, SESSION_FLAGS, "needs --role: it says how a session is opened");
    return undefined;
  }
  refuse(flags, ["deny", "pairing"], "answers a request that waits: leave --role out");
  const scope = flags.value("network-scope", networkScope);
  const phase = flags.value("phase-timeout-secs", phaseTimeoutSecs);
  const transport = flags.value("transport", transportChoice);
  const expected = flags.value("identity", identityKey);
  const common = {
    ...(expected === undefined ? {} : { expectIdentity: expected }),
    ...(scope === undefined ? {} : { networkScope: scope }),
    ...(phase === undefined ? {} : { phaseTimeoutSecs: phase }),
    ...(transport === undefined ? {} : { transport }),
  };
  if ((flags.value("signal", signalMode) ?? SESSION_DEFAULTS.signal) === "file") {
    refuse(flags, RENDEZVOUS_FLAGS, "needs --signal rendezvous");
    const [offer, answer] = PATH_FLAGS.map((name) => absolutePath(signalPath(flags, name)));
    const owner = flags.value("signal-owner", signalOwner);
    return {
      ...{ role, signal: "file", offer: offer ?? "", answer: answer ?? "" },
      ...(owner === undefined ? {} : { signalOwner: owner }),
      ...common,
    };
  }
  refuse(flags, FILE_FLAGS, "needs --signal file");
  if (flags.has("web")) {
    refuse(flags, ["identity"], NOT_WITH_WEB);
    refuse(flags, ["keep"], NOT_KEPT_WITH_WEB);
    refuse(flags, ["transport"], UDP_WITH_WEB);
  }
  if (!flags.has("web") || role !== "offerer") refuse(flags, ["web-consent"], NEEDS_WEB_OFFERER);
  const consent = flags.value("web-consent", webConsent);
  const peerId = flags.value("peer-id", peerCode);
  if (flags.has("keep") && peerId === undefined) {
    throw new UsageError(`--keep needs --peer-id CODE: ${CODE_MUST_STAY}`);
  }
  const meeting = {
    signal: "rendezvous",
    ...serverOf(flags),
    ...(peerId === undefined ? {} : { peerId }),
    ...(flags.has("web") ? { web: true } : {}),
    ...(flags.has("keep") ? { keep: true } : {}),
    ...common,
  } as const;
  const side = sideOf(flags, role);
  if (side.role === "answerer") return { ...meeting, ...side };
  return { ...meeting, ...side, ...(consent === undefined ? {} : { webConsent: consent }) };
}

/**
 * The link that the flags describe.
 *
 * @throws {UsageError} When a flag is missing, has no meaning here, or can't be right.
 */
export function readLinkRequest(flags: FlagValues, name: string): LinkRequest {
  const scope = flags.value("network-scope", networkScope);
  const phase = flags.value("phase-timeout-secs", phaseTimeoutSecs);
  const transport = flags.value("transport", transportChoice);
  return {
    name,
    identity: required(flags, "identity", identityKey, "KEY"),
    ...serverOf(flags),
    peerId: required(flags, "peer-id", peerCode, "CODE"),
    ...(scope === undefined ? {} : { networkScope: scope }),
    ...(phase === undefined ? {} : { phaseTimeoutSecs: phase }),
    ...(transport === undefined ? {} : { transport }),
    ...sideOf(flags, required(flags, "role", roleKind, "ROLE")),
  };
}

/**
 * Refuses what only a new link is described with.
 *
 * @throws {UsageError} When such a flag is given.
 */
export function refuseLinkFlags(flags: FlagValues, why: string): void {
  refuse(flags, LINK_FLAGS, why);
}

function serverOf(flags: FlagValues): Pick<LinkRequest, "rendezvousUrl" | "room" | "session"> {
  return {
    rendezvousUrl: required(flags, "rendezvous-url", rendezvousUrl, "URL"),
    room: required(flags, "room", roomOrSession, "NAME"),
    session: required(flags, "session", roomOrSession, "NAME"),
  };
}

/** The role, with the peer's code under the name that goes with it. */
function sideOf(
  flags: FlagValues,
  role: Role,
):
  | { readonly role: "offerer"; readonly to: PeerCode }
  | { readonly role: "answerer"; readonly expectPeer: PeerCode } {
  if (role === "offerer") {
    refuse(flags, ["expect-peer"], "is the answerer's flag; the offerer's is --to");
    return { role, to: remoteCode(flags, "to") };
  }
  refuse(flags, ["to"], "is the offerer's flag; the answerer's is --expect-peer");
  return { role, expectPeer: remoteCode(flags, "expect-peer") };
}

function refuse(flags: FlagValues, names: readonly string[], why: string): void {
  const given = names.find((name) => flags.has(name));
  if (given !== undefined) throw new UsageError(`--${given} ${why}`);
}

function required<T>(
  flags: FlagValues,
  name: string,
  kind: ValueKind<T>,
  placeholder: string,
): T {
  const value = flags.value(name, kind);
  if (value === undefined) throw new UsageError(`--${name} ${placeholder} is missing`);
  return value;
}

/** The daemon opens the files, and has no terminal. */
function signalPath(flags: FlagValues, name: string): string {
  const given = required(flags, name, path, "PATH");
  if (given !== "-") return given;
  throw new UsageError(
    `--${name} takes the path of a file, not standard input or output (./- is a file of that name)`,
  );
}

/** The peer's code; our own, where it is given, must be another. */
function remoteCode(flags: FlagValues, name: "to" | "expect-peer"): PeerCode {
  const remote = required(flags, name, peerCode, "CODE");
  const self = flags.value("peer-id", peerCode);
  if (self === undefined || distinctCodes(self, remote) !== undefined) return remote;
  throw new UsageError(`--peer-id ${remote} ${CODES_MUST_DIFFER}`);
}
