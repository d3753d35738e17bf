/**
 * DTLS 1.2 records of application data under AES-GCM (RFC 6347 section 4.1, RFC 5288), sealed and
 * opened in one step each. Pure but for the cipher.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv } from "node:crypto";

/** Type, version, epoch, sequence number, length. */
const HEADER_BYTES = 13;
const EXPLICIT_NONCE_BYTES = 8;
const TAG_BYTES = 16;
const SALT_BYTES = 4;
const APPLICATION_DATA = 23;
const DTLS_1_2 = 0xfefd;
const AUTH_TAG = { authTagLength: TAG_BYTES };

/** Bytes that a record has more than what it carries. */
export const RECORD_OVERHEAD_BYTES = HEADER_BYTES + EXPLICIT_NONCE_BYTES + TAG_BYTES;

/** The AEAD algorithms of the cipher suites that a {@linkcode RecordCipher} knows. */
export type RecordAlgorithm = "aes-128-gcm" | "aes-256-gcm";

/** One direction's secrets. */
export interface RecordKey {
  readonly key: Uint8Array;
  /** The implicit part of the nonce: four bytes. */
  readonly salt: Uint8Array;
}

/** Seals what goes out and opens what comes in. */
export class RecordCipher {
  readonly #algorithm: RecordAlgorithm;
  readonly #write: RecordKey;
  readonly #read: RecordKey;
  readonly #nonce = new Uint8Array(SALT_BYTES + EXPLICIT_NONCE_BYTES);
  readonly #additional = new Uint8Array(HEADER_BYTES);

  /**
   * @param algorithm The negotiated one.
   * @param write Secrets of this side.
   * @param read Secrets of the peer.
   */
  constructor(algorithm: RecordAlgorithm, write: RecordKey, read: RecordKey) {
    this.#algorithm = algorithm;
    this.#write = write;
    this.#read = read;
  }

  /**
   * A whole record around `plain`.
   *
   * @param sequence At most 2^48 - 1; must never be used twice in an epoch.
   */
  seal(epoch: number, sequence: number, plain: Uint8Array): Buffer<ArrayBuffer> {
    const record = Buffer.allocUnsafe(plain.length + RECORD_OVERHEAD_BYTES);
    record[0] = APPLICATION_DATA;
    record.writeUInt16BE(DTLS_1_2, 1);
    record.writeUInt16BE(epoch, 3);
    record.writeUIntBE(sequence, 5, 6);
    record.writeUInt16BE(plain.length + EXPLICIT_NONCE_BYTES + TAG_BYTES, 11);
    // Epoch and sequence number make the explicit nonce: unique by what they are.
    record.copyWithin(HEADER_BYTES, 3, 11);
    const nonce = this.#nonceOf(this.#write, record, 0);
    const cipher = createCipheriv(this.#algorithm, this.#write.key, nonce, AUTH_TAG);
    cipher.setAAD(this.#additionalOf(record, 0, plain.length));
    record.set(cipher.update(plain), HEADER_BYTES + EXPLICIT_NONCE_BYTES);
    cipher.final();
    record.set(cipher.getAuthTag(), record.length - TAG_BYTES);
    return record;
  }

  /** What the record at `at` carries, or undefined when it is not the peer's. */
  open(datagram: Uint8Array, at: number, end: number): Uint8Array | undefined {
    const length = end - at - RECORD_OVERHEAD_BYTES;
    if (length <= 0) return undefined;
    const nonce = this.#nonceOf(this.#read, datagram, at);
    const decipher = createDecipheriv(this.#algorithm, this.#read.key, nonce, AUTH_TAG);
    decipher.setAAD(this.#additionalOf(datagram, at, length));
    decipher.setAuthTag(datagram.subarray(end - TAG_BYTES, end));
    const start = at + HEADER_BYTES + EXPLICIT_NONCE_BYTES;
    const plain = decipher.update(datagram.subarray(start, start + length));
    try {
      decipher.final();
    } catch {
      return undefined; // forged or damaged: dropped without a word (RFC 6347 section 4.1.2.7)
    }
    return plain;
  }

  #nonceOf(side: RecordKey, record: Uint8Array, at: number): Uint8Array {
    this.#nonce.set(side.salt);
    const from = at + HEADER_BYTES;
    this.#nonce.set(record.subarray(from, from + EXPLICIT_NONCE_BYTES), SALT_BYTES);
    return this.#nonce;
  }

  /** Epoch, sequence number, type, version and length of the plain data (RFC 5246 6.2.3.3). */
  #additionalOf(record: Uint8Array, at: number, plainLength: number): Uint8Array {
    const additional = this.#additional;
    additional.set(record.subarray(at + 3, at + 11), 0);
    additional.set(record.subarray(at, at + 3), 8);
    additional[11] = plainLength >>> 8;
    additional[12] = plainLength & 255;
    return additional;
  }
}

/**
 * The ends of the records in a datagram, when there is nothing in it but whole records of
 * application data in this epoch; undefined otherwise.
 */
export function applicationRecordEnds(
  datagram: Uint8Array,
  epoch: number,
): readonly number[] | undefined {
  const ends: number[] = [];
  for (let at = 0; at < datagram.length;) {
    if (at + HEADER_BYTES > datagram.length || datagram[at] !== APPLICATION_DATA) return undefined;
    if (uint16At(datagram, at + 1) !== DTLS_1_2) return undefined;
    if (uint16At(datagram, at + 3) !== epoch) return undefined;
    at += HEADER_BYTES + uint16At(datagram, at + 11);
    if (at > datagram.length) return undefined;
    ends.push(at);
  }
  return ends;
}

function uint16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
