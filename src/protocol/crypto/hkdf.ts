/**
 * HKDF-SHA256 (RFC 5869) with 32 bytes of output.
 *
 * One block of output is one HMAC, so the whole is two HMACs: extract, then expand.
 *
 * @module
 */
import { createHmac } from "node:crypto";
import { readSecret, SecretKey, type SecretPurpose } from "./keys.ts";

const NO_SALT = new Uint8Array(32);

/**
 * Derives a key.
 *
 * @param purpose What the derived key is for.
 * @param ikm Input keying material.
 * @param info UTF-8 context that separates the uses.
 * @param salt A secret or public salt; absent is the empty salt, which RFC 5869 equates with zeroes.
 */
export function deriveKey<P extends SecretPurpose>(
  purpose: P,
  ikm: SecretKey<SecretPurpose>,
  info: string,
  salt: Uint8Array | SecretKey<SecretPurpose> = NO_SALT,
): SecretKey<P> {
  const saltBytes = salt instanceof SecretKey ? readSecret(salt) : salt;
  const pseudoRandom = createHmac("sha256", saltBytes).update(readSecret(ikm)).digest();
  const output = createHmac("sha256", pseudoRandom).update(info).update("\x01").digest();
  pseudoRandom.fill(0);
  const bytes = new Uint8Array(output);
  output.fill(0);
  return new SecretKey(purpose, bytes);
}
