/**
 * Records under AES-GCM (RFC 5288, section 3).
 *
 * @module
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { type DirectionKeys, RECORD_TAG_BYTES, RecordCipher } from "./record_cipher.ts";

const SALT_BYTES = 4;
const EXPLICIT_NONCE_BYTES = 8;
const ALGORITHM = "aes-128-gcm";
const AUTH_TAG = { authTagLength: RECORD_TAG_BYTES };

/** AES-128-GCM. */
export class GcmCipher extends RecordCipher {
  // The salt stays; the explicit part is written for each record.
  readonly #writeNonce = new Uint8Array(SALT_BYTES + EXPLICIT_NONCE_BYTES);
  readonly #readNonce = new Uint8Array(SALT_BYTES + EXPLICIT_NONCE_BYTES);

  /** For one epoch of one connection. */
  constructor(write: DirectionKeys, read: DirectionKeys) {
    super(write, read, EXPLICIT_NONCE_BYTES);
    this.#writeNonce.set(write.iv);
    this.#readNonce.set(read.iv);
  }

  /** Seals. */
  protected override sealBody(
    additional: Uint8Array,
    content: Uint8Array,
    body: Uint8Array,
  ): void {
    // Epoch and sequence number once more: unique by what they are.
    const explicit = additional.subarray(0, EXPLICIT_NONCE_BYTES);
    this.#writeNonce.set(explicit, SALT_BYTES);
    body.set(explicit);
    const cipher = createCipheriv(ALGORITHM, this.write.key, this.#writeNonce, AUTH_TAG);
    cipher.setAAD(additional);
    body.set(cipher.update(content), EXPLICIT_NONCE_BYTES);
    cipher.final();
    body.set(cipher.getAuthTag(), body.length - RECORD_TAG_BYTES);
  }

  /** Opens. */
  protected override openBody(additional: Uint8Array, body: Uint8Array): Uint8Array | undefined {
    this.#readNonce.set(body.subarray(0, EXPLICIT_NONCE_BYTES), SALT_BYTES);
    const tagAt = body.length - RECORD_TAG_BYTES;
    const decipher = createDecipheriv(ALGORITHM, this.read.key, this.#readNonce, AUTH_TAG);
    decipher.setAAD(additional);
    decipher.setAuthTag(body.subarray(tagAt));
    const content = decipher.update(body.subarray(EXPLICIT_NONCE_BYTES, tagAt));
    try {
      decipher.final();
    } catch {
      return undefined; // forged or damaged: dropped without a word (RFC 6347, section 4.1.2.7)
    }
    return new Uint8Array(content.buffer, content.byteOffset, content.length);
  }

  /** Overwrites the keys. */
  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    this.#writeNonce.fill(0);
    this.#readNonce.fill(0);
  }
}
