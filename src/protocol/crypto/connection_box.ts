/**
 * The box of one connection: its one key, and nonces that show which side sealed.
 *
 * @module
 */
import { ProtocolError } from "../errors.ts";
import type { EphemeralKeyPair, EphemeralPublicKey, SecretKey } from "./keys.ts";
import { NonceSequence } from "./nonce_sequence.ts";
import type { RandomSource } from "./random_source.ts";
import { boxKey, openInPlace, SEAL_OVERHEAD_BYTES, sealInto } from "./sealing.ts";

/** Seals and opens what one connection carries. Disposing of it zeroes the key. */
export class ConnectionBox implements Disposable {
  /** The connection's box key. */
  readonly key: SecretKey<"box">;
  readonly #nonces: NonceSequence;

  /**
   * Agrees on the key, once.
   *
   * @throws {ProtocolError} PROTOCOL_VIOLATION when the peer's half is our own or of low order.
   */
  constructor(ours: EphemeralKeyPair, theirs: EphemeralPublicKey, random: RandomSource) {
    const key = ours.publicKey.equals(theirs) ? undefined : boxKey(ours, theirs);
    if (key === undefined) {
      throw new ProtocolError("PROTOCOL_VIOLATION", "the peer's ephemeral key can't be used");
    }
    this.key = key;
    this.#nonces = new NonceSequence(random);
  }

  /** Seals bytes, into memory of their own. */
  seal(plaintext: Uint8Array): Uint8Array<ArrayBuffer> {
    const sealed = new Uint8Array(SEAL_OVERHEAD_BYTES + plaintext.length);
    sealed.set(plaintext, SEAL_OVERHEAD_BYTES);
    this.sealInPlace(sealed);
    return sealed;
  }

  /** Seals what stands in a memory after its first {@linkcode SEAL_OVERHEAD_BYTES}. */
  sealInPlace(memory: Uint8Array<ArrayBuffer>): void {
    sealInto(memory, this.key, memory.subarray(SEAL_OVERHEAD_BYTES), this.#nonces.next());
  }

  /**
   * Opens bytes where they stand.
   *
   * @returns The plaintext, a view of what came; undefined when it is too short or the seal does not
   * fit.
   * @throws {ProtocolError} PROTOCOL_VIOLATION when we have sealed it, and it was sent back.
   */
  openInPlace(sealed: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | undefined {
    if (this.#nonces.sealed(sealed)) {
      throw new ProtocolError("PROTOCOL_VIOLATION", "the peer sent our own message back");
    }
    return openInPlace(this.key, sealed);
  }

  /** Zeroes the keys it holds. Idempotent. */
  [Symbol.dispose](): void {
    this.key[Symbol.dispose]();
  }
}
