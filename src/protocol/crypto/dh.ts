/**
 * X25519 key agreement (RFC 7748).
 *
 * @module
 */
import { type KeyPairPurpose, type PublicKey, readSecret, SecretKey } from "./keys.ts";
import { x25519 } from "./x25519.ts";

/**
 * The shared secret of a secret key and a public key, or undefined when the public key is of low
 * order, so that the secret would be all zeroes whatever our key is (RFC 7748 section 6.1).
 */
export function diffieHellman(
  secretKey: SecretKey<KeyPairPurpose>,
  publicKey: PublicKey<KeyPairPurpose>,
): SecretKey<"dh-output"> | undefined {
  const shared = x25519(readSecret(secretKey), publicKey.bytes);
  return shared.every((byte) => byte === 0) ? undefined : new SecretKey("dh-output", shared);
}
