/**
 * Records under ChaCha20-Poly1305 (RFC 7905, section 2).
 *
 * @module
 */
import { openChaCha, sealChaCha } from "./chacha20_poly1305.ts";
import { type DirectionKeys, RECORD_TAG_BYTES, RecordCipher } from "./record_cipher.ts";

const NONCE_BYTES = 12;
/** Where epoch and sequence number stand in a nonce, before it is combined with the IV. */
const AT_NUMBER = 4;
const NUMBER_BYTES = 8;

/** ChaCha20-Poly1305. */
export class ChaChaCipher extends RecordCipher {
  readonly #nonce = new Uint8Array(NONCE_BYTES);
  /** Grows to the longest record: what is opened lies here until the next one is. */
  #opened = new Uint8Array(2048);

  /** For one epoch of one connection. */
  constructor(write: DirectionKeys, read: DirectionKeys) {
    super(write, read, 0);
  }

  /** Seals. */
  protected override sealBody(
    additional: Uint8Array,
    content: Uint8Array,
    body: Uint8Array,
  ): void {
    sealChaCha(this.write.key, this.#nonceOf(this.write.iv, additional), additional, content, body);
  }

  /** Opens. */
  protected override openBody(additional: Uint8Array, body: Uint8Array): Uint8Array | undefined {
    const length = body.length - RECORD_TAG_BYTES;
    if (length > this.#opened.length) this.#opened = new Uint8Array(length);
    const content = this.#opened.subarray(0, length);
    const nonce = this.#nonceOf(this.read.iv, additional);
    return openChaCha(this.read.key, nonce, additional, body, content) ? content : undefined;
  }

  /** Overwrites the keys, and what was opened last. */
  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    this.#nonce.fill(0);
    this.#opened.fill(0);
  }

  #nonceOf(iv: Uint8Array, number: Uint8Array): Uint8Array {
    const nonce = this.#nonce;
    nonce.set(iv);
    for (let i = 0; i < NUMBER_BYTES; i++) {
      nonce[AT_NUMBER + i] = (nonce[AT_NUMBER + i] ?? 0) ^ (number[i] ?? 0);
    }
    return nonce;
  }
}
