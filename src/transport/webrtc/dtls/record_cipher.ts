/**
 * How the records of an epoch are sealed and opened, whatever the cipher (RFC 6347, section 4.1.2;
 * RFC 5246, section 6.2.3.3).
 *
 * @module
 */
import { DTLS_1_2, RECORD_HEADER_BYTES } from "./records.ts";

/** The tag of each AEAD cipher that we speak. */
export const RECORD_TAG_BYTES = 16;
/** Sequence number with epoch, type, version and length of the content: what a tag covers besides. */
const ADDITIONAL_BYTES = 13;

/** One direction's secrets. */
export interface DirectionKeys {
  /** Of the cipher. */
  readonly key: Uint8Array;
  /** The derived part of each nonce. */
  readonly iv: Uint8Array;
}

/** Seals what goes out and opens what comes in. Its keys are overwritten when it is disposed. */
export abstract class RecordCipher implements Disposable {
  /** Bytes of a nonce that stand in the record itself. */
  protected readonly explicitNonceBytes: number;
  /** Secrets of this side. */
  protected readonly write: DirectionKeys;
  /** Secrets of the peer. */
  protected readonly read: DirectionKeys;
  readonly #additional = new Uint8Array(ADDITIONAL_BYTES);

  /**
   * For one epoch of one connection.
   *
   * @param write Secrets of this side; they are the cipher's from now on.
   * @param read Secrets of the peer; likewise.
   */
  constructor(write: DirectionKeys, read: DirectionKeys, explicitNonceBytes: number) {
    this.write = write;
    this.read = read;
    this.explicitNonceBytes = explicitNonceBytes;
  }

  /** Bytes that a record has more than what it carries. */
  get overhead(): number {
    return RECORD_HEADER_BYTES + this.explicitNonceBytes + RECORD_TAG_BYTES;
  }

  /**
   * Writes a whole record around `content` into `target`, from `at` on.
   *
   * @param sequence At most 2^48 - 1; must never be used twice in an epoch.
   * @returns Where the record ends.
   */
  seal(
    type: number,
    epoch: number,
    sequence: number,
    content: Uint8Array,
    target: Uint8Array,
    at: number,
  ): number {
    const additional = this.#additional;
    writeNumber(additional, 0, epoch, sequence);
    writeTypeAndLength(additional, type, content.length);
    const body = at + RECORD_HEADER_BYTES;
    const end = at + this.overhead + content.length;
    target[at] = type;
    writeUint16(target, at + 1, DTLS_1_2);
    target.set(additional.subarray(0, 8), at + 3);
    writeUint16(target, at + 11, end - body);
    this.sealBody(additional, content, target.subarray(body, end));
    return end;
  }

  /**
   * What the record in `datagram[at..end)` carries; undefined when it is not the peer's.
   *
   * @returns A view that is valid until the next record is opened.
   */
  open(datagram: Uint8Array, at: number, end: number): Uint8Array | undefined {
    const length = end - at - this.overhead;
    if (length < 0) return undefined;
    const additional = this.#additional;
    additional.set(datagram.subarray(at + 3, at + 11));
    writeTypeAndLength(additional, datagram[at] ?? 0, length);
    return this.openBody(additional, datagram.subarray(at + RECORD_HEADER_BYTES, end));
  }

  /** Overwrites the keys. */
  [Symbol.dispose](): void {
    for (const { key, iv } of [this.write, this.read]) {
      key.fill(0);
      iv.fill(0);
    }
  }

  /** Fills the body of a record: explicit nonce, what is sealed, tag. */
  protected abstract sealBody(
    additional: Uint8Array,
    content: Uint8Array,
    body: Uint8Array,
  ): void;

  /** Opens the body of a record, which has room for nonce and tag. */
  protected abstract openBody(additional: Uint8Array, body: Uint8Array): Uint8Array | undefined;
}

/** Epoch and sequence number: 16 and 48 bits. */
function writeNumber(to: Uint8Array, at: number, epoch: number, sequence: number): void {
  const high = Math.floor(sequence / 2 ** 32);
  writeUint16(to, at, epoch);
  writeUint16(to, at + 2, high);
  writeUint16(to, at + 4, (sequence >>> 16) & 0xffff);
  writeUint16(to, at + 6, sequence & 0xffff);
}

function writeTypeAndLength(to: Uint8Array, type: number, length: number): void {
  to[8] = type;
  writeUint16(to, 9, DTLS_1_2);
  writeUint16(to, 11, length);
}

function writeUint16(to: Uint8Array, at: number, value: number): void {
  to[at] = value >>> 8;
  to[at + 1] = value & 255;
}
