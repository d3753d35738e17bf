/**
 * The two files of the pins, from bytes to values and back. Pure.
 *
 * `trust.json` (the wire format, identity): `{"version":1,"peers":{"<64 hex>":"allow_always"}}`.
 * `peers.json`, ours: `{"version":2,"codes":{"ALICE1":{"identity":"<64 hex>","deviceName":"...",
 * "seenAt":0}},"autoAccept":["<64 hex>"],"proven":["<64 hex>"],"byKey":["<64 hex>"],
 * "names":{"<64 hex>":"bob"},"rules":{"<64 hex>":{"maxSize":1,"names":"*.pdf","minFree":1,
 * "perDay":1}},"taken":{"<64 hex>":{"day":20000,"files":1}}}`. Version 1 had no `proven`; `byKey`,
 * `names`, `rules` and `taken` may be absent. The last two are of identities in `autoAccept`.
 *
 * @module
 */
import { MAX_DEVICE_NAME } from "../protocol/signal/device_name.ts";
import { normalizePeerCode } from "../protocol/signal/peer_code.ts";
import { givenName, identityKey } from "../vocabulary/session_values.ts";
import { type AcceptRule, byteCount, filesPerDay, namePattern } from "../vocabulary/accept_rule.ts";
import { type PinnedDecision, pinnedDecision } from "../vocabulary/policies.ts";
import { isCount, isJsonObject, type JsonObject, repeatsKeys } from "../protocol/json.ts";
import type { DayCount } from "./day_count.ts";
import { hasExactly, parseJson } from "./strict_json.ts";

/** Who was last seen behind a peer code. */
export interface KnownPeer {
  /** Identity key, 64 lower-case hex digits. */
  readonly identity: string;
  /** What the peer called itself: hostile text. */
  readonly deviceName: string;
  /** When, in milliseconds since 1970. */
  readonly seenAt: number;
}

/** What `peers.json` holds. */
export interface KnownPeers {
  /** What is known of each peer, by peer code. */
  readonly codes: ReadonlyMap<string, KnownPeer>;
  /** Identities whose offers need no `accept`, and the rule that a file of theirs must meet. */
  readonly autoAccept: ReadonlyMap<string, AcceptRule>;
  /** Files that were taken by a rule with a bound for the day, by identity. */
  readonly taken: ReadonlyMap<string, DayCount>;
  /** Allowed identities that have proven that they hold their key, and must do so ever after. */
  readonly proven: ReadonlySet<string>;
  /** Identities whose keys people typed: they must prove that they hold them, from the start. */
  readonly byKey: ReadonlySet<string>;
  /** What people call identities, by identity; no name stands twice. */
  readonly names: ReadonlyMap<string, string>;
}

/** When there is no file. */
export const NO_PEERS: KnownPeers = {
  codes: new Map(),
  autoAccept: new Map(),
  taken: new Map(),
  proven: new Set(),
  byKey: new Set(),
  names: new Map(),
};

/** Whether this is an identity key as it is written here. */
export function isIdentity(value: unknown): value is string {
  return typeof value === "string" && identityKey.parse(value) === value;
}

/** Whether this is a peer code without hyphens. */
export function isPeerCode(value: string): boolean {
  return normalizePeerCode(value) === value;
}

function isDecision(value: unknown): value is PinnedDecision {
  return typeof value === "string" && pinnedDecision.parse(value) !== undefined;
}

/** JSON.parse does not report a key that occurs twice; the last one would win silently. */
function namesTwice(bytes: Uint8Array): boolean {
  return repeatsKeys(new TextDecoder().decode(bytes));
}

/**
 * The pins in the bytes of `trust.json`.
 *
 * @returns Decisions by identity, or what is wrong, as words that follow the file's name.
 */
export function parseTrust(bytes: Uint8Array): ReadonlyMap<string, PinnedDecision> | string {
  const value = parseJson(bytes);
  if (!isJsonObject(value)) return "is not a JSON object";
  if (namesTwice(bytes)) return "names an identity or a member twice";
  if (value["version"] !== 1) return "has an unknown version (1 is known)";
  const { peers } = value;
  if (!hasExactly(value, ["version", "peers"]) || !isJsonObject(peers)) {
    return "has members other than version and peers";
  }
  const pins = new Map<string, PinnedDecision>();
  for (const [identity, decision] of Object.entries(peers)) {
    if (!isIdentity(identity) || !isDecision(decision)) return "has an entry that is not a pin";
    pins.set(identity, decision);
  }
  return pins;
}

function toBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value) + "\n");
}

/** The bytes of `trust.json`. */
export function formatTrust(pins: ReadonlyMap<string, PinnedDecision>): Uint8Array {
  return toBytes({ version: 1, peers: Object.fromEntries(pins) });
}

function isKnownPeer(value: unknown): value is KnownPeer {
  return isJsonObject(value) && hasExactly(value, ["identity", "deviceName", "seenAt"]) &&
    isIdentity(value["identity"]) && isCount(value["seenAt"]) &&
    typeof value["deviceName"] === "string" && value["deviceName"].length <= MAX_DEVICE_NAME;
}

/**
 * What the bytes of `peers.json` say.
 *
 * @returns The known peers, or what is wrong, as words that follow the file's name.
 */
export function parsePeers(bytes: Uint8Array): KnownPeers | string {
  const value = parseJson(bytes);
  if (!isJsonObject(value)) return "is not a JSON object";
  if (namesTwice(bytes)) return "names a peer or a member twice";
  const { version } = value;
  if (version !== 1 && version !== 2) return "has an unknown version (1 and 2 are known)";
  const required = ["version", "codes", "autoAccept", ...(version === 1 ? [] : ["proven"])];
  const optional = version === 1 ? [] : ["byKey", "names", "rules", "taken"];
  const { codes, autoAccept, proven = [], byKey = [], names = {}, rules = {}, taken = {} } = value;
  if (
    !hasExactly(value, required, optional) || !isJsonObject(codes) || !Array.isArray(autoAccept) ||
    !Array.isArray(proven) || !Array.isArray(byKey) || !isJsonObject(names) ||
    !isJsonObject(rules) || !isJsonObject(taken)
  ) return `has members other than ${[...required, ...optional].join(", ")}`;
  const known = new Map<string, KnownPeer>();
  for (const [code, peer] of Object.entries(codes)) {
    if (!isPeerCode(code) || !isKnownPeer(peer)) return "has an entry that is not a peer";
    known.set(code, peer);
  }
  if (!autoAccept.every(isIdentity)) return "has an auto-accept that is not an identity";
  if (!proven.every(isIdentity)) return "has a proven peer that is not an identity";
  if (!byKey.every(isIdentity)) return "has a key that was typed and is not an identity";
  const accepted: ReadonlySet<unknown> = new Set(autoAccept);
  const isOfAccepted = (of: JsonObject, isOne: (value: unknown) => boolean) =>
    Object.entries(of).every(([identity, one]) => accepted.has(identity) && isOne(one));
  if (!isOfAccepted(rules, isAcceptRule)) return "has a rule that is none, or of no auto-accept";
  if (!isOfAccepted(taken, isDayCount)) return "has a count that is none, or of no auto-accept";
  const given = parseNames(names);
  if (given === undefined) return "has a name that is none, or that stands twice";
  return {
    codes: known,
    autoAccept: new Map(autoAccept.map((identity) => [identity, ruleIn(rules[identity])])),
    taken: new Map(Object.entries(taken).filter(hasDayCount)),
    proven: new Set(proven),
    byKey: new Set(byKey),
    names: given,
  };
}

const RULE_KINDS = {
  maxSize: byteCount,
  minFree: byteCount,
  perDay: filesPerDay,
  names: namePattern,
} as const;

function isAcceptRule(value: unknown): value is AcceptRule {
  return isJsonObject(value) && hasExactly(value, [], [...Object.keys(RULE_KINDS), "unpack"]) &&
    (value["unpack"] === undefined || typeof value["unpack"] === "boolean") &&
    Object.entries(RULE_KINDS).every(([member, kind]) => {
      const asked = value[member];
      return asked === undefined || kind.parse(String(asked)) === asked;
    });
}

const ruleIn = (value: unknown): AcceptRule => isAcceptRule(value) ? value : {};

function isDayCount(value: unknown): value is DayCount {
  return isJsonObject(value) && hasExactly(value, ["day", "files"]) && isCount(value["day"]) &&
    isCount(value["files"]);
}

const hasDayCount = (entry: [string, unknown]): entry is [string, DayCount] => isDayCount(entry[1]);

function parseNames(names: JsonObject): ReadonlyMap<string, string> | undefined {
  const given = new Map<string, string>();
  const taken = new Set<string>();
  for (const [identity, name] of Object.entries(names)) {
    if (!isIdentity(identity) || typeof name !== "string") return undefined;
    if (givenName.parse(name) !== name || taken.has(foldName(name))) return undefined;
    taken.add(foldName(name));
    given.set(identity, name);
  }
  return given;
}

/** What two names have in common that people would take for one. */
export function foldName(name: string): string {
  return name.toLowerCase();
}

/** The bytes of `peers.json`. */
export function formatPeers(peers: KnownPeers): Uint8Array {
  return toBytes({
    version: 2,
    codes: Object.fromEntries(peers.codes),
    autoAccept: [...peers.autoAccept.keys()],
    proven: [...peers.proven],
    byKey: [...peers.byKey],
    names: Object.fromEntries(peers.names),
    rules: Object.fromEntries(
      [...peers.autoAccept].filter(([, rule]) => Object.keys(rule).length > 0),
    ),
    taken: Object.fromEntries(peers.taken),
  });
}
