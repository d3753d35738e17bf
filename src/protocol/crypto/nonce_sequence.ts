/**
 * The nonces of one session's seals: 16 random bytes of the session, then a counter of 8 bytes.
 *
 * Both sides seal with one key, so a seal of ours opens when it is sent back to us. Its prefix shows
 * that it is ours.
 *
 * @module
 */
import { equalBytes } from "./constant_time.ts";
import type { RandomSource } from "./random_source.ts";
import { NONCE_BYTES } from "./sealing.ts";

const PREFIX_BYTES = 16;

/** Gives each nonce once. */
export class NonceSequence {
  readonly #prefix: Uint8Array<ArrayBuffer>;
  #used = 0n;

  /** Draws the session's prefix. */
  constructor(random: RandomSource) {
    this.#prefix = random(PREFIX_BYTES);
  }

  /** The next nonce: 24 bytes. */
  next(): Uint8Array<ArrayBuffer> {
    const nonce = new Uint8Array(NONCE_BYTES);
    nonce.set(this.#prefix);
    new DataView(nonce.buffer).setBigUint64(PREFIX_BYTES, this.#used++);
    return nonce;
  }

  /** Whether sealed bytes (`nonce || ciphertext`) were sealed by this side of the session. */
  sealed(bytes: Uint8Array): boolean {
    return equalBytes(bytes.subarray(0, PREFIX_BYTES), this.#prefix);
  }
}
