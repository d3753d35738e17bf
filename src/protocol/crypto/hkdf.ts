/**
 * HKDF-SHA256 (RFC 5869) with 32 bytes of output.
 *
 * @module
 */
import { hkdfSync } from "node:crypto";
import { KEY_BYTES } from "./key_bytes.ts";
import { readSecret, SecretKey, type SecretPurpose } from "./keys.ts";

const NO_SALT = new Uint8Array(0);

/**
 * 32 bytes of HKDF-SHA256 output.
 *
 * @param ikm Input keying material.
 * @param info Context that separates the uses; text is taken as UTF-8.
 * @param salt The salt; empty by default.
 */
export function hkdfSha256(
  ikm: Uint8Array,
  info: string | Uint8Array,
  salt: Uint8Array = NO_SALT,
): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hkdfSync("sha256", ikm, salt, info, KEY_BYTES));
}

/**
 * Derives a key from a key.
 *
 * @param purpose What the derived key is for.
 * @param ikm The key to derive from.
 * @param info Context that separates the uses.
 * @param salt A public salt or a key; empty by default.
 */
export function deriveKey<P extends SecretPurpose>(
  purpose: P,
  ikm: SecretKey<SecretPurpose>,
  info: string,
  salt?: Uint8Array | SecretKey<SecretPurpose>,
): SecretKey<P> {
  const saltBytes = salt instanceof SecretKey ? readSecret(salt) : salt;
  return new SecretKey(purpose, hkdfSha256(readSecret(ikm), info, saltBytes));
}
