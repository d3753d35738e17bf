/**
 * Sending one accepted file: which bytes come next. That they are still those that were offered is
 * for who reads them to say.
 *
 * @module
 */
import { MisuseError } from "../errors.ts";
import type { FileOffer } from "../messages/inner_message.ts";
import { chunksFrom } from "./resume.ts";

/** The piece of the file that is to be read and sent next. */
export interface ChunkRequest {
  /** The chunk's index, from 0 where the transfer began. */
  readonly index: number;
  /** Byte offset in the file. */
  readonly offset: number;
  /** Bytes; exactly so many. */
  readonly length: number;
}

/** A piece that was handed in to be sent. */
export interface SentChunk {
  /** The chunk's index, from 0. */
  readonly index: number;
  /** Whether it is the last chunk. */
  readonly last: boolean;
}

/** The position in a file that is being sent. */
export class FileSender {
  /** Chunks to send; of a resumed file fewer than were offered. */
  readonly totalChunks: number;
  readonly #file: FileOffer;
  /** Where it starts, in bytes; its chunks are counted from there. */
  readonly #from: number;
  #next = 0;

  /** Starts at the file's first byte, or at the beginning of another chunk. */
  constructor(file: FileOffer, resumeFrom = 0) {
    this.#file = file;
    this.#from = resumeFrom;
    this.totalChunks = chunksFrom(resumeFrom, file);
  }

  /** The next piece, or undefined when all were taken. */
  get next(): ChunkRequest | undefined {
    const { size, chunkSize } = this.#file;
    if (this.#next === this.totalChunks) return undefined;
    const offset = this.#from + this.#next * chunkSize;
    return { index: this.#next, offset, length: Math.min(chunkSize, size - offset) };
  }

  /**
   * Takes the bytes of {@linkcode next}.
   *
   * @throws {MisuseError} When they are not exactly as many as were asked for.
   */
  advance(plaintext: Uint8Array): SentChunk {
    const next = this.next;
    if (next === undefined) throw new MisuseError("all chunks of the file were sent");
    if (plaintext.length !== next.length) {
      throw new MisuseError(
        `chunk ${next.index} has ${next.length} bytes, not ${plaintext.length}: cancel the transfer`,
      );
    }
    this.#next++;
    return { index: next.index, last: this.#next === this.totalChunks };
  }
}
