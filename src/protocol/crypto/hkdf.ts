/**
 * HKDF-SHA256 (RFC 5869) with 32 bytes of output.
 *
 * One block of output is one HMAC, so the whole is two HMACs: extract, then expand.
 *
 * @module
 */
import { createHmac } from "node:crypto";
import { readSecret, SecretKey, type SecretPurpose } from "./keys.ts";

/** RFC 5869 section 2.2: no salt is a salt of zeroes. */
const NO_SALT = new Uint8Array(32);

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
  const pseudoRandomKey = createHmac("sha256", salt).update(ikm).digest();
  const block = createHmac("sha256", pseudoRandomKey).update(info).update("\x01").digest();
  pseudoRandomKey.fill(0);
  const output = new Uint8Array(block);
  block.fill(0);
  return output;
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
