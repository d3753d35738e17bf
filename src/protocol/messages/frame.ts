/**
 * Frames: what is on the channel itself, around the sealed parts.
 *
 * Before HELLO is complete a frame is a HELLO or an error, afterwards a profile envelope; terminal
 * errors about envelopes stay in plaintext (the wire format, section 6).
 *
 * @module
 */
import type { Tagged } from "../../base/tagged.ts";
import { fromUtf8 } from "../crypto/encoding.ts";
import type { WireErrorCode } from "../errors.ts";
import { field, type JsonObject, parseJsonObject, repeatsKeys, stringField } from "../json.ts";

/** The version of the profile envelope. */
export const ENVELOPE_VERSION = 1;

/** Largest frame that is read or written, in bytes: what every implementation's channel takes. */
export const MAX_FRAME_BYTES = 262_144;

/**
 * The ratchet's fields of an envelope as they came, unchecked: they belong to the chunk inside and
 * are judged with it.
 */
export interface RawRatchetFields {
  /** `chain_index`. */
  readonly chainIndex: unknown;
  /** `ratchet_public_key`. */
  readonly publicKey: unknown;
  /** `ratchet_generation`. */
  readonly generation: unknown;
}

/** The ratchet's fields of an envelope that we send. */
export interface RatchetFields {
  /** The chunk's place in its chain, from 0. */
  readonly chainIndex: number;
  /** On chunk 0 only: the sender's fresh ratchet key, base64. */
  readonly publicKey?: string;
  /** On chunk 0 only: the number of DH steps in the session so far. */
  readonly generation?: number;
}

/** A HELLO's frame. */
export interface HelloFrame extends Tagged<"hello"> {
  /** Base64 of the sealed HELLO, as it came. */
  readonly payload: string;
  /** What shows that the sender holds its identity key, as it came; absent in the published frame. */
  readonly identityProof: unknown;
  /** Whether a key stands twice in it. */
  readonly repeatsKeys: boolean;
}

/** An envelope of the published encoding; what is sealed in it is not yet opened. */
export interface EnvelopeFrame {
  /** Tag of the union. */
  readonly type: "envelope";
  /** Base64 of the sealed message, as it came. */
  readonly payload: string;
  /** What stands beside it. */
  readonly ratchet: RawRatchetFields;
}

/** A frame that is no envelope as it must be. */
export type PlainFrame =
  | HelloFrame
  | { readonly type: "bad-envelope" }
  | { readonly type: "error"; readonly code: unknown; readonly message: unknown }
  | { readonly type: "other" }
  | { readonly type: "unreadable" };

/** A frame whose outer shape is known. */
export type Frame = PlainFrame | EnvelopeFrame;

/**
 * Reads a frame's outer shape. Never throws: what it is not, it says, and the session knows which
 * code that is in its state.
 *
 * @param message Text, or bytes that should hold UTF-8.
 */
export function parseFrame(message: string | Uint8Array): Frame {
  // A string has at most as many UTF-16 units as UTF-8 bytes.
  if (message.length > MAX_FRAME_BYTES) return { type: "unreadable" };
  const text = typeof message === "string" ? message : fromUtf8(message);
  const object = text === undefined ? undefined : parseJsonObject(text);
  if (object === undefined) return { type: "unreadable" };
  switch (stringField(object, "type")) {
    case "profile-envelope":
      return parseEnvelope(object);
    case "hello": {
      const payload = stringField(object, "payload");
      if (payload === undefined || text === undefined) return { type: "unreadable" };
      const identityProof = field(object, "identityProof");
      return { type: "hello", payload, identityProof, repeatsKeys: repeatsKeys(text) };
    }
    case "error":
      return { type: "error", code: field(object, "code"), message: field(object, "message") };
    default:
      return { type: "other" };
  }
}

function parseEnvelope(object: JsonObject): Frame {
  const payload = stringField(object, "payload");
  if (
    payload === undefined || field(object, "version") !== ENVELOPE_VERSION ||
    field(object, "encoding") !== "base64"
  ) {
    return { type: "bad-envelope" };
  }
  const ratchet = {
    chainIndex: field(object, "chain_index"),
    publicKey: field(object, "ratchet_public_key"),
    generation: field(object, "ratchet_generation"),
  };
  return { type: "envelope", payload, ratchet };
}

/** The frame of a sealed HELLO; all is base64. Without a proof it is the published frame. */
export function encodeHelloFrame(payload: string, identityProof?: string): string {
  // JSON leaves out what is undefined.
  return JSON.stringify({ type: "hello", payload, identityProof });
}

/** The frame of a sealed inner message. `payload` is base64. */
export function encodeEnvelope(payload: string, ratchet?: RatchetFields): string {
  return JSON.stringify({
    type: "profile-envelope",
    version: ENVELOPE_VERSION,
    encoding: "base64",
    payload,
    // JSON leaves out what is undefined.
    chain_index: ratchet?.chainIndex,
    ratchet_public_key: ratchet?.publicKey,
    ratchet_generation: ratchet?.generation,
  });
}

/** The frame of a plaintext error. */
export function encodeErrorFrame(code: WireErrorCode, message: string): string {
  return JSON.stringify({ type: "error", code, message });
}
