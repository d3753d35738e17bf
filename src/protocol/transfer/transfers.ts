/**
 * The transfers of an approved session, as the program around the core uses them.
 *
 * @module
 */
import type { TransferId } from "../messages/transfer_id.ts";
import type { TransferEffect } from "./effects.ts";
import type { ChunkRequest } from "./file_sender.ts";

/** A file to offer. */
export interface FileToSend {
  /** The name that the peer sees. 1 to 1024 UTF-8 bytes. */
  readonly filename: string;
  /** Length in bytes, from 0 up. */
  readonly size: number;
  /** 64 hex digits; required when `bolt.file-hash` was negotiated. */
  readonly fileHash?: string;
  /** Bytes of plaintext in a chunk. @default {as the peer's dialect has it} */
  readonly chunkSize?: number;
  /** The try of it that was lost, by its transfer id; told where the session can resume. */
  readonly retryOf?: string;
  /** The id that this try is to have, where it had to be known before. @default {a fresh one} */
  readonly transferId?: TransferId;
}

/** What {@linkcode Transfers.offer} began. */
export interface OfferedTransfer {
  /** The transfer's id; its sender chose it. */
  readonly transferId: TransferId;
  /** What is to be carried out now. */
  readonly effects: readonly TransferEffect[];
}

/**
 * The transfers of an approved session, as the program uses them. Every method gives the effects to
 * carry out, in order. Moves for a transfer that ended recently do nothing, since its end may cross
 * the call; `now` is in ms on the session's clock.
 */
export interface Transfers {
  /** Whether a file may be offered: nothing is offered or flowing, either way. */
  readonly idle: boolean;
  /** Whether an offer of the peer's crossed our last one and gave way: it is to come again. */
  readonly peerGaveWay: boolean;
  /**
   * Offers a file; it starts at once where the dialect has no offers.
   *
   * @throws {MisuseError} When not idle, or when the file can't be offered to this peer.
   */
  offer(file: FileToSend, now: number): OfferedTransfer;
  /** Whether a file can go on that was lost before: `resumeFrom` and `retryOf` are used. */
  readonly resumes: boolean;
  /**
   * It was decided to accept an offer, and what is kept of it is looked at first: its answer may
   * take longer.
   */
  willAccept(id: TransferId, now: number): readonly TransferEffect[];
  /**
   * Accepts what was offered.
   *
   * @param resumeFrom Where it is to go on, in bytes: at a chunk's beginning; the file's size when it
   * is here already.
   * @throws {MisuseError} When there is no such offer, or it can't go on there.
   */
  accept(id: TransferId, now: number, resumeFrom?: number): readonly TransferEffect[];
  /**
   * A file that was received whole has its name, or can't get it: where the session can resume, the
   * answers to pings were kept back until then.
   */
  settled(id: TransferId, now: number): readonly TransferEffect[];
  /** Asks for a pause, or pauses sending. @throws {MisuseError} When it is not flowing. */
  pause(id: TransferId, now: number): readonly TransferEffect[];
  /** Ends our own pause. @throws {MisuseError} When it is not flowing. */
  resume(id: TransferId, now: number): readonly TransferEffect[];
  /**
   * Declines an offer, withdraws one, or stops a transfer.
   *
   * @param resumable Whether it is to go on in another session, where this one can resume.
   * @throws {MisuseError} When unknown.
   */
  cancel(id: TransferId, message: string, resumable?: boolean): readonly TransferEffect[];
  /**
   * Gives a transfer up for a failure on our side (disk, file); a file that was received whole too,
   * when it can't be kept.
   *
   * @throws {MisuseError} When unknown.
   */
  fail(id: TransferId, message: string): readonly TransferEffect[];
  /**
   * Like {@linkcode Transfers.fail}, for a file that is beyond what we can take (its name, its
   * size): the peer gets the reason with LIMIT_EXCEEDED, which ends nothing else there, or with
   * a cancel where the dialect has no such error.
   *
   * @param message For the peer: nothing of ours that it should not know.
   * @param resumable Whether the reason passes, so that the file can go on later, where this session
   * can resume.
   * @throws {MisuseError} When unknown.
   */
  failWithReason(id: TransferId, message: string, resumable?: boolean): readonly TransferEffect[];
  /**
   * Tells the peer that a file that came whole is not kept after all: with a cancel, which may wait
   * until a file that the peer sends meanwhile has ended.
   */
  takeBack(id: TransferId): readonly TransferEffect[];
  /** The piece to read and hand in next; undefined while paused, not accepted, or over. */
  nextChunk(id: TransferId): ChunkRequest | undefined;
  /**
   * Sends the piece that was asked for; one that was being read when a pause came may follow. The
   * last one ends the transfer.
   *
   * @throws {MisuseError} When it is not what was asked for.
   */
  sendChunk(id: TransferId, plaintext: Uint8Array, now: number): readonly TransferEffect[];
}
