/**
 * STUN messages as far as a gate must read them: class, user name, and message integrity
 * (RFC 8489).
 *
 * @module
 */
import { createHmac, timingSafeEqual } from "node:crypto";

/** A message that is well-formed so far; nothing in it is authentic before the integrity check. */
export interface StunMessage {
  /** What kind of message it is (RFC 8489, section 5). */
  readonly messageClass: "request" | "indication" | "success" | "error";
  /** BINDING is 1. */
  readonly method: number;
  /** USERNAME of the message, if any. */
  readonly username?: string;
  /** Whether its sender says that it controls (RFC 8445, section 7.1.3). */
  readonly isControlling: boolean;
  /** Whether it has USE-CANDIDATE. */
  readonly isNomination: boolean;
  /** Where MESSAGE-INTEGRITY starts, if it has one. */
  readonly integrityAt?: number;
  /** The whole datagram. */
  readonly bytes: Uint8Array;
}

const HEADER_LENGTH = 20;
const MAGIC_COOKIE = 0x2112a442;
const USERNAME = 0x0006;
const MESSAGE_INTEGRITY = 0x0008;
const USE_CANDIDATE = 0x0025;
const FINGERPRINT = 0x8028;
const ICE_CONTROLLING = 0x802a;
const INTEGRITY_LENGTH = 20;
const CLASSES = ["request", "indication", "success", "error"] as const;

/**
 * Reads a message. Undefined when it is malformed, or when an attribute other than FINGERPRINT
 * follows MESSAGE-INTEGRITY: such an attribute is not protected, and the library would obey it.
 */
export function readStun(bytes: Uint8Array): StunMessage | undefined {
  if (bytes.length < HEADER_LENGTH || bytes.length % 4 !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = view.getUint16(0);
  if (type > 0x3fff || view.getUint32(4) !== MAGIC_COOKIE) return undefined;
  if (view.getUint16(2) !== bytes.length - HEADER_LENGTH) return undefined;
  let username: string | undefined;
  let integrityAt: number | undefined;
  const attributes = new Set<number>();
  for (let at = HEADER_LENGTH; at < bytes.length;) {
    const attribute = view.getUint16(at);
    const length = view.getUint16(at + 2);
    const next = at + 4 + length + (4 - length % 4) % 4;
    if (next > bytes.length) return undefined;
    attributes.add(attribute);
    if (integrityAt !== undefined && attribute !== FINGERPRINT) return undefined;
    if (attribute === MESSAGE_INTEGRITY) {
      if (length !== INTEGRITY_LENGTH) return undefined;
      integrityAt = at;
    } else if (attribute === USERNAME) {
      if (username !== undefined) return undefined;
      username = new TextDecoder().decode(bytes.subarray(at + 4, at + 4 + length));
    } else if (attribute === FINGERPRINT && next !== bytes.length) return undefined;
    at = next;
  }
  return {
    messageClass: CLASSES[((type >> 7) & 2) | ((type >> 4) & 1)] ?? "indication",
    method: (type & 0xf) | ((type >> 1) & 0x70) | ((type >> 2) & 0xf80),
    bytes,
    isControlling: attributes.has(ICE_CONTROLLING),
    isNomination: attributes.has(USE_CANDIDATE),
    ...(username === undefined ? {} : { username }),
    ...(integrityAt === undefined ? {} : { integrityAt }),
  };
}

/** The transaction of a message, as text: a random number of 96 bits. */
export function transactionOf({ bytes }: StunMessage): string {
  return bytes.subarray(8, HEADER_LENGTH).toHex();
}

/** Whether the message carries an integrity code made with `key` (short-term credentials). */
export function isAuthentic(message: StunMessage, key: string): boolean {
  const { bytes, integrityAt } = message;
  if (integrityAt === undefined) return false;
  // The code covers a header whose length ends with the MESSAGE-INTEGRITY attribute. A copy: a
  // Buffer's slice() would be a view.
  const covered = new Uint8Array(bytes.subarray(0, integrityAt));
  new DataView(covered.buffer).setUint16(2, integrityAt + 4 + INTEGRITY_LENGTH - HEADER_LENGTH);
  const code = createHmac("sha1", key).update(covered).digest();
  return timingSafeEqual(code, bytes.subarray(integrityAt + 4, integrityAt + 4 + INTEGRITY_LENGTH));
}
