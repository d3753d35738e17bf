/**
 * Any message that may travel inside an envelope, for property tests only.
 *
 * @module
 */
import fc from "fast-check";
import { FileHash } from "../crypto/sha256.ts";
import { ERROR_ACTIONS, type ErrorCode, isErrorCode } from "../errors.ts";
import { chunkCount, type InnerMessage } from "../messages/inner_message.ts";
import type { TransferId } from "../messages/transfer_id.ts";
import { runs } from "./runs.ts";

/** Some 32 hex digits. */
const transferIds: fc.Arbitrary<TransferId> = fc
  .string({ unit: fc.constantFrom(..."0123456789abcdefABCDEF"), minLength: 32, maxLength: 32 })
  .map((text) => text as TransferId);

/** Counts from 0 to 2^53 - 1. */
const counts: fc.Arbitrary<number> = fc.maxSafeNat();

/** File names that the wire allows. */
const filenames: fc.Arbitrary<string> = fc.string({
  unit: "grapheme",
  minLength: 1,
  maxLength: 60,
});

/** Any SHA-256. */
const fileHashes: fc.Arbitrary<FileHash> = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => FileHash.of(bytes));

const errorCodes: fc.Arbitrary<ErrorCode> = fc
  .constantFrom(...Object.keys(ERROR_ACTIONS))
  .filter(isErrorCode);

const maybeHash = fc.option(fileHashes.map((fileHash) => ({ fileHash })), { nil: {} });

/** Any message that may travel inside an envelope. */
const innerMessages: fc.Arbitrary<InnerMessage> = fc.oneof(
  fc.record({ type: fc.constant("ping" as const), tsMs: counts }),
  fc.record({ type: fc.constant("pong" as const), tsMs: counts, replyToMs: counts }),
  fc.record({ type: fc.constant("app_message" as const), text: fc.string({ unit: "binary" }) }),
  fc.record({
    transferId: transferIds,
    filename: filenames,
    size: counts,
    chunkSize: fc.integer({ min: 1 }),
    hash: maybeHash,
  }).map(({ transferId, filename, size, chunkSize, hash }) => ({
    type: "file-offer" as const,
    transferId,
    filename,
    size,
    totalChunks: chunkCount(size, chunkSize),
    chunkSize,
    ...hash,
  })),
  fc.record({
    transferId: transferIds,
    filename: filenames,
    chunkIndex: fc.nat(),
    more: fc.nat(),
    chunk: fc.uint8Array(),
    extra: fc.nat(),
    hash: maybeHash,
  }).map(({ transferId, filename, chunkIndex, more, chunk, extra, hash }) => ({
    type: "file-chunk" as const,
    transferId,
    chunkIndex,
    totalChunks: chunkIndex + 1 + more,
    file: { filename, fileSize: chunkIndex + 1 + more + extra, ...hash },
    chunk: new Uint8Array(chunk),
  })),
  fc.record({ transferId: transferIds, hash: maybeHash })
    .map(({ transferId, hash }) => ({ type: "file-finish" as const, transferId, ...hash })),
  fc.record({
    type: fc.constantFrom("pause" as const, "resume" as const),
    transferId: transferIds,
  }),
  fc.record({
    type: fc.constant("file-accept" as const),
    transferId: transferIds,
    // As it comes: any JSON.
    resumeFrom: fc.jsonValue(),
  }, { requiredKeys: ["type", "transferId"] }),
  fc.record({
    type: fc.constant("cancel" as const),
    transferId: transferIds,
    cancelledBy: fc.constantFrom("initiator", "responder", "sender", "receiver"),
  }),
  fc.record({
    type: fc.constant("error" as const),
    code: errorCodes,
    message: fc.string(),
    id: fc.option(transferIds.map((transferId) => ({ transferId })), { nil: {} }),
  }).map(({ id, ...error }) => ({ ...error, ...id })),
);

/** Checks what holds of any message, for so many of them. */
export function forMessages(usual: number, check: (message: InnerMessage) => void): void {
  fc.assert(fc.property(innerMessages, check), { numRuns: runs(usual) });
}

/** A message as text, so that hashes and chunks compare by value. */
export const shown = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, field) => {
    if (field instanceof FileHash) return field.hex;
    return field instanceof Uint8Array ? field.toHex() : field;
  }));
