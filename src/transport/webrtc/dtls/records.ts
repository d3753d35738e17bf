/**
 * DTLS 1.2 records and handshake messages as bytes (RFC 6347, section 4).
 *
 * @module
 */

/** Content types of records (RFC 5246, section 6.2.1). */
export const CONTENT = { changeCipherSpec: 20, alert: 21, handshake: 22, data: 23 } as const;

/** Handshake messages that a WebRTC handshake is made of (RFC 5246, section 7.4). */
export const HANDSHAKE = {
  clientHello: 1,
  serverHello: 2,
  helloVerifyRequest: 3,
  certificate: 11,
  serverKeyExchange: 12,
  certificateRequest: 13,
  serverHelloDone: 14,
  certificateVerify: 15,
  clientKeyExchange: 16,
  finished: 20,
} as const;

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

/** A whole handshake message. */
export interface HandshakeMessage {
  /** See {@linkcode HANDSHAKE}. */
  readonly type: number;
  /** Place of the message in its sender's handshake, from 0. */
  readonly sequence: number;
  /** The message without its header. */
  readonly body: Uint8Array;
}

const RECORD_HEADER = 13;
const MESSAGE_HEADER = 12;
const VERSION_MAJOR = 254;
/** Longest message that is put together; a certificate chain fits many times. */
const MAX_MESSAGE = 32 * 1024;
/** How far ahead of the next message fragments are kept. */
const WINDOW = 8;

/** The well-formed records at the head of a datagram. */
export function* readRecords(datagram: Uint8Array): Generator<DtlsRecord> {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  for (let at = 0; at + RECORD_HEADER <= datagram.length;) {
    const end = at + RECORD_HEADER + view.getUint16(at + 11);
    if (end > datagram.length || view.getUint8(at + 1) !== VERSION_MAJOR) return;
    yield {
      type: view.getUint8(at),
      epoch: view.getUint16(at + 3),
      sequence: view.getUint16(at + 5) * 2 ** 32 + view.getUint32(at + 7),
      fragment: datagram.subarray(at + RECORD_HEADER, end),
    };
    at = end;
  }
}

/** Writes a DTLS 1.2 record. */
export function writeRecord({ type, epoch, sequence, fragment }: DtlsRecord): Uint8Array {
  const bytes = new Uint8Array(RECORD_HEADER + fragment.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, type);
  view.setUint16(1, 0xfefd);
  view.setUint16(3, epoch);
  view.setUint16(5, Math.floor(sequence / 2 ** 32));
  view.setUint32(7, sequence % 2 ** 32);
  view.setUint16(11, fragment.length);
  bytes.set(fragment, RECORD_HEADER);
  return bytes;
}

/** Writes a handshake message in one fragment, the form that transcripts are made of. */
export function writeMessage({ type, sequence, body }: HandshakeMessage): Uint8Array {
  const bytes = new Uint8Array(MESSAGE_HEADER + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  view.setUint8(0, type);
  view.setUint16(4, sequence);
  view.setUint32(8, body.length); // offset 0 in the three bytes before
  bytes.set(body, MESSAGE_HEADER);
  return bytes;
}

interface Assembly {
  readonly type: number;
  readonly body: Uint8Array;
  readonly filled: Uint8Array;
  missing: number;
}

/**
 * Puts fragments together, and hands messages out in their order, each once. Records come lost,
 * twice and out of order; the library's handshake goes wrong in each of these cases.
 */
export class HandshakeAssembler {
  #next = 0;
  readonly #assemblies = new Map<number, Assembly>();

  /**
   * Takes the fragments of a record; malformed ones end the reading of it.
   *
   * @returns Messages that had been used before and came again: the peer lacks our answer. The
   * body is that of the fragment.
   */
  add(fragment: Uint8Array): HandshakeMessage[] {
    const repeated: HandshakeMessage[] = [];
    const view = new DataView(fragment.buffer, fragment.byteOffset, fragment.byteLength);
    for (let at = 0; at + MESSAGE_HEADER <= fragment.length;) {
      const type = view.getUint8(at);
      const total = view.getUint32(at) & 0xffffff;
      const sequence = view.getUint16(at + 4);
      const start = view.getUint32(at + 5) & 0xffffff;
      const length = view.getUint32(at + 8) & 0xffffff;
      const end = at + MESSAGE_HEADER + length;
      if (end > fragment.length || start + length > total || total > MAX_MESSAGE) break;
      const body = fragment.subarray(at + MESSAGE_HEADER, end);
      if (sequence < this.#next) repeated.push({ type, sequence, body });
      else if (sequence < this.#next + WINDOW) this.#fill(sequence, type, total, start, body);
      at = end;
    }
    return repeated;
  }

  /** The next message in order, when it is whole. It stays until {@linkcode accept}ed. */
  peek(): HandshakeMessage | undefined {
    const assembly = this.#assemblies.get(this.#next);
    if (assembly === undefined || assembly.missing > 0) return undefined;
    return { type: assembly.type, sequence: this.#next, body: assembly.body };
  }

  /** The next message has been used. */
  accept(): void {
    this.#assemblies.delete(this.#next++);
  }

  /** The next message is refused: a true one may still come in its place. */
  refuse(): void {
    this.#assemblies.delete(this.#next);
  }

  #fill(sequence: number, type: number, total: number, start: number, bytes: Uint8Array): void {
    let assembly = this.#assemblies.get(sequence);
    if (assembly === undefined || assembly.type !== type || assembly.body.length !== total) {
      if (assembly !== undefined && assembly.missing === 0) return;
      const [body, filled] = [new Uint8Array(total), new Uint8Array(total)];
      assembly = { type, body, filled, missing: total };
      this.#assemblies.set(sequence, assembly);
    }
    if (assembly.missing === 0) return;
    assembly.body.set(bytes, start);
    for (let i = start; i < start + bytes.length; i++) {
      if (assembly.filled[i] === 0) assembly.missing--;
      assembly.filled[i] = 1;
    }
  }
}
