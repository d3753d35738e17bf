/**
 * Datagrams in a stream: each has its length before it, 16 bits (RFC 4571, section 2; RFC 6544,
 * section 3). Pure.
 *
 * @module
 */

/** Bytes of the length before each frame. */
export const FRAME_HEADER_BYTES = 2;
/** Longest STUN message that is taken, in bytes: a check has some hundred. */
export const MAX_STUN_FRAME = 2048;
/** Longest DTLS frame: one record with 2^14 bytes, and what its protection may add. */
export const MAX_DTLS_FRAME: number = 2 ** 14 + 64;

/** Bytes that wait for the system before the link says that it takes no more for now. */
export const FULL_LINK_BYTES: number = 256 * 1024;
/** Bytes that still wait when it takes more again: the next write is full. */
export const WRITABLE_LINK_BYTES: number = 128 * 1024;
/** Bytes that wait for the system at most: twice as much, for what has to be said at once. */
export const MAX_LINK_QUEUE_BYTES: number = 512 * 1024;
/** Bytes of one write at most. */
export const BATCH_BYTES: number = 128 * 1024;
/** Bytes that are read at once from a connection that carries data. */
export const READ_BYTES: number = 128 * 1024;

/** Writes the length of the frame that follows at `at + 2`. */
export function writeFrameHeader(target: Uint8Array, at: number, length: number): void {
  target[at] = length >>> 8;
  target[at + 1] = length & 255;
}

/** What a stream can't be read on after: its sender does not keep to the format. */
export class FrameError extends Error {
  /** See {@linkcode FrameError}. */
  override name = "FrameError";
}

/** Options of a {@linkcode FrameReader}. */
export interface FrameReaderOptions {
  /** Takes each frame: a view that is valid until it returns. */
  readonly onFrame: (frame: Uint8Array) => void;
  /** Bytes that are read at once, and so the least that is kept. */
  readonly capacity: number;
}

/** Takes frames out of a stream. It keeps no more than one frame and what was read with it. */
export class FrameReader {
  readonly #onFrame: (frame: Uint8Array) => void;
  #bytes: Uint8Array<ArrayBuffer>;
  #capacity: number;
  /** Where the first byte that has not been taken lies, and where the last one ends. */
  #start = 0;
  #end = 0;

  /** Begins with an empty stream. */
  constructor({ onFrame, capacity }: FrameReaderOptions) {
    this.#onFrame = onFrame;
    this.#bytes = new Uint8Array(capacity);
    this.#capacity = capacity;
  }

  /** Bytes that it keeps room for. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Bytes of a frame that is not whole. */
  get held(): number {
    return this.#end - this.#start;
  }

  /** More is read at once, from when there is {@linkcode room} asked for again. */
  grow(capacity: number): void {
    this.#capacity = Math.max(capacity, this.#capacity);
  }

  /** Where the next bytes of the stream are to be put; never empty. */
  get room(): Uint8Array<ArrayBuffer> {
    // Not before: a read may be under way into what there was.
    if (this.#capacity > this.#bytes.length) this.#move(new Uint8Array(this.#capacity));
    // The rest of a frame moves to the front when little is left behind it.
    if (this.#start > 0 && this.#bytes.length - this.#end < this.#bytes.length / 2) {
      this.#move(this.#bytes);
    }
    return this.#bytes.subarray(this.#end);
  }

  /**
   * So many bytes were put there: the frames that are whole now are handed on.
   *
   * @throws {FrameError} A frame is longer than its kind may be, or of no kind that is known.
   */
  take(bytes: number): void {
    this.#end += bytes;
    while (this.#end - this.#start >= FRAME_HEADER_BYTES) {
      const length = ((this.#bytes[this.#start] ?? 0) << 8) | (this.#bytes[this.#start + 1] ?? 0);
      const body = this.#start + FRAME_HEADER_BYTES;
      // An empty frame is nothing (RFC 4571, section 2); what kind one is, its first byte tells.
      if (length > 0 && this.#end > body) this.#check(this.#bytes[body] ?? 255, length);
      else if (length > MAX_DTLS_FRAME) throw new FrameError("a frame is too long");
      if (this.#end < body + length) break;
      this.#start = body + length;
      if (length > 0) this.#onFrame(this.#bytes.subarray(body, body + length));
    }
    if (this.#start === this.#end) this.#start = this.#end = 0;
  }

  #check(first: number, length: number): void {
    // RFC 7983, section 7.
    const most = first <= 3 ? MAX_STUN_FRAME : first >= 20 && first <= 63 ? MAX_DTLS_FRAME : 0;
    // Before the sender is proven there is room for less than a kind may have.
    if (length > Math.min(most, this.#capacity - FRAME_HEADER_BYTES)) {
      throw new FrameError(most === 0 ? "a frame is of no known kind" : "a frame is too long");
    }
  }

  #move(target: Uint8Array<ArrayBuffer>): void {
    if (target === this.#bytes) target.copyWithin(0, this.#start, this.#end);
    else target.set(this.#bytes.subarray(this.#start, this.#end));
    this.#bytes = target;
    this.#end -= this.#start;
    this.#start = 0;
  }
}
