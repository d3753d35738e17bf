/**
 * What transfers ask of, and report to, the program around the core.
 *
 * @module
 */
import type { Tagged } from "../../base/tagged.ts";
import type { FinalState } from "../../base/transfer_states.ts";
import type { ProtocolError } from "../errors.ts";
import type { WireFrame } from "../messages/envelope.ts";
import type { OfTransfer } from "../messages/transfer_id.ts";
import type { OfferedFile, ReceivedChunk } from "./file_receiver.ts";

/** Which side caused something. */
export type Side = "local" | "remote";

/** Which way the file goes. */
export type Direction = "outgoing" | "incoming";

/** How a transfer ended. */
export type TransferOutcome = Extract<
  FinalState,
  /**
   * All received, and to be verified against the offer's hash; or all sent. The protocol has no
   * acknowledgement: a receiver that finds the file broken ends the session with INTEGRITY_FAILED,
   * and one that cancels before it has all makes this end a `transfer-ended-late`.
   */
  | "completed"
  /** Declined, cancelled, timed out or given up. */
  | "cancelled"
  /** Broken; `error` says how. What was received is not the file and is to be discarded. */
  | "failed"
>;

/** Why the core itself cancelled a transfer: nobody answered its offer, or the peer's goes first. */
export type CancelReason = "unanswered" | "crossed";

/** A frame to put on the channel, in order. */
export interface SendEffect extends Tagged<"send"> {
  /** Text, or bytes. */
  readonly frame: WireFrame;
}

/** A file is offered or, when `implied`, coming already: accept it, or cancel it. */
export interface OfferedEffect extends Tagged<"transfer-offered"> {
  /** What is offered. */
  readonly file: OfferedFile;
}

/** Chunks flow from here on: an accepted outgoing transfer wants its first piece. */
export interface StartedEffect extends Tagged<"transfer-started">, OfTransfer {
  /** Which way the file goes. */
  readonly direction: Direction;
  /**
   * Where it goes on, in bytes, when its receiver has said that: it claims to have what is before.
   * The file's size: it has all of it, and no chunk is sent.
   */
  readonly resumeFrom?: number;
}

/** A piece of an incoming file, in order. */
export interface ChunkEffect extends Tagged<"transfer-chunk">, ReceivedChunk, OfTransfer {}

/** A side paused. An outgoing transfer flows when neither side is pausing it. */
export interface PausedEffect extends Tagged<"transfer-paused">, OfTransfer {
  /** Which side caused it. */
  readonly by: Side;
}

/** A side ended its pause. */
export interface ResumedEffect extends Tagged<"transfer-resumed">, OfTransfer {
  /** Which side caused it. */
  readonly by: Side;
}

/** The transfer is over; release what belongs to it. Exactly once for each transfer reported. */
export interface EndedEffect extends Tagged<"transfer-ended">, OfTransfer {
  /** Which way the file goes. */
  readonly direction: Direction;
  /** Completed, cancelled or failed, and why. */
  readonly outcome: TransferOutcome;
  /** Which side caused it. */
  readonly by: Side;
  /** Why, for the operator. */
  readonly message: string;
  /** What broke, when the outcome is `failed`. */
  readonly error?: ProtocolError;
  /** Why, when the core cancelled it by itself. */
  readonly reason?: CancelReason;
  /**
   * It was cancelled to go on in another session, or failed for something that passes, as a full disk
   * does; absent otherwise.
   */
  readonly resumable?: true;
}

/**
 * The core refused, by its own rules, what the peer offered: no transfer began, and the peer was
 * told.
 */
export interface RefusedEffect extends Tagged<"transfer-refused">, OfTransfer {
  /** The rule that was broken. */
  readonly error: ProtocolError;
}

/**
 * The peer ended, without its fault, a transfer that had ended here: of a file that was sent whole,
 * it did not take the rest.
 */
export interface EndedLateEffect extends Tagged<"transfer-ended-late">, OfTransfer {
  /** What the peer said was wrong; absent when it cancelled. */
  readonly error?: ProtocolError;
  /** As in {@linkcode EndedEffect}. */
  readonly resumable?: true;
}

/** Everything that transfers ask or report. */
export type TransferEffect =
  | SendEffect
  | OfferedEffect
  | StartedEffect
  | ChunkEffect
  | PausedEffect
  | ResumedEffect
  | EndedEffect
  | EndedLateEffect
  | RefusedEffect;
