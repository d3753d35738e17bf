/**
 * What a transfer may cost us: sizes, counts and waits, all bounded.
 *
 * @module
 */
import { OFFER_MS, RESUME_ANSWER_MS, STALL_MS, TRANSFER_PAUSE_MS } from "../../base/timing.ts";
import { ProtocolError } from "../errors.ts";
import type { TransferId } from "../messages/transfer_id.ts";
import type { OfferedFile } from "./file_receiver.ts";

/** Plaintext bytes in a chunk unless said otherwise (the wire format, section 6). */
export const DEFAULT_CHUNK_BYTES = 16_384;

/** Largest chunk whose frame still fits `MAX_FRAME_BYTES` after two base64s and the longest name. */
export const MAX_CHUNK_BYTES = 131_072;

/** Bounds of a transfer. An offer beyond them is refused with LIMIT_EXCEEDED. */
export interface TransferLimits {
  /** Bytes. @default {10 GiB} */
  readonly maxFileBytes: number;
  /** Chunks. @default {10 GiB / 16384} */
  readonly maxTotalChunks: number;
  /** Bytes of plaintext in a chunk. @default {131072} */
  readonly maxChunkBytes: number;
}

/** The wire format's bounds. */
export const DEFAULT_LIMITS: TransferLimits = {
  maxFileBytes: 10 * 2 ** 30,
  maxTotalChunks: 10 * 2 ** 30 / DEFAULT_CHUNK_BYTES,
  maxChunkBytes: MAX_CHUNK_BYTES,
};

/** The bounds where files of so many bytes may come: as many chunks as the smallest take. */
export function limitsFor(maxFileBytes: number): TransferLimits {
  const maxTotalChunks = Math.ceil(maxFileBytes / DEFAULT_CHUNK_BYTES);
  return { ...DEFAULT_LIMITS, maxFileBytes, maxTotalChunks };
}

/** Longest waits of a transfer, in ms. */
export interface TransferTiming {
  /** From an offer to its answer, either way. @default {OFFER_MS} */
  readonly offerMs: number;
  /** More than that where the receiver may look first at what it has. @default {RESUME_ANSWER_MS} */
  readonly resumeMs: number;
  /** Without a chunk (or the finish) while nothing is paused. @default {STALL_MS} */
  readonly stallMs: number;
  /** In a pause. @default {TRANSFER_PAUSE_MS} */
  readonly pauseMs: number;
}

/** The default waits. */
export const DEFAULT_TRANSFER_TIMING: TransferTiming = {
  offerMs: OFFER_MS,
  resumeMs: RESUME_ANSWER_MS,
  stallMs: STALL_MS,
  pauseMs: TRANSFER_PAUSE_MS,
};

/** What of a file the limits are about. */
export type Measured = Pick<OfferedFile, "transferId" | "size" | "totalChunks" | "chunkSize">;

/**
 * Checks a transfer against the limits.
 *
 * @throws {ProtocolError} LIMIT_EXCEEDED, which cancels that transfer.
 */
export function checkLimits(file: Measured, limits: TransferLimits): void {
  const bounds = [
    ["bytes in the file", file.size, limits.maxFileBytes],
    ["chunks", file.totalChunks, limits.maxTotalChunks],
    ["bytes in a chunk", file.chunkSize ?? 0, limits.maxChunkBytes],
  ] as const;
  for (const [what, value, bound] of bounds) {
    if (value > bound) throw limitExceeded(file.transferId, `${value} ${what}, ${bound} allowed`);
  }
}

/** The error for a transfer beyond a limit. */
export function limitExceeded(transferId: TransferId, message: string): ProtocolError {
  return new ProtocolError("LIMIT_EXCEEDED", message, { transferId });
}
