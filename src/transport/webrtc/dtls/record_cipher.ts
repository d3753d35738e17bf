/**
 * DTLS 1.2 records of application data under AES-GCM (RFC 6347 section 4.1, RFC 5288), sealed and
 * opened in one step each. Pure but for the cipher.
 *
 * @module
 */
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
export const RECORD_OVERHEAD_BYTES: number = HEADER_BYTES + EXPLICIT_NONCE_BYTES + TAG_BYTES;

/** The AEAD algorithms of the cipher suites that a {@linkcode RecordCipher} knows. */
export type RecordAlgorithm = "aes-128-gcm" | "aes-256-gcm";

/** One direction's secrets. */
export interface RecordKey {
  /** Of the cipher: 16 or 32 bytes. */
  readonly key: Uint8Array;
  /** The implicit part of the nonce: four bytes. */
  readonly salt: Uint8Array;
}

/** Seals what goes out and opens what comes in. */
export class RecordCipher {
  readonly #algorithm: RecordAlgorithm;
  readonly #writeKey: Uint8Array;
  readonly #readKey: Uint8Array;
  // The salt stays; the explicit part is written for each record.
  readonly #writeNonce = new Uint8Array(SALT_BYTES + EXPLICIT_NONCE_BYTES);
  readonly #readNonce = new Uint8Array(SALT_BYTES + EXPLICIT_NONCE_BYTES);
  readonly #additional = new Uint8Array(HEADER_BYTES);

  /**
   * For one epoch of one connection.
   *
   * @param algorithm The negotiated one.
   * @param write Secrets of this side.
   * @param read Secrets of the peer.
   */
  constructor(algorithm: RecordAlgorithm, write: RecordKey, read: RecordKey) {
    this.#algorithm = algorithm;
    this.#writeKey = write.key;
    this.#readKey = read.key;
    this.#writeNonce.set(write.salt);
    this.#readNonce.set(read.salt);
  }

  /**
   * A whole record around `plain`.
   *
   * @param sequence At most 2^48 - 1; must never be used twice in an epoch.
   */
  seal(epoch: number, sequence: number, plain: Uint8Array): Uint8Array<ArrayBuffer> {
    const record = new Uint8Array(plain.length + RECORD_OVERHEAD_BYTES);
    const additional = this.#additional;
    writeSequence(additional, epoch, sequence);
    writeTypeAndLength(additional, plain.length);
    // In a record the same fields come in another order, and epoch and sequence number once more
    // as the explicit nonce: unique by what they are.
    record[0] = APPLICATION_DATA;
    record[1] = DTLS_1_2 >>> 8;
    record[2] = DTLS_1_2 & 255;
    const body = plain.length + EXPLICIT_NONCE_BYTES + TAG_BYTES;
    record[11] = body >>> 8;
    record[12] = body & 255;
    for (let i = 0; i < EXPLICIT_NONCE_BYTES; i++) {
      const byte = additional[i] as number;
      record[3 + i] = record[HEADER_BYTES + i] = this.#writeNonce[SALT_BYTES + i] = byte;
    }
    const cipher = createCipheriv(this.#algorithm, this.#writeKey, this.#writeNonce, AUTH_TAG);
    cipher.setAAD(additional);
    record.set(cipher.update(plain), HEADER_BYTES + EXPLICIT_NONCE_BYTES);
    cipher.final();
    record.set(cipher.getAuthTag(), record.length - TAG_BYTES);
    return record;
  }

  /** What the record in `datagram[at..end)` carries, or undefined when it is not the peer's. */
  open(datagram: Uint8Array, at: number, end: number): Uint8Array | undefined {
    const length = end - at - RECORD_OVERHEAD_BYTES;
    if (length <= 0) return undefined;
    const additional = this.#additional;
    for (let i = 0; i < 8; i++) {
      additional[i] = datagram[at + 3 + i] as number;
      this.#readNonce[SALT_BYTES + i] = datagram[at + HEADER_BYTES + i] as number;
    }
    writeTypeAndLength(additional, length);
    const decipher = createDecipheriv(this.#algorithm, this.#readKey, this.#readNonce, AUTH_TAG);
    decipher.setAAD(additional);
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
}

/** The first half of the additional data (RFC 5246 section 6.2.3.3): 16 and 48 bits. */
function writeSequence(to: Uint8Array, epoch: number, sequence: number): void {
  const high = Math.floor(sequence / 2 ** 32);
  to[0] = epoch >>> 8;
  to[1] = epoch & 255;
  to[2] = high >>> 8;
  to[3] = high & 255;
  to[4] = sequence >>> 24;
  to[5] = (sequence >>> 16) & 255;
  to[6] = (sequence >>> 8) & 255;
  to[7] = sequence & 255;
}

/** The other half: type, version, and length of the plain data. */
function writeTypeAndLength(to: Uint8Array, length: number): void {
  to[8] = APPLICATION_DATA;
  to[9] = DTLS_1_2 >>> 8;
  to[10] = DTLS_1_2 & 255;
  to[11] = length >>> 8;
  to[12] = length & 255;
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

/** The sequence number, 48 bits, of the record at `at`. */
export function recordSequence(datagram: Uint8Array, at: number): number {
  const high = uint16At(datagram, at + 5);
  const low = uint16At(datagram, at + 7) * 2 ** 16 + uint16At(datagram, at + 9);
  return high * 2 ** 32 + low;
}

function uint16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
