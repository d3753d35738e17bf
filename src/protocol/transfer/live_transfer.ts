/**
 * A transfer that is not over: its stage, its pauses, and how long it may wait.
 *
 * @module
 */
import type { FileOffer } from "../messages/inner_message.ts";
import type { ChunkCodec } from "./chunk_codec.ts";
import type { Direction, Side } from "./effects.ts";
import type { FileReceiver, OfferedFile } from "./file_receiver.ts";
import type { FileSender } from "./file_sender.ts";
import type { TransferTiming } from "./limits.ts";

/** A file that we offered or are sending; the sender exists once it was accepted. */
export interface OutgoingWork {
  /** From us to the peer. */
  readonly direction: "outgoing";
  /** What was offered. */
  readonly file: FileOffer;
  /** The position in the file, from acceptance on. */
  flow?: FileSender;
}

/** A file that we were offered or are receiving; the receiver exists once we accepted. */
export interface IncomingWork {
  /** From the peer to us. */
  readonly direction: "incoming";
  /** What is offered. */
  readonly file: OfferedFile;
  /** The position in the file, from acceptance on. */
  flow?: FileReceiver;
}

/** Which way a transfer goes, and how far it is. */
export type TransferSide = OutgoingWork | IncomingWork;

/** A transfer that is not over. Disposing of it zeroes its keys. */
export class LiveTransfer<W extends TransferSide> implements Disposable {
  /** The file and its position. */
  readonly work: W;
  /** Encodes and decodes its chunks. */
  readonly codec: ChunkCodec;
  /** Whether the program knows of it: effects are given. */
  announced: boolean;
  readonly #timing: TransferTiming;
  readonly #pausedBy = new Set<Side>();
  #deadline: number;

  /** Starts in the offered stage. `now` in ms. */
  constructor(
    work: W,
    codec: ChunkCodec,
    timing: TransferTiming,
    now: number,
    announced: boolean,
  ) {
    this.work = work;
    this.codec = codec;
    this.announced = announced;
    this.#timing = timing;
    this.#deadline = now + timing.offerMs;
  }

  /** Which way the file goes. */
  get direction(): Direction {
    return this.work.direction;
  }

  /** Whether a side is pausing it. */
  get paused(): boolean {
    return this.#pausedBy.size > 0;
  }

  /** Whether we are pausing it. */
  get pausedByUs(): boolean {
    return this.#pausedBy.has("local");
  }

  /** Whether the peer is pausing it. */
  get pausedByPeer(): boolean {
    return this.#pausedBy.has("remote");
  }

  /** When it has waited too long, in ms. */
  get deadline(): number {
    return this.#deadline;
  }

  /** What it has waited for when the deadline passes. */
  get waitsFor(): string {
    if (this.work.flow === undefined) return "the offer was not answered in time";
    return this.paused ? "the pause lasted too long" : "no data moved in time";
  }

  /** Something moved: the stage changed or a chunk went by. */
  touch(now: number): void {
    const { offerMs, pauseMs, stallMs } = this.#timing;
    const flowing = this.paused ? pauseMs : stallMs;
    this.#deadline = now + (this.work.flow === undefined ? offerMs : flowing);
  }

  /** A side pauses or resumes. Says whether that changes anything. */
  setPaused(by: Side, paused: boolean, now: number): boolean {
    if (this.#pausedBy.has(by) === paused) return false;
    if (paused) this.#pausedBy.add(by);
    else this.#pausedBy.delete(by);
    this.touch(now);
    return true;
  }

  /** Zeroes the keys it holds. Idempotent. */
  [Symbol.dispose](): void {
    this.codec[Symbol.dispose]();
  }
}
