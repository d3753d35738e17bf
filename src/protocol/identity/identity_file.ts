/**
 * The bytes of the identity file: public key (32) then secret key (32), raw.
 *
 * Reading and writing the file, and its modes, is the daemon's; here is what its bytes mean.
 *
 * @module
 */
import { KEY_BYTES } from "../crypto/key_bytes.ts";
import { KeyPair, PublicKey, readSecret } from "../crypto/keys.ts";
import type { IdentityKeyPair } from "../crypto/keys.ts";

/** Length of the file, in bytes. */
export const IDENTITY_FILE_BYTES = 2 * KEY_BYTES;

/**
 * The keypair of the file's bytes, or undefined when the length is wrong or the public half is not
 * that of the secret half. The bytes that were passed stay the caller's to zero.
 */
export function parseIdentityFile(bytes: Uint8Array): IdentityKeyPair | undefined {
  if (bytes.length !== IDENTITY_FILE_BYTES) return undefined;
  const pair = new KeyPair("identity", new Uint8Array(bytes.subarray(KEY_BYTES)));
  if (pair.publicKey.equals(new PublicKey("identity", bytes.subarray(0, KEY_BYTES)))) return pair;
  pair[Symbol.dispose]();
  return undefined;
}

/** The file's bytes of a keypair. They hold the secret: write them, then zero them. */
export function encodeIdentityFile(pair: IdentityKeyPair): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(IDENTITY_FILE_BYTES);
  bytes.set(pair.publicKey.bytes);
  bytes.set(readSecret(pair.secretKey), KEY_BYTES);
  return bytes;
}
