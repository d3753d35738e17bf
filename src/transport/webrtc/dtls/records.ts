/**
 * DTLS 1.2 records as bytes (RFC 6347, section 4.1).
 *
 * @module
 */

/** Content types of records (RFC 5246, section 6.2.1). */
export const CONTENT = { changeCipherSpec: 20, alert: 21, handshake: 22, data: 23 } as const;

/** A record as it stood in a datagram. */
export interface DtlsRecord {
  /** See {@linkcode CONTENT}. */
  readonly type: number;
  /** 0 is plaintext. */
  readonly epoch: number;
  /** Record sequence number, 48 bits; it begins anew with each epoch. */
  readonly sequence: number;
  /** What the record carries, sealed from epoch 1 on. */
  readonly fragment: Uint8Array;
}

/** The version that records carry (RFC 6347, section 4.1). */
export const DTLS_1_2 = 0xfefd;
/** Type, version, epoch, sequence number, length. */
export const RECORD_HEADER_BYTES = 13;
const VERSION_MAJOR = 254;

/** Where the record at `at` ends; undefined when there is no whole one. */
export function recordEnd(datagram: Uint8Array, at: number): number | undefined {
  const body = at + RECORD_HEADER_BYTES;
  if (body > datagram.length || datagram[at + 1] !== VERSION_MAJOR) return undefined;
  const end = body + uint16At(datagram, at + 11);
  return end > datagram.length ? undefined : end;
}

/** The epoch of the record at `at`; 0 is plaintext. */
export function recordEpoch(datagram: Uint8Array, at: number): number {
  return uint16At(datagram, at + 3);
}

/** The sequence number, 48 bits, of the record at `at`. */
export function recordSequence(datagram: Uint8Array, at: number): number {
  const low = uint16At(datagram, at + 7) * 2 ** 16 + uint16At(datagram, at + 9);
  return uint16At(datagram, at + 5) * 2 ** 32 + low;
}

/** The well-formed records at the head of a datagram. */
export function* readRecords(datagram: Uint8Array): Generator<DtlsRecord> {
  for (let at = 0, end = recordEnd(datagram, at); end !== undefined;) {
    yield {
      type: datagram[at] ?? 0,
      epoch: recordEpoch(datagram, at),
      sequence: recordSequence(datagram, at),
      fragment: datagram.subarray(at + RECORD_HEADER_BYTES, end),
    };
    at = end;
    end = recordEnd(datagram, at);
  }
}

/** Writes a DTLS 1.2 record. */
export function writeRecord({ type, epoch, sequence, fragment }: DtlsRecord): Uint8Array {
  const bytes = new Uint8Array(RECORD_HEADER_BYTES + fragment.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, type);
  view.setUint16(1, DTLS_1_2);
  view.setUint16(3, epoch);
  view.setUint16(5, Math.floor(sequence / 2 ** 32));
  view.setUint32(7, sequence % 2 ** 32);
  view.setUint16(11, fragment.length);
  bytes.set(fragment, RECORD_HEADER_BYTES);
  return bytes;
}

function uint16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
