/**
 * Sealing: `nonce(24) || NaCl ciphertext`, with a fresh random nonce each time.
 *
 * @module
 */
import nacl from "tweetnacl";
import { equalBytes } from "./constant_time.ts";
import { type EphemeralKeyPair, type EphemeralPublicKey, readSecret, SecretKey } from "./keys.ts";
import type { RandomSource } from "./random_source.ts";

/** Length of a nonce, in bytes. */
export const NONCE_BYTES = 24;
/** What sealing adds to a plaintext: the nonce and a Poly1305 tag, in bytes. */
export const SEAL_OVERHEAD_BYTES: number = NONCE_BYTES + 16;

/** A secret that seals directly: the two halves of a box, or one ratchet message key. */
export type SealingKey = SecretKey<"box"> | SecretKey<"message">;

/** HSalsa20 of zeroes: the box key when a low-order public key makes the shared secret zero. */
const WEAK_BOX_KEY = Uint8Array.fromHex(
  "351f86faa3b988468a850122b65b0acece9c4826806aeee63de9c0da2bd7f91e",
);

/**
 * The box key of two ephemeral halves, computed once for the connection (`nacl.box.before`), or
 * undefined when the peer's half is of low order.
 */
export function boxKey(
  ours: EphemeralKeyPair,
  theirs: EphemeralPublicKey,
): SecretKey<"box"> | undefined {
  const key = new Uint8Array(nacl.box.before(theirs.bytes, readSecret(ours.secretKey)));
  return equalBytes(key, WEAK_BOX_KEY) ? undefined : new SecretKey("box", key);
}

/** Seals bytes. */
export function seal(
  key: SealingKey,
  plaintext: Uint8Array,
  random: RandomSource,
): Uint8Array<ArrayBuffer> {
  return sealWithNonce(key, plaintext, random(NONCE_BYTES));
}

/** Seals bytes under a given nonce. A nonce must never be used twice with one key. */
export function sealWithNonce(
  key: SealingKey,
  plaintext: Uint8Array,
  nonce: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const ciphertext = nacl.secretbox(plaintext, nonce, readSecret(key));
  const sealed = new Uint8Array(NONCE_BYTES + ciphertext.length);
  sealed.set(nonce);
  sealed.set(ciphertext, NONCE_BYTES);
  return sealed;
}

/** The plaintext, or undefined when it is too short or its tag does not fit. */
export function open(
  key: SealingKey,
  sealed: Uint8Array,
): Uint8Array<ArrayBuffer> | undefined {
  if (sealed.length < SEAL_OVERHEAD_BYTES) return undefined;
  const plaintext = nacl.secretbox.open(
    sealed.subarray(NONCE_BYTES),
    sealed.subarray(0, NONCE_BYTES),
    readSecret(key),
  );
  // tweetnacl's type does not say that it allocated the array.
  return plaintext === null ? undefined : plaintext as Uint8Array<ArrayBuffer>;
}
