/**
 * What stands between a peer and a slower disk. The channel has no receive pressure of its own, so
 * chunks queue here, within a bound, and the peer is asked to pause and resume as the queue fills
 * and empties. Driven by the writes that end; no timer.
 *
 * @module
 */
import { StorageError } from "../../base/errors.ts";

/** What a queued chunk costs beside its bytes, so that many tiny ones are bounded too. */
const CHUNK_COST = 256;

const MIB = 1024 * 1024;

/** Bytes that a queue never exceeds, unless said otherwise. */
export const MAX_QUEUED_BYTES: number = 16 * MIB;

/** Options of {@linkcode ReceiveQueue}. */
export interface ReceiveQueueOptions {
  /** The queue holds `highWater` bytes: ask the peer to pause. Called once until `onResume`. */
  readonly onPause: () => void;
  /** The queue is down to `lowWater` bytes after a pause: ask the peer to resume. */
  readonly onResume: () => void;
  /** A write failed; nothing more is written. Called at most once. */
  readonly onFailure: (error: unknown) => void;
  /** Bytes at which the peer is asked to pause. @default {4 MiB} */
  readonly highWater?: number;
  /** Bytes at which it may go on. @default {1 MiB} */
  readonly lowWater?: number;
  /** Bytes that are never exceeded: room for what was under way at the pause. @default {16 MiB} */
  readonly limit?: number;
}

/** Chunks of one file that wait for the disk. */
export class ReceiveQueue {
  readonly #options: Required<ReceiveQueueOptions>;
  readonly #queue: Uint8Array[] = [];
  #cost = 0;
  #isPaused = false;
  #isStopped = false;
  #write: ((bytes: Uint8Array) => Promise<void>) | undefined;
  #running: Promise<void> | undefined;

  /** An empty one; chunks wait until {@linkcode ReceiveQueue.start}. */
  constructor(options: ReceiveQueueOptions) {
    const defaults = { highWater: 4 * MIB, lowWater: MIB, limit: MAX_QUEUED_BYTES };
    this.#options = { ...defaults, ...options };
  }

  /** Bytes held: queued and being written, with 256 for each chunk. */
  get heldBytes(): number {
    return this.#cost;
  }

  /** From now on chunks are written, one at a time. */
  start(write: (bytes: Uint8Array) => Promise<void>): void {
    this.#write = write;
    if (this.#queue.length > 0) this.#running ??= this.#run(write);
  }

  /**
   * Takes a chunk, which must not change any more. Ignored after a failure or a stop.
   *
   * @throws {StorageError} `QUEUE_FULL` when the peer went on after it was asked to pause.
   */
  push(bytes: Uint8Array): void {
    if (this.#isStopped) return;
    const { limit, highWater, onPause } = this.#options;
    const cost = bytes.length + CHUNK_COST;
    if (this.#cost + cost > limit) {
      throw new StorageError("QUEUE_FULL", "the peer went on sending after it was asked to pause");
    }
    this.#queue.push(bytes);
    this.#cost += cost;
    if (this.#write !== undefined) this.#running ??= this.#run(this.#write);
    if (!this.#isPaused && this.#cost >= highWater) {
      this.#isPaused = true;
      onPause();
    }
  }

  /** Resolves when all that was pushed since the start is written, or the queue failed or stopped. */
  async drained(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Drops what is queued; the write under way ends by itself, see {@linkcode drained}. */
  stop(): void {
    this.#isStopped = true;
    for (const bytes of this.#queue.splice(0)) this.#cost -= bytes.length + CHUNK_COST;
  }

  async #run(write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    try {
      for (let bytes = this.#queue.shift(); bytes; bytes = this.#queue.shift()) {
        const cost = bytes.length + CHUNK_COST;
        await write(bytes).finally(() => this.#cost -= cost);
        this.#resumeIfLow();
      }
    } catch (error) {
      const wasStopped = this.#isStopped;
      this.stop();
      if (!wasStopped) this.#options.onFailure(error);
    } finally {
      this.#running = undefined;
    }
  }

  #resumeIfLow(): void {
    if (this.#isStopped || !this.#isPaused || this.#cost > this.#options.lowWater) return;
    this.#isPaused = false;
    this.#options.onResume();
  }
}
