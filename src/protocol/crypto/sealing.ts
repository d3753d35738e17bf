/**
 * Sealing: `nonce(24) || NaCl ciphertext`, with a fresh random nonce each time.
 *
 * libsodium does it once it is loaded, which the program sees to before a session; until then, and
 * where it can't be loaded, tweetnacl does the same at a third of the speed.
 *
 * @module
 */
import nacl from "tweetnacl";
import { equalBytes } from "./constant_time.ts";
import { type EphemeralKeyPair, type EphemeralPublicKey, readSecret, SecretKey } from "./keys.ts";
import type { RandomSource } from "./random_source.ts";
import { sodium, TAG_BYTES } from "./sodium.ts";

/** Length of a nonce, in bytes. */
export const NONCE_BYTES = 24;
/** What sealing adds to a plaintext: the nonce and a Poly1305 tag, in bytes. */
export const SEAL_OVERHEAD_BYTES: number = NONCE_BYTES + TAG_BYTES;

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
  const sealed = new Uint8Array(SEAL_OVERHEAD_BYTES + plaintext.length);
  sealInto(sealed, key, plaintext, nonce);
  return sealed;
}

/**
 * Seals bytes where they are to stand.
 *
 * @param target Gets the nonce and what is sealed: {@linkcode SEAL_OVERHEAD_BYTES} more than the
 * plaintext. May overlap it.
 */
export function sealInto(
  target: Uint8Array,
  key: SealingKey,
  plaintext: Uint8Array,
  nonce: Uint8Array,
): void {
  const box = target.subarray(NONCE_BYTES);
  const library = sodium();
  if (library !== undefined) library.sealBox(readSecret(key), nonce, plaintext, box);
  else box.set(nacl.secretbox(plaintext, nonce, readSecret(key)));
  target.set(nonce);
}

/** The plaintext, or undefined when it is too short or its tag does not fit. */
export function open(
  key: SealingKey,
  sealed: Uint8Array,
): Uint8Array<ArrayBuffer> | undefined {
  return openInPlace(key, new Uint8Array(sealed));
}

/**
 * Opens bytes where they stand.
 *
 * @param sealed Nonce and ciphertext; overwritten when its tag fits, else untouched.
 * @returns The plaintext, a view of what was sealed; undefined when that is too short or its tag does
 * not fit.
 */
export function openInPlace(
  key: SealingKey,
  sealed: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> | undefined {
  if (sealed.length < SEAL_OVERHEAD_BYTES) return undefined;
  const [nonce, box] = [sealed.subarray(0, NONCE_BYTES), sealed.subarray(NONCE_BYTES)];
  const target = sealed.subarray(SEAL_OVERHEAD_BYTES);
  const library = sodium();
  if (library !== undefined) {
    return library.openBox(readSecret(key), nonce, box, target) ? target : undefined;
  }
  const plaintext = nacl.secretbox.open(box, nonce, readSecret(key));
  if (plaintext === null) return undefined;
  target.set(plaintext);
  return target;
}
