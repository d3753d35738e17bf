/**
 * The session's ratchet: its root key, its generation, and a DH step at the start of each transfer.
 *
 * Both directions share one root, so a session never runs two transfers at once.
 *
 * @module
 */
import { diffieHellman } from "../crypto/dh.ts";
import {
  type EphemeralKeyPair,
  type EphemeralPublicKey,
  KeyPair,
  type KeyPairPurpose,
  PublicKey,
  type SecretKey,
} from "../crypto/keys.ts";
import type { RandomSource } from "../crypto/random_source.ts";
import { MisuseError, ProtocolError } from "../errors.ts";
import type { RatchetFields, RawRatchetFields } from "../messages/frame.ts";
import { isCount } from "../json.ts";
import type { TransferId } from "../messages/transfer_id.ts";
import { TransferChain } from "./chain.ts";
import { deriveSessionRoot, deriveTransferRoot, ratchetSessionRoot } from "./key_schedule.ts";

/** A sender's new chain and what its first chunk must carry. */
export interface SendStep {
  /** The chain that the transfer's chunks are sealed with. */
  readonly chain: TransferChain;
  /** The ratchet's fields of chunk 0. */
  readonly fields: RatchetFields;
}

/** The keys of one session's ratchet. Disposing of it zeroes the root; the ephemerals are borrowed. */
export class SessionRatchet implements Disposable {
  readonly #ours: EphemeralKeyPair;
  readonly #theirs: EphemeralPublicKey;
  #root: SecretKey<"session-root">;
  #generation = 0;

  /**
   * Roots the ratchet in the connection's ephemeral keys.
   *
   * @throws {ProtocolError} RATCHET_STATE_ERROR when the peer's key is of low order.
   */
  constructor(ours: EphemeralKeyPair, theirs: EphemeralPublicKey) {
    this.#ours = ours;
    this.#theirs = theirs;
    using dhOutput = this.#agree(ours, theirs);
    this.#root = deriveSessionRoot(dhOutput);
  }

  /** The number of DH steps so far. */
  get generation(): number {
    return this.#generation;
  }

  /** The sender's step: a fresh keypair, a new root, a chain for the transfer. */
  beginSend(transferId: TransferId, random: RandomSource): SendStep {
    using fresh = KeyPair.generate("ratchet", random);
    const chain = this.#advance(transferId, fresh, this.#theirs);
    const fields = {
      chainIndex: 0,
      publicKey: fresh.publicKey.base64,
      generation: this.#generation,
    };
    return { chain, fields };
  }

  /**
   * The receiver's step, from what the first chunk carried.
   *
   * @throws {ProtocolError} RATCHET_STATE_ERROR when the key or the generation is absent, malformed
   * or not the next.
   */
  beginReceive(transferId: TransferId, fields: RawRatchetFields): TransferChain {
    const publicKey = PublicKey.parse("ratchet", fields.publicKey);
    if (publicKey === undefined || !isCount(fields.generation)) {
      throw stateError("the first chunk has no valid ratchet key and generation");
    }
    if (fields.generation !== this.#generation + 1) {
      throw stateError(
        `the ratchet is at generation ${this.#generation}, the peer's at ${fields.generation}`,
      );
    }
    return this.#advance(transferId, this.#ours, publicKey);
  }

  /** Zeroes the keys it holds. Idempotent. */
  [Symbol.dispose](): void {
    this.#root[Symbol.dispose]();
  }

  #advance(
    transferId: TransferId,
    ours: KeyPair<KeyPairPurpose>,
    theirs: PublicKey<KeyPairPurpose>,
  ): TransferChain {
    if (this.#root.spent) throw new MisuseError("the session's ratchet has ended");
    using dhOutput = this.#agree(ours, theirs);
    using spent = this.#root;
    this.#root = ratchetSessionRoot(spent, dhOutput);
    this.#generation++;
    return new TransferChain(
      transferId,
      this.#generation,
      deriveTransferRoot(this.#root, transferId),
    );
  }

  #agree(
    ours: KeyPair<KeyPairPurpose>,
    theirs: PublicKey<KeyPairPurpose>,
  ): SecretKey<"dh-output"> {
    const output = diffieHellman(ours.secretKey, theirs);
    if (output === undefined) throw stateError("the peer's ratchet key is of low order");
    return output;
  }
}

function stateError(message: string): ProtocolError {
  return new ProtocolError("RATCHET_STATE_ERROR", message);
}

/**
 * The place in the chain that a chunk's envelope states.
 *
 * @throws {ProtocolError} RATCHET_DOWNGRADE_REJECTED when it has none although the ratchet was
 * negotiated, RATCHET_STATE_ERROR when a later chunk brings a new ratchet key, RATCHET_CHAIN_ERROR
 * for a number that can't be a place.
 */
export function statedChainIndex(fields: RawRatchetFields, transferId: TransferId): number {
  if (typeof fields.chainIndex !== "number") {
    throw new ProtocolError(
      "RATCHET_DOWNGRADE_REJECTED",
      "the peer negotiated the ratchet and sent a chunk without it",
    );
  }
  if (!isCount(fields.chainIndex)) {
    throw new ProtocolError("RATCHET_CHAIN_ERROR", "a chunk's chain index is not a whole number", {
      transferId,
    });
  }
  if (
    fields.chainIndex > 0 && (fields.publicKey !== undefined || fields.generation !== undefined)
  ) {
    throw stateError("the peer sent a ratchet key in the middle of a transfer");
  }
  return fields.chainIndex;
}
