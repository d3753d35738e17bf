/**
 * A transfer's chain: one key a chunk, strictly in order, each zeroed as soon as it was used.
 *
 * @module
 */
import type { SecretKey } from "../crypto/keys.ts";
import type { RandomSource } from "../crypto/random_source.ts";
import { NONCE_BYTES, openInPlace, SEAL_OVERHEAD_BYTES, sealInto } from "../crypto/sealing.ts";
import { type ErrorCode, ProtocolError } from "../errors.ts";
import type { TransferId } from "../messages/transfer_id.ts";
import { advanceChain, deriveMessageKey } from "./key_schedule.ts";

/** Where a chunk says that it belongs. */
export interface ChainPosition {
  /** The transfer's id; its sender chose it. */
  readonly transferId: TransferId;
  /** The number of DH steps in the session up to this transfer. */
  readonly generation: number;
  /** The place in the chain, from 0. */
  readonly chainIndex: number;
}

/**
 * Admits each (transfer, generation, index) once and in order: no replays, no gaps, no skipped keys.
 */
export class OrderGuard {
  readonly #transferId: TransferId;
  readonly #generation: number;
  #next = 0;

  /** Guards one transfer in one generation, from index 0. */
  constructor(transferId: TransferId, generation: number) {
    this.#transferId = transferId;
    this.#generation = generation;
  }

  /** The index that comes next. */
  get next(): number {
    return this.#next;
  }

  /** Admits a position, or gives the code it is refused with, in which case nothing changes. */
  admit(position: ChainPosition): ErrorCode | undefined {
    if (
      position.generation !== this.#generation || position.transferId !== this.#transferId
    ) return "RATCHET_STATE_ERROR";
    if (position.chainIndex !== this.#next) return "RATCHET_CHAIN_ERROR";
    this.#next++;
    return undefined;
  }
}

/** One direction of one transfer's chain. Disposing of it zeroes the current chain key. */
export class TransferChain implements Disposable {
  /** The transfer that the chain is bound to. */
  readonly transferId: TransferId;
  /** The number of DH steps in the session up to this transfer. */
  readonly generation: number;
  readonly #guard: OrderGuard;
  #chainKey: SecretKey<"chain">;

  /** Takes over the transfer's root, which is the first chain key. */
  constructor(transferId: TransferId, generation: number, root: SecretKey<"chain">) {
    this.transferId = transferId;
    this.generation = generation;
    this.#guard = new OrderGuard(transferId, generation);
    this.#chainKey = root;
  }

  /** The index of the next chunk. */
  get nextIndex(): number {
    return this.#guard.next;
  }

  /** Seals the next chunk; its index is {@linkcode nextIndex} before the call. */
  seal(plaintext: Uint8Array, random: RandomSource): Uint8Array<ArrayBuffer> {
    const sealed = new Uint8Array(SEAL_OVERHEAD_BYTES + plaintext.length);
    this.sealInto(sealed, plaintext, random);
    return sealed;
  }

  /** Like {@linkcode seal}, where it is to stand: `SEAL_OVERHEAD_BYTES` more than the plaintext. */
  sealInto(target: Uint8Array, plaintext: Uint8Array, random: RandomSource): void {
    using key = this.#step(this.#guard.next);
    sealInto(target, key, plaintext, random(NONCE_BYTES));
  }

  /**
   * Opens the chunk at an index, where it stands.
   *
   * @returns The plaintext, a view of what was sealed.
   * @throws {ProtocolError} RATCHET_CHAIN_ERROR when another index comes next, RATCHET_DECRYPT_FAIL
   * when the seal does not fit. Both cancel the transfer: the chain is not to be used again.
   */
  open(chainIndex: number, sealed: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    using key = this.#step(chainIndex);
    const plaintext = openInPlace(key, sealed);
    if (plaintext !== undefined) return plaintext;
    throw this.#error("RATCHET_DECRYPT_FAIL", `chunk ${chainIndex} can't be opened`);
  }

  /** Zeroes the keys it holds. Idempotent. */
  [Symbol.dispose](): void {
    this.#chainKey[Symbol.dispose]();
  }

  /** The message key of the next chunk; the chain moves on. */
  #step(chainIndex: number): SecretKey<"message"> {
    const expected = this.#guard.next;
    const position = { transferId: this.transferId, generation: this.generation, chainIndex };
    const refusal = this.#guard.admit(position);
    if (refusal !== undefined) {
      throw this.#error(refusal, `chunk ${chainIndex} came where ${expected} was expected`);
    }
    using spent = this.#chainKey;
    this.#chainKey = advanceChain(spent);
    return deriveMessageKey(spent);
  }

  #error(code: ErrorCode, message: string): ProtocolError {
    return new ProtocolError(code, message, { transferId: this.transferId });
  }
}
