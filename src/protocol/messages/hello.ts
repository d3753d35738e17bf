/**
 * HELLO, the first message in each direction: who the sender is and what it can do.
 *
 * @module
 */
import type { ConnectionBox } from "../crypto/connection_box.ts";
import { fromBase64, fromUtf8, toBase64, toUtf8 } from "../crypto/encoding.ts";
import { type IdentityPublicKey, PublicKey } from "../crypto/keys.ts";
import { ProtocolError } from "../errors.ts";
import { MAX_CAPABILITIES, MAX_CAPABILITY_BYTES } from "./capabilities.ts";
import { field, isCount, parseJsonObject, repeatsKeys, stringField } from "../json.ts";

/** The protocol's version. */
export const PROTOCOL_VERSION = 1;

/** The plaintext of a HELLO. */
export interface Hello {
  /** The sender's identity key. */
  readonly identity: IdentityPublicKey;
  /** What the sender can do; may name what we do not know. */
  readonly capabilities: readonly string[];
  /** Base64 of what the sender's commitment hides, for a peer that committed too. */
  readonly sessionNonce?: string;
}

/** A HELLO as it came, opened; only its identity and capabilities are checked. */
export interface ReceivedHello extends Omit<Hello, "sessionNonce"> {
  /** As it came. */
  readonly sessionNonce: unknown;
  /** Whether a key stands twice in it. */
  readonly repeatsKeys: boolean;
}

/** The bytes of a HELLO, before they are sealed. */
export function encodeHello(hello: Hello): Uint8Array {
  return toUtf8(JSON.stringify({
    type: "hello",
    version: PROTOCOL_VERSION,
    identityPublicKey: hello.identity.base64,
    capabilities: hello.capabilities,
    // JSON leaves out what is undefined.
    sessionNonce: hello.sessionNonce,
  }));
}

/**
 * Parses the opened bytes of a HELLO.
 *
 * @throws {ProtocolError} HELLO_PARSE_ERROR when they are not a JSON object, VERSION_MISMATCH for
 * another version, HELLO_SCHEMA_ERROR for fields that are absent or of the wrong type,
 * PROTOCOL_VIOLATION for too many or too long capabilities.
 */
export function parseHello(plaintext: Uint8Array): ReceivedHello {
  const text = fromUtf8(plaintext);
  const object = text === undefined ? undefined : parseJsonObject(text);
  if (text === undefined || object === undefined) {
    throw new ProtocolError("HELLO_PARSE_ERROR", "the peer's HELLO is not a JSON object");
  }
  const version = field(object, "version");
  if (stringField(object, "type") !== "hello" || !isCount(version)) {
    throw new ProtocolError("HELLO_SCHEMA_ERROR", "the peer's HELLO lacks its type or version");
  }
  if (version !== PROTOCOL_VERSION) {
    throw new ProtocolError(
      "VERSION_MISMATCH",
      `the peer speaks protocol version ${version}, this daemon speaks ${PROTOCOL_VERSION}`,
    );
  }
  const identity = PublicKey.parse("identity", field(object, "identityPublicKey"));
  if (identity === undefined) {
    throw new ProtocolError("HELLO_SCHEMA_ERROR", "the peer's HELLO has no 32-byte identity key");
  }
  return {
    identity,
    capabilities: parseCapabilities(field(object, "capabilities") ?? []),
    sessionNonce: field(object, "sessionNonce"),
    repeatsKeys: repeatsKeys(text),
  };
}

/** The payload of our HELLO's frame. */
export function sealHello(box: ConnectionBox, hello: Hello): string {
  return toBase64(box.seal(encodeHello(hello)));
}

/**
 * Opens the payload of the peer's HELLO.
 *
 * @throws {ProtocolError} HELLO_DECRYPT_FAIL, PROTOCOL_VIOLATION when it is our own, sent back, and
 * the codes of {@linkcode parseHello}.
 */
export function openHello(box: ConnectionBox, payload: string): ReceivedHello {
  const sealed = fromBase64(payload);
  const plaintext = sealed && box.openInPlace(sealed);
  if (plaintext !== undefined) return parseHello(plaintext);
  throw new ProtocolError("HELLO_DECRYPT_FAIL", "the peer's HELLO can't be opened");
}

function parseCapabilities(value: unknown): readonly string[] {
  if (!Array.isArray(value)) {
    throw new ProtocolError("HELLO_SCHEMA_ERROR", "the peer's capabilities are not a list");
  }
  if (value.length > MAX_CAPABILITIES) {
    throw new ProtocolError(
      "PROTOCOL_VIOLATION",
      `the peer lists ${value.length} capabilities, ${MAX_CAPABILITIES} are allowed`,
    );
  }
  return value.map((capability: unknown) => {
    if (typeof capability !== "string") {
      throw new ProtocolError("HELLO_SCHEMA_ERROR", "a capability of the peer is not text");
    }
    if (toUtf8(capability).length > MAX_CAPABILITY_BYTES) {
      throw new ProtocolError(
        "PROTOCOL_VIOLATION",
        `a capability of the peer is longer than ${MAX_CAPABILITY_BYTES} bytes`,
      );
    }
    return capability;
  });
}
