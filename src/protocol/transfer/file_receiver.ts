/**
 * Receiving one accepted file: chunks in order, each of its right length. The file's hash is over
 * what was written, so it is the program's to verify.
 *
 * @module
 */
import { type ErrorCode, ProtocolError } from "../errors.ts";
import { chunkCount, type ChunkHeader, type FileOffer } from "../messages/inner_message.ts";
import type { TransferId } from "../messages/transfer_id.ts";
import { chunksFrom } from "./resume.ts";

/** A file that the peer offers. */
export interface OfferedFile extends Omit<FileOffer, "type" | "chunkSize" | "retryOf"> {
  /** Bytes of plaintext in every chunk but the last; absent when the peer did not say. */
  readonly chunkSize?: number;
  /** There was no offer: it started with its first chunk. */
  readonly implied: boolean;
  /** The try of it that was lost, by its sender's account; in sessions that can resume. */
  readonly retryOf?: TransferId;
}

/** A piece of the file, to be written at its offset before the next is asked for. */
export interface ReceivedChunk {
  /** The chunk's index, from 0 where the transfer began. */
  readonly index: number;
  /** Byte offset in the file. */
  readonly offset: number;
  /** The plaintext; the receiver of the effect may keep it. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Whether it is the last chunk. */
  readonly last: boolean;
}

/** The position in a file that is being received. */
export class FileReceiver {
  readonly #file: OfferedFile;
  /** Where it starts, in bytes; its chunks are counted from there. */
  readonly #from: number;
  /** Chunks to come; of a resumed file fewer than were offered. */
  readonly #totalChunks: number;
  #chunkSize: number | undefined;
  #next = 0;
  #offset: number;

  /** Starts at the file's first byte, or at the beginning of another chunk. */
  constructor(file: OfferedFile, resumeFrom = 0) {
    this.#file = file;
    this.#chunkSize = file.chunkSize;
    this.#from = this.#offset = resumeFrom;
    const { size, chunkSize, totalChunks } = file;
    this.#totalChunks = chunkSize === undefined
      ? totalChunks
      : chunksFrom(resumeFrom, { size, chunkSize });
  }

  /** Whether all chunks are here. */
  get complete(): boolean {
    return this.#next === this.#totalChunks;
  }

  /**
   * Judges a chunk's header before it is opened.
   *
   * @throws {ProtocolError} PROTOCOL_VIOLATION when it is at odds with the offer.
   */
  checkHeader({ chunkIndex, totalChunks, file }: ChunkHeader): void {
    const offered = this.#file;
    const isOfAnother = file !== undefined &&
      (file.filename !== offered.filename || file.fileSize !== offered.size);
    if (isOfAnother || totalChunks !== this.#totalChunks) {
      throw this.#error("PROTOCOL_VIOLATION", `chunk ${chunkIndex} is of another file`);
    }
  }

  /**
   * Judges a chunk's place where no ratchet does.
   *
   * @throws {ProtocolError} REPLAY_DETECTED for a chunk that was here, TRANSFER_FAILED for a gap.
   */
  checkOrder(index: number): void {
    if (index < this.#next) throw this.#error("REPLAY_DETECTED", `chunk ${index} came again`);
    if (index > this.#next) {
      throw this.#error("TRANSFER_FAILED", `chunk ${index} came where ${this.#next} was expected`);
    }
  }

  /**
   * Takes the opened bytes of the next chunk.
   *
   * @throws {ProtocolError} TRANSFER_FAILED when they are more or fewer than they must be.
   */
  advance(data: Uint8Array<ArrayBuffer>): ReceivedChunk {
    const index = this.#next;
    this.#checkLength(index, data.length);
    const received = { index, offset: this.#offset, data, last: false };
    this.#next++;
    this.#offset += data.length;
    return { ...received, last: this.complete };
  }

  /**
   * Judges whether all has come when the sender says that it is finished.
   *
   * @throws {ProtocolError} TRANSFER_FAILED when chunks are missing.
   */
  finish(): void {
    if (this.complete) return;
    const missing = `finished after ${this.#next} of ${this.#totalChunks} chunks`;
    throw this.#error("TRANSFER_FAILED", missing);
  }

  #checkLength(index: number, length: number): void {
    const { size } = this.#file;
    const totalChunks = this.#totalChunks;
    // Without an offer the first chunk sets the size of all; it must fit the count.
    this.#chunkSize ??= totalChunks === 1 ? size : length;
    const chunkSize = this.#chunkSize;
    const expected = Math.min(chunkSize, size - this.#offset);
    const consistent = chunkSize > 0 && chunkCount(size - this.#from, chunkSize) === totalChunks;
    if (!consistent || length !== expected) {
      throw this.#error("TRANSFER_FAILED", `chunk ${index} has ${length} bytes, not ${expected}`);
    }
  }

  #error(code: ErrorCode, message: string): ProtocolError {
    return new ProtocolError(code, message, { transferId: this.#file.transferId });
  }
}
