/**
 * The DTLS record layer (RFC 6347, section 4.1): numbers, epochs, replays, sealing and opening.
 *
 * @module
 */
import type { DatagramPath } from "../ice/datagram_path.ts";
import type { RecordCipher } from "./record_cipher.ts";
import {
  CONTENT,
  RECORD_HEADER_BYTES,
  recordEnd,
  recordEpoch,
  recordSequence,
  writeRecord,
} from "./records.ts";
import { ReplayWindow } from "./replay_window.ts";

/** Longest content of a record (RFC 5246, section 6.2.1). */
export const MAX_CONTENT_BYTES = 2 ** 14;
/** Protected records that wait for the keys. */
export const MAX_EARLY_RECORDS = 8;
/** What a record can be numbered with at most. */
const MAX_SEQUENCE = 2 ** 48 - 1;
/** Header, explicit nonce and tag of AES-GCM (RFC 5288, section 3). */
const MAX_OVERHEAD_BYTES = RECORD_HEADER_BYTES + 8 + 16;
const PLAIN = 0;
const PROTECTED = 1;

/** Who is told of what comes in. What it is given is a view that is valid until it returns. */
export interface RecordSink {
  /** A record that anybody can have written. */
  onPlain(type: number, fragment: Uint8Array): void;
  /** The path takes data again. */
  onWritable?(): void;
  /** The content of a record that the holder of the keys wrote, each once. */
  onProtected(type: number, content: Uint8Array): void;
}

/** Options of a {@linkcode RecordLayer}. */
export interface RecordLayerOptions {
  /** Told of what comes in. */
  readonly sink: RecordSink;
  /** The first number of each epoch, for tests. @default {0} */
  readonly firstSequence?: number;
}

/** The records of one connection. */
export class RecordLayer implements Disposable {
  readonly #path: DatagramPath;
  readonly #sink: RecordSink;
  readonly #replays = new ReplayWindow();
  #cipher: RecordCipher | undefined;
  /** Copies of protected records that came before the keys were known. */
  #early: Uint8Array[] = [];
  /** The next number of each epoch. */
  readonly #next: [number, number];
  /** The datagram under way. Grows to the longest record. */
  #datagram = new Uint8Array(2048);
  #length = 0;
  #isOver = false;

  /** Takes what comes in by the path. */
  constructor(path: DatagramPath, { sink, firstSequence = 0 }: RecordLayerOptions) {
    this.#path = path;
    this.#sink = sink;
    this.#next = [firstSequence, firstSequence];
    path.onDatagram = (datagram) => this.#receive(datagram);
    path.onWritable = () => sink.onWritable?.();
  }

  /** Bytes that a protected record has more than what it carries; the most while no keys are known. */
  get overhead(): number {
    return this.#cipher?.overhead ?? MAX_OVERHEAD_BYTES;
  }

  /** Bytes that a protected record can carry, so that its datagram fits the path. */
  get maxContent(): number {
    return Math.min(this.#path.maxDatagram - this.overhead, MAX_CONTENT_BYTES);
  }

  /** Whether the path takes more data for now; told when it does again. */
  get isWritable(): boolean {
    return this.#path.isWritable !== false;
  }

  /** Whether the path loses nothing. */
  get isReliable(): boolean {
    return this.#path.isReliable === true;
  }

  /** The keys are known: what waited for them is opened. */
  protect(cipher: RecordCipher): void {
    this.#cipher?.[Symbol.dispose]();
    this.#cipher = cipher;
    const early = this.#early;
    this.#early = [];
    for (const record of early) this.#receive(record);
  }

  /** Puts a record into the datagram under way; sends that first when there is no room in it. */
  add(type: number, isProtected: boolean, content: Uint8Array): void {
    const cipher = isProtected ? this.#cipher : undefined;
    if (this.#isOver || (isProtected && cipher === undefined)) return;
    const bytes = content.length + (cipher?.overhead ?? RECORD_HEADER_BYTES);
    if (this.#length > 0 && this.#length + bytes > this.#path.maxDatagram) this.flush();
    this.#makeRoom(this.#length + bytes);
    const epoch = isProtected ? PROTECTED : PLAIN;
    // Receivers drop what has a number again, and the nonce of a cipher is made of it.
    const sequence = this.#next[epoch]++;
    if (sequence > MAX_SEQUENCE) return;
    if (cipher === undefined) {
      const record = writeRecord({ type, epoch, sequence, fragment: content });
      this.#datagram.set(record, this.#length);
    } else cipher.seal(type, epoch, sequence, content, this.#datagram, this.#length);
    this.#length += bytes;
  }

  /** Sends the datagram under way. */
  flush(): void {
    if (this.#length === 0) return;
    const datagram = this.#datagram.subarray(0, this.#length);
    this.#length = 0;
    this.#path.send(datagram);
  }

  /** Nothing goes in or out any more; the keys are overwritten. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#path.onDatagram = this.#path.onWritable = () => {};
    this.#cipher?.[Symbol.dispose]();
    this.#cipher = undefined;
    this.#early = [];
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#datagram.length) return;
    const grown = new Uint8Array(bytes);
    grown.set(this.#datagram.subarray(0, this.#length));
    this.#datagram = grown;
  }

  #receive(datagram: Uint8Array): void {
    let at = 0;
    for (let end = recordEnd(datagram, at); end !== undefined; end = recordEnd(datagram, at)) {
      if (this.#isOver) return;
      const epoch = recordEpoch(datagram, at);
      if (epoch === PROTECTED) this.#receiveProtected(datagram, at, end);
      else if (epoch === PLAIN) {
        this.#sink.onPlain(
          datagram[at] ?? 0,
          datagram.subarray(at + RECORD_HEADER_BYTES, end),
        );
      }
      at = end;
    }
  }

  #receiveProtected(datagram: Uint8Array, at: number, end: number): void {
    if (this.#cipher === undefined) {
      if (this.#early.length < MAX_EARLY_RECORDS) this.#early.push(datagram.slice(at, end));
      return;
    }
    const sequence = recordSequence(datagram, at);
    if (!this.#replays.isNew(sequence)) return;
    const content = this.#cipher.open(datagram, at, end);
    if (content === undefined) return;
    this.#replays.mark(sequence);
    this.#path.onAuthentic?.();
    this.#sink.onProtected(datagram[at] ?? CONTENT.data, content);
  }
}
