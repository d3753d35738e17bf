/**
 * What a chunk's message holds (the wire format, section 6): the ratchet's seal where it was
 * negotiated; else the plain bytes after an offer, and a sealed box without one.
 *
 * @module
 */
import { type SessionRatchet, statedChainIndex } from "../btr/session_ratchet.ts";
import type { TransferChain } from "../btr/chain.ts";
import type { SecretKey } from "../crypto/keys.ts";
import type { RandomSource } from "../crypto/random_source.ts";
import { NONCE_BYTES, openInPlace, SEAL_OVERHEAD_BYTES, sealInto } from "../crypto/sealing.ts";
import { ProtocolError } from "../errors.ts";
import type { ChunkToSeal } from "../messages/envelope.ts";
import type { RatchetFields, RawRatchetFields } from "../messages/frame.ts";
import type { FileChunk } from "../messages/inner_message.ts";
import type { TransferId } from "../messages/transfer_id.ts";

/** What the chunks of a session are sealed with. */
export interface ChunkKeys {
  /** The session's ratchet, when it was negotiated. */
  readonly ratchet: SessionRatchet | undefined;
  /** The session's box key. */
  readonly box: SecretKey<"box">;
  /** Where nonces and ratchet keys come from. */
  readonly random: RandomSource;
}

/** Encodes or decodes the chunks of one transfer. Disposing of it zeroes the transfer's keys. */
export class ChunkCodec implements Disposable {
  readonly #keys: ChunkKeys;
  readonly #transferId: TransferId;
  readonly #boxed: boolean;
  #chain: TransferChain | undefined;

  /**
   * For one transfer; its ratchet step is taken with the first chunk.
   *
   * @param keys The session's.
   * @param transferId The transfer.
   * @param boxed Whether chunks outside a ratchet are sealed boxes (no offer) or plain (after one).
   */
  constructor(keys: ChunkKeys, transferId: TransferId, boxed: boolean) {
    this.#keys = keys;
    this.#transferId = transferId;
    this.#boxed = boxed;
  }

  /** The next chunk, to be sealed. The first one takes the ratchet's step, so it must be sent. */
  encode(plaintext: Uint8Array): ChunkToSeal {
    const { ratchet, box, random } = this.#keys;
    if (ratchet === undefined && !this.#boxed) {
      const sealedBytes = plaintext.length;
      return { ratchet: undefined, sealedBytes, sealInto: (target) => target.set(plaintext) };
    }
    const sealedBytes = plaintext.length + SEAL_OVERHEAD_BYTES;
    if (ratchet === undefined) {
      return {
        ratchet: undefined,
        sealedBytes,
        sealInto: (target) => sealInto(target, box, plaintext, random(NONCE_BYTES)),
      };
    }
    let fields: RatchetFields | undefined;
    if (this.#chain === undefined) {
      const step = ratchet.beginSend(this.#transferId, random);
      this.#chain = step.chain;
      fields = step.fields;
    }
    const chain = this.#chain;
    return {
      ratchet: fields ?? { chainIndex: chain.nextIndex },
      sealedBytes,
      sealInto: (target) => chain.sealInto(target, plaintext, random),
    };
  }

  /**
   * Decodes a chunk, where it stands.
   *
   * @throws {ProtocolError} ENCRYPTION_FAILED for a box that does not open, PROTOCOL_VIOLATION for
   * ratchet fields without a ratchet, and the ratchet's codes.
   */
  decode(message: FileChunk, fields: RawRatchetFields): Uint8Array<ArrayBuffer> {
    const { ratchet, box } = this.#keys;
    if (ratchet === undefined) {
      refuseRatchetFields(fields);
      const { chunk, chunkIndex } = message;
      return this.#boxed ? this.#openBox(box, chunk, chunkIndex) : chunk;
    }
    const chainIndex = statedChainIndex(fields, this.#transferId);
    if (chainIndex !== message.chunkIndex) {
      throw new ProtocolError(
        "RATCHET_CHAIN_ERROR",
        `chunk ${message.chunkIndex} has chain index ${chainIndex}`,
        { transferId: this.#transferId },
      );
    }
    this.#chain ??= chainIndex === 0
      ? ratchet.beginReceive(this.#transferId, fields)
      : this.#missingStep(chainIndex);
    return this.#chain.open(chainIndex, message.chunk);
  }

  /**
   * Takes the ratchet's step of a chunk that will not be used, so that both sides' ratchets stay in
   * step when a transfer ends with chunks under way.
   */
  skip(message: FileChunk, fields: RawRatchetFields): void {
    const { ratchet } = this.#keys;
    if (ratchet === undefined) return refuseRatchetFields(fields);
    const first = statedChainIndex(fields, this.#transferId) === 0 && message.chunkIndex === 0;
    if (first) ratchet.beginReceive(this.#transferId, fields)[Symbol.dispose]();
  }

  /** Zeroes the keys it holds. Idempotent. */
  [Symbol.dispose](): void {
    this.#chain?.[Symbol.dispose]();
  }

  #openBox(
    box: SecretKey<"box">,
    bytes: Uint8Array<ArrayBuffer>,
    index: number,
  ): Uint8Array<ArrayBuffer> {
    const plaintext = openInPlace(box, bytes);
    if (plaintext !== undefined) return plaintext;
    throw new ProtocolError("ENCRYPTION_FAILED", `chunk ${index} can't be opened`);
  }

  #missingStep(chainIndex: number): never {
    throw new ProtocolError(
      "RATCHET_CHAIN_ERROR",
      `the transfer began with chain index ${chainIndex}`,
      { transferId: this.#transferId },
    );
  }
}

function refuseRatchetFields(fields: RawRatchetFields): void {
  if (
    fields.chainIndex === undefined && fields.publicKey === undefined &&
    fields.generation === undefined
  ) return;
  throw new ProtocolError("PROTOCOL_VIOLATION", "a chunk is ratcheted, which was not negotiated");
}
