/**
 * Files of links, from bytes to values and back. Pure.
 *
 * Two files have the same form: `links.json` of the data folder, which the daemon writes, and the one
 * that `serve --links` names, which people or scripts write:
 * `{"version":1,"links":[{"name":"bob","identity":"<64 hex>","role":"offerer",
 * "rendezvousUrl":"wss://...","room":"home","session":"1","peerId":"alice","to":"bob"}]}`. The
 * answerer has `expectPeer` in place of `to`; `networkScope`, `phaseTimeoutSecs`, `transport`
 * and `paused` may be absent.
 *
 * @module
 */
import { canBeHeld } from "../protocol/identity/low_order.ts";
import { isJsonObject, type JsonObject, repeatedKey } from "../protocol/json.ts";
import type { NetworkScope } from "../protocol/network_scope/scope.ts";
import type { Role } from "../protocol/signal/bundle.ts";
import { distinctCodes, type PeerCodes } from "../protocol/signal/peer_code.ts";
import { transportChoice } from "../vocabulary/policies.ts";
import {
  CODES_MUST_DIFFER,
  givenName,
  HELD_BY_NOBODY,
  identityKey,
  networkScope,
  peerCode,
  phaseTimeoutSecs,
  rendezvousUrl,
  role,
  roomOrSession,
  SESSION_DEFAULTS,
} from "../vocabulary/session_values.ts";
import type { ValueKind, ValueOf } from "../vocabulary/value_kind.ts";
import { findJsonFault } from "./json_fault.ts";
import { foldName } from "./trust_file.ts";

/** A pairing that is kept: what `pair` was told, the identity that is expected, and a name. */
export interface Link {
  /** What people call it: no other link has the name. */
  readonly name: string;
  /** The identity that the peer must prove, 64 lower-case hex digits: no other link has it. */
  readonly identity: string;
  /** Which side makes the offer. */
  readonly role: Role;
  /** The rendezvous server. */
  readonly rendezvousUrl: string;
  /** Room, the same at both ends. */
  readonly room: string;
  /** Session, the same at both ends. */
  readonly session: string;
  /** Our own code there, and the peer's. */
  readonly codes: PeerCodes;
  /** Which addresses may be used. */
  readonly networkScope: NetworkScope;
  /** How long each phase may take, in seconds. */
  readonly phaseTimeoutSecs: number;
  /** What may carry its sessions; absent: what the daemon's may. */
  readonly transport?: ValueOf<typeof transportChoice>;
  /** Whether it rests until people let it go on. */
  readonly paused: boolean;
}

/** Most links. */
export const MAX_KEPT_LINKS = 64;
/** Longest entry, generously: escapes make a character six bytes. */
export const MAX_LINK_BYTES = 8192;

const COMMON = ["name", "identity", "role", "rendezvousUrl", "room", "session", "peerId"] as const;
const OPTIONAL = ["networkScope", "phaseTimeoutSecs", "transport", "paused"] as const;
/** The member that names the other end, by role. */
export const REMOTE_MEMBER = { offerer: "to", answerer: "expectPeer" } as const;

/** What is wrong with a file, as words that follow its name. */
class Wrong {
  constructor(readonly what: string) {}
}

/**
 * The links in a file's bytes.
 *
 * @returns The links, or what is wrong, as words that follow the file's name: they name the line of
 * text that is no JSON, and else the member.
 */
export function parseLinks(bytes: Uint8Array): readonly Link[] | string {
  try {
    return readLinks(readJson(bytes));
  } catch (error) {
    if (error instanceof Wrong) return error.what;
    throw error;
  }
}

function readJson(bytes: Uint8Array): JsonObject {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Wrong("is not UTF-8");
  }
  const value = parseText(text);
  if (!isJsonObject(value)) throw new Wrong("is not a JSON object");
  // JSON.parse does not report a key that occurs twice; the last one would win silently.
  const twice = repeatedKey(text);
  if (twice !== undefined) throw new Wrong(`has ${JSON.stringify(twice.slice(0, 64))} twice`);
  return value;
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const { line, column } = findJsonFault(text);
    throw new Wrong(`is not JSON, at line ${line}, column ${column}`);
  }
}

function readLinks(value: JsonObject): readonly Link[] {
  checkMembers("", value, ["version", "links"], []);
  if (value["version"] !== 1) throw new Wrong("has an unknown version (1 is known)");
  const { links } = value;
  if (!Array.isArray(links)) throw new Wrong("has links that are no list");
  if (links.length > MAX_KEPT_LINKS) throw new Wrong(`has more than ${MAX_KEPT_LINKS} links`);
  const read: Link[] = [];
  for (const [at, entry] of links.entries()) {
    const link = readLink(`links[${at}]`, entry);
    if (read.some(({ name }) => foldName(name) === foldName(link.name))) {
      throw new Wrong(`has links[${at}].name twice`);
    }
    if (read.some(({ identity }) => identity === link.identity)) {
      throw new Wrong(`has links[${at}].identity twice: a peer has one link`);
    }
    read.push(link);
  }
  return read;
}

function readLink(where: string, entry: unknown): Link {
  if (!isJsonObject(entry)) throw new Wrong(`has ${where} that is no JSON object`);
  const text = <T>(member: string, kind: ValueKind<T>): T => {
    const given = entry[member];
    const read = typeof given === "string" ? kind.parse(given) : undefined;
    if (read !== undefined) return read;
    const what = given === undefined ? "missing: it is" : "wrong: it takes";
    throw new Wrong(`has ${where}.${member} ${what} ${kind.expects}`);
  };
  const side = text("role", role);
  const remoteMember = REMOTE_MEMBER[side];
  checkMembers(`${where}.`, entry, [...COMMON, remoteMember], OPTIONAL);
  const identity = text("identity", identityKey);
  if (!canBeHeld(identity)) throw new Wrong(`has ${where}.identity that ${HELD_BY_NOBODY}`);
  const codes = distinctCodes(text("peerId", peerCode), text(remoteMember, peerCode));
  if (codes === undefined) throw new Wrong(`has ${where}.peerId that ${CODES_MUST_DIFFER}`);
  const { paused = false } = entry;
  if (typeof paused !== "boolean") throw new Wrong(`has ${where}.paused that is not true or false`);
  return {
    name: text("name", givenName),
    identity,
    role: side,
    rendezvousUrl: text("rendezvousUrl", rendezvousUrl),
    room: text("room", roomOrSession),
    session: text("session", roomOrSession),
    codes,
    networkScope: entry["networkScope"] === undefined
      ? SESSION_DEFAULTS.networkScope
      : text("networkScope", networkScope),
    phaseTimeoutSecs: readSeconds(`${where}.phaseTimeoutSecs`, entry["phaseTimeoutSecs"]),
    ...(entry["transport"] === undefined ? {} : { transport: text("transport", transportChoice) }),
    paused,
  };
}

function readSeconds(where: string, value: unknown): number {
  if (value === undefined) return SESSION_DEFAULTS.phaseTimeoutSecs;
  const { min, max, expects } = phaseTimeoutSecs;
  const fits = typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
  if (!fits) throw new Wrong(`has ${where} wrong: it takes ${expects}`);
  return value;
}

/** Names the first member that is missing, or that is not known. */
function checkMembers(
  where: string,
  value: JsonObject,
  required: readonly string[],
  optional: readonly string[],
): void {
  const missing = required.find((member) => !Object.hasOwn(value, member));
  if (missing !== undefined) throw new Wrong(`has no ${where}${missing}`);
  const unknown = Object.keys(value).find((member) =>
    !required.includes(member) && !optional.includes(member)
  );
  if (unknown !== undefined) {
    throw new Wrong(`has ${where}${JSON.stringify(unknown.slice(0, 64))}, which is unknown`);
  }
}

/** The bytes of a file of links. */
export function formatLinks(links: readonly Link[]): Uint8Array {
  const entries = links.map(({ codes, ...link }) => ({
    ...link,
    peerId: codes.self,
    [REMOTE_MEMBER[link.role]]: codes.remote,
  }));
  return new TextEncoder().encode(JSON.stringify({ version: 1, links: entries }) + "\n");
}
