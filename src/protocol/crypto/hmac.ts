/**
 * HMAC-SHA256 (RFC 2104).
 *
 * @module
 */
import { createHmac } from "node:crypto";
import { readSecret, type SecretKey } from "./keys.ts";

/** The 32 bytes of HMAC-SHA256 over a message. */
export function hmacSha256(
  key: SecretKey<"identity-proof">,
  message: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHmac("sha256", readSecret(key)).update(message).digest());
}
