/**
 * DTLS 1.2 handshake messages as bytes (RFC 6347, section 4.2.2).
 *
 * @module
 */
import { equalBytes } from "../../../protocol/crypto/constant_time.ts";

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

/** A whole handshake message. */
export interface HandshakeMessage {
  /** See {@linkcode HANDSHAKE}. */
  readonly type: number;
  /** Place of the message in its sender's handshake, from 0. */
  readonly sequence: number;
  /** The message without its header. */
  readonly body: Uint8Array;
}

const MESSAGE_HEADER = 12;
/** Longest message that is put together; a certificate chain fits many times. */
export const MAX_MESSAGE: number = 32 * 1024;
/** How far ahead of the next message fragments are kept. */
export const MESSAGES_AHEAD = 8;
/** Where a hello goes on after its version and random number. */
const AFTER_RANDOM = 34;

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
   * @param isExpected Whether a record of this kind may carry a message of this type.
   * @returns Messages that had been used before and came again: the peer lacks our answer. The
   * body is that of the fragment.
   */
  add(
    fragment: Uint8Array,
    isExpected: (type: number) => boolean = () => true,
  ): HandshakeMessage[] {
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
      if (!isExpected(type)) break;
      if (sequence < this.#next) repeated.push({ type, sequence, body });
      else if (sequence < this.#next + MESSAGES_AHEAD) {
        this.#fill(sequence, type, total, start, body);
      }
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

/** The cipher suites that a ClientHello offers (RFC 6347, section 4.2.1); none when it is malformed. */
export function offeredSuites(hello: Uint8Array): number[] {
  const view = new DataView(hello.buffer, hello.byteOffset, hello.byteLength);
  const cookieAt = AFTER_RANDOM + 1 + (hello[AFTER_RANDOM] ?? 0);
  const at = cookieAt + 1 + (hello[cookieAt] ?? 0);
  if (at + 2 > hello.length) return [];
  const end = at + 2 + view.getUint16(at);
  if (end > hello.length) return [];
  const suites: number[] = [];
  for (let i = at + 2; i + 2 <= end; i += 2) suites.push(view.getUint16(i));
  return suites;
}

/** The cipher suite that a ServerHello names; undefined when it is malformed. */
export function namedSuite(hello: Uint8Array): number | undefined {
  const at = AFTER_RANDOM + 1 + (hello[AFTER_RANDOM] ?? 0);
  const [high, low] = [hello[at], hello[at + 1]];
  return high === undefined || low === undefined ? undefined : (high << 8) | low;
}

/** Whether a ClientHello carries this cookie (RFC 6347, section 4.2.1). */
export function hasCookie(hello: Uint8Array, cookie: Uint8Array | undefined): boolean {
  const at = AFTER_RANDOM + 1 + (hello[AFTER_RANDOM] ?? 0);
  const length = hello[at];
  return cookie !== undefined && equalBytes(hello.subarray(at + 1, at + 1 + (length ?? 0)), cookie);
}

/** The first of a Certificate message's list, in DER; empty when there is none. */
export function firstCertificate(body: Uint8Array): Uint8Array {
  const length = ((body[3] ?? 0) << 16) | ((body[4] ?? 0) << 8) | (body[5] ?? 0);
  return body.subarray(6, 6 + length);
}
