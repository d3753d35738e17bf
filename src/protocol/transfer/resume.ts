/**
 * The extension `resume`: a file that was lost on its way goes on where its receiver has it up to.
 * The rules of its three optional fields; docs/PROTOCOL.md describes them.
 *
 * @module
 */
import { type ErrorCode, MisuseError, ProtocolError } from "../errors.ts";
import { chunkCount, type FileOffer } from "../messages/inner_message.ts";
import { parseTransferId, type TransferId } from "../messages/transfer_id.ts";

/**
 * What a session makes of the extension's fields: `unknown`: we don't have it, they are ignored as
 * all unknown fields are. `unused`: we have it, and the session may not use it. `used`: both sides
 * have it, the peer has proven who it is, and file hashes are agreed.
 */
export type ResumeMode = "unknown" | "unused" | "used";

/** What of a file decides where it can go on. */
export type Resumable = Pick<FileOffer, "size" | "chunkSize">;

/**
 * Where a file goes on of which so many bytes are kept: at the last whole chunk's end. At least its
 * last chunk comes again, as one of which none comes is here under its name.
 */
export function resumePoint(keptBytes: number, { size, chunkSize }: Resumable): number {
  const beforeLast = Math.max(0, chunkCount(size, chunkSize) - 1) * chunkSize;
  return Math.min(keptBytes - keptBytes % chunkSize, beforeLast);
}

/** Chunks of a file that are still to come from a byte on. */
export function chunksFrom(resumeFrom: number, { size, chunkSize }: Resumable): number {
  return chunkCount(size - resumeFrom, chunkSize);
}

/** Whether a file can go on at this byte: at a chunk's beginning, or at its end for none at all. */
export function canResumeFrom(value: unknown, { size, chunkSize }: Resumable): value is number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) return false;
  return value >= 0 && value <= size && (value % chunkSize === 0 || value === size);
}

/**
 * The byte from which the receiver wants the file; undefined when it does not say.
 *
 * @param value The accept's field, as it came.
 * @throws {ProtocolError} PROTOCOL_VIOLATION when the session may not use it, or the file can't go
 * on there.
 */
export function acceptedFrom(
  value: unknown,
  offer: FileOffer,
  mode: ResumeMode,
): number | undefined {
  if (value === undefined || mode === "unknown") return undefined;
  if (mode === "used" && canResumeFrom(value, offer)) return value;
  throw bad("PROTOCOL_VIOLATION", "the peer's file-accept has a resumeFrom that can't be");
}

/**
 * The try that an offer makes again; undefined when it does not say.
 *
 * @param value The offer's field, as it came.
 * @throws {ProtocolError} INVALID_MESSAGE when it is no transfer's id.
 */
export function retriedBy(value: unknown, mode: ResumeMode): TransferId | undefined {
  if (value === undefined || mode !== "used") return undefined;
  const id = parseTransferId(value);
  if (id !== undefined) return id;
  throw bad("INVALID_MESSAGE", "the peer's file-offer has no valid retryOf");
}

/**
 * Whether a cancel, or an error about a transfer, leaves it to the peer to go on later.
 *
 * @param value The message's field, as it came.
 * @throws {ProtocolError} INVALID_MESSAGE when it is neither true nor false.
 */
export function leavesResumable(value: unknown, mode: ResumeMode): boolean {
  if (value === undefined || mode !== "used") return false;
  if (typeof value === "boolean") return value;
  throw bad("INVALID_MESSAGE", "the peer's message has no valid resumable");
}

/** The id of a try of ours. @throws {MisuseError} When it is none. */
export function ownRetryOf(value: string): TransferId {
  const id = parseTransferId(value);
  if (id !== undefined) return id;
  throw new MisuseError("a try that is made again is named by its transfer id");
}

function bad(code: ErrorCode, message: string): ProtocolError {
  return new ProtocolError(code, message);
}
