/**
 * Session signaling, schema web_v1 (the wire format, section 5): offers, answers and candidates with
 * each side's ephemeral key, as web clients and full sessions exchange them through a rendezvous.
 *
 * All of it is hostile until parsed: the server relays what it is given, and may make it up. What an
 * SDP or a candidate says is judged later, by the network scope.
 *
 * @module
 */
import type { Tagged } from "../../base/tagged.ts";
import { SignalError } from "../../base/errors.ts";
import { type EphemeralPublicKey, PublicKey } from "../crypto/keys.ts";
import { PublicValue } from "../crypto/public_value.ts";
import type { Commitment } from "../identity/proven_identity.ts";
import { field, isCount, isJsonObject, type JsonObject, stringField } from "../json.ts";
import type { SdpType } from "./bundle.ts";
import { cutDeviceName } from "./device_name.ts";
import { normalizePeerCode } from "./peer_code.ts";

/** Longest SDP that is taken, in UTF-16 units. */
export const MAX_SDP_LENGTH = 65_536;
/** Longest candidate, media id or user name fragment that is taken, in UTF-16 units. */
export const MAX_CANDIDATE_LENGTH = 2_048;

/** Who a signal is from and for. Peer codes route; they prove nothing. */
export interface SignalRoute {
  /** Peer code of the sender, as it claims. */
  readonly from: string;
  /** Peer code of the receiver. */
  readonly to: string;
}

/** An offer or an answer, with the sender's half of the connection's keys. */
export interface WebDescription extends SignalRoute {
  /** Whether it is the offer or the answer. */
  readonly type: SdpType;
  /** The session description; hostile text. */
  readonly sdp: string;
  /** The sender's half of this connection's keys. */
  readonly publicKey: EphemeralPublicKey;
  /** Peer code of the sender, once more. */
  readonly peerCode: string;
  /** What binds the sender to its identity before HELLO; absent from peers that prove none. */
  readonly commitment?: Commitment;
  /** What the sender calls itself, where no server says it (file mode): hostile text. */
  readonly deviceName?: string;
}

/** A candidate that trickles; it may come before the SDP that it belongs to. */
export interface WebCandidate extends Tagged<"ice-candidate">, SignalRoute {
  /** `candidate:...`; empty when there are no more. */
  readonly candidate: string;
  /** The media section's id. */
  readonly sdpMid?: string;
  /** The media section's index. */
  readonly sdpMLineIndex?: number;
  /** The ICE user name fragment that the candidate belongs to. */
  readonly usernameFragment?: string;
}

/** One signal of the schema. */
export type WebSignal = WebDescription | WebCandidate;

function invalid(what: string): SignalError {
  return new SignalError("BUNDLE_INVALID", `the peer's session signal has no valid ${what}`);
}

/**
 * A peer code as its sender spells it.
 *
 * @throws {SignalError} BUNDLE_INVALID when it is none.
 */
export function peerCodeField(object: JsonObject, key: string): string {
  const code = stringField(object, key);
  if (code === undefined || normalizePeerCode(code) === undefined) throw invalid(key);
  return code;
}

/** A text field within a bound. */
function bounded(object: JsonObject, key: string, bound: number): string | undefined {
  const text = stringField(object, key);
  if (text !== undefined && text.length > bound) throw invalid(key);
  return text;
}

/** An optional text field: absent and null are the same, another type is an error. */
function optionalText(object: JsonObject, key: string): string | undefined {
  const value = field(object, key) ?? undefined;
  if (value === undefined) return undefined;
  const text = bounded(object, key, MAX_CANDIDATE_LENGTH);
  if (text === undefined) throw invalid(key);
  return text;
}

function description(type: SdpType, route: SignalRoute, data: JsonObject): WebDescription {
  const inner = field(data, type);
  if (!isJsonObject(inner) || stringField(inner, "type") !== type) throw invalid(type);
  const sdp = bounded(inner, "sdp", MAX_SDP_LENGTH);
  if (sdp === undefined || sdp === "") throw invalid("sdp");
  const publicKey = PublicKey.parse("ephemeral", field(data, "publicKey"));
  if (publicKey === undefined) throw invalid("publicKey");
  const commitment = optionalCommitment(data);
  const deviceName = stringField(data, "deviceName");
  return {
    type,
    ...route,
    sdp,
    publicKey,
    peerCode: peerCodeField(data, "peerCode"),
    ...(deviceName === undefined ? {} : { deviceName: cutDeviceName(deviceName) }),
    ...(commitment === undefined ? {} : { commitment }),
  };
}

/** Absent from published peers; whatever else is there must be a commitment. */
function optionalCommitment(data: JsonObject): Commitment | undefined {
  const value = field(data, "commitment");
  if (value === undefined) return undefined;
  const commitment = PublicValue.parse("commitment", value);
  if (commitment === undefined) throw invalid("commitment");
  return commitment;
}

function candidate(route: SignalRoute, data: JsonObject): WebCandidate {
  const text = bounded(data, "candidate", MAX_CANDIDATE_LENGTH);
  if (text === undefined) throw invalid("candidate");
  const index = field(data, "sdpMLineIndex") ?? undefined;
  if (index !== undefined && !isCount(index)) throw invalid("sdpMLineIndex");
  const sdpMid = optionalText(data, "sdpMid");
  const usernameFragment = optionalText(data, "usernameFragment");
  return {
    type: "ice-candidate",
    ...route,
    candidate: text,
    ...(sdpMid === undefined ? {} : { sdpMid }),
    ...(index === undefined ? {} : { sdpMLineIndex: index }),
    ...(usernameFragment === undefined ? {} : { usernameFragment }),
  };
}

/**
 * Parses the payload of a rendezvous signal. Unknown fields are ignored.
 *
 * @param payload A parsed JSON value.
 * @throws {SignalError} BUNDLE_INVALID for anything that is not one of the schema's three types with
 * all that it needs, within the bounds.
 */
export function parseWebSignal(payload: unknown): WebSignal {
  if (!isJsonObject(payload)) throw invalid("shape");
  const type = stringField(payload, "type");
  if (type !== "offer" && type !== "answer" && type !== "ice-candidate") throw invalid("type");
  const data = field(payload, "data");
  if (!isJsonObject(data)) throw invalid("data");
  const route = { from: peerCodeField(payload, "from"), to: peerCodeField(payload, "to") };
  return type === "ice-candidate" ? candidate(route, data) : description(type, route, data);
}

/** The payload of a signal, ready for JSON, with exactly the wire's names. */
export function encodeWebSignal(signal: WebSignal): JsonObject {
  const { type, from, to } = signal;
  if (signal.type === "ice-candidate") {
    const { type: _type, from: _from, to: _to, ...data } = signal;
    return { type, data, from, to };
  }
  const { sdp, publicKey, peerCode, deviceName, commitment } = signal;
  const data = {
    [type]: { type, sdp },
    publicKey: publicKey.base64,
    peerCode,
    ...(deviceName === undefined ? {} : { deviceName }),
    ...(commitment === undefined ? {} : { commitment: commitment.base64 }),
  };
  return { type, data, from, to };
}
