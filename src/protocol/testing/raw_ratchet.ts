/**
 * The transfer ratchet as an attacker runs it, who may also step out of it. For tests only.
 *
 * @module
 */
import { TransferChain } from "../btr/chain.ts";
import { deriveSessionRoot, deriveTransferRoot, ratchetSessionRoot } from "../btr/key_schedule.ts";
import { diffieHellman } from "../crypto/dh.ts";
import { type EphemeralKeyPair, type EphemeralPublicKey, KeyPair } from "../crypto/keys.ts";
import type { SecretKey } from "../crypto/keys.ts";
import type { RandomSource } from "../crypto/random_source.ts";
import type { RatchetFields } from "../messages/frame.ts";
import type { TransferId } from "../messages/transfer_id.ts";

const RATCHET_KEY = 7;

/** Whose ratchet it is. */
export interface RatchetOwner {
  /** The attacker's keys for the connection. */
  readonly ephemeral: EphemeralKeyPair;
  /** The other side's half. */
  readonly victim: EphemeralPublicKey;
  /** Where nonces come from. */
  readonly random: RandomSource;
}

/** A chunk's bytes as the wire has them, and the envelope's fields beside it. */
export interface RatchetedChunk {
  /** Base64. */
  readonly chunk: string;
  /** To be sent beside the envelope's payload. */
  readonly fields: RatchetFields;
}

/** Seals chunks under the keys of a session's ratchet, in order or out of it. */
export class RawRatchet {
  readonly #owner: RatchetOwner;
  #root: SecretKey<"session-root">;
  #generation = 0;
  #chain: TransferChain | undefined;

  /** Starts where both sides start. */
  constructor(owner: RatchetOwner) {
    this.#owner = owner;
    const shared = diffieHellman(owner.ephemeral.secretKey, owner.victim);
    if (shared === undefined) throw new Error("the test's keys are weak");
    this.#root = deriveSessionRoot(shared);
  }

  /**
   * Seals the next chunk; chunk 0 takes a step.
   *
   * @param ahead How far the generation that is told is off.
   */
  chunk(transferId: string, index: number, plaintext: Uint8Array, ahead = 0): RatchetedChunk {
    const { victim, random } = this.#owner;
    let publicKey: string | undefined;
    if (index === 0 || this.#chain === undefined) {
      const fresh = new KeyPair("ratchet", new Uint8Array(32).fill(RATCHET_KEY));
      const shared = diffieHellman(fresh.secretKey, victim);
      if (shared === undefined) throw new Error("the test's keys are weak");
      this.#root = ratchetSessionRoot(this.#root, shared);
      this.#generation++;
      publicKey = fresh.publicKey.base64;
      const id = transferId as TransferId;
      this.#chain = new TransferChain(id, this.#generation, deriveTransferRoot(this.#root, id));
    }
    const chainIndex = this.#chain.nextIndex;
    const chunk = this.#chain.seal(plaintext, random).toBase64();
    const fields = publicKey === undefined
      ? { chainIndex }
      : { chainIndex, publicKey, generation: this.#generation + ahead };
    return { chunk, fields };
  }
}
