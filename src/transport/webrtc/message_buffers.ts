/**
 * Memory for messages under way, used again and again.
 *
 * A message lives until the peer has acknowledged it: long enough to reach the engine's old
 * generation. Fresh memory for each would wait there, dozens of MiB of it, for the next full
 * collection.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** Room is made in steps of this many bytes, so that messages of about one length share it. */
const STEP_BYTES = 4096;
/** Most bytes that are kept for later, unless said otherwise. */
export const MAX_KEPT_BYTES: number = 1536 * 1024;

/** Options of {@linkcode MessageBuffers}. */
export interface MessageBuffersOptions {
  /** Most bytes that are kept for later; what is given back beyond them goes. @default {1572864} */
  readonly maxKeptBytes?: number;
}

/** Lends memory and takes it back. */
export class MessageBuffers {
  readonly #maxKeptBytes: number;
  readonly #kept: ArrayBuffer[] = [];
  #keptBytes = 0;

  /** Keeps nothing at first. */
  constructor(options: MessageBuffersOptions = {}) {
    this.#maxKeptBytes = options.maxKeptBytes ?? MAX_KEPT_BYTES;
  }

  /** Bytes kept for later. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Memory for `bytes` bytes, of any content. */
  take(bytes: number): Buffer<ArrayBuffer> {
    const at = this.#kept.findLastIndex(({ byteLength }) => byteLength >= bytes);
    const [memory = new ArrayBuffer(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES)] = at < 0
      ? []
      : this.#kept.splice(at, 1);
    if (at >= 0) this.#keptBytes -= memory.byteLength;
    return Buffer.from(memory, 0, bytes);
  }

  /** Takes back what {@linkcode MessageBuffers.take} gave; nobody may use it any more. */
  give({ buffer }: Buffer<ArrayBuffer>): void {
    if (this.#keptBytes + buffer.byteLength > this.#maxKeptBytes) return;
    this.#kept.push(buffer);
    this.#keptBytes += buffer.byteLength;
  }
}
