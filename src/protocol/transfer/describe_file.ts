/**
 * From a file that is to be sent to the offer that describes it, within what the peer can take.
 *
 * @module
 */
import { FileHash } from "../crypto/sha256.ts";
import { MisuseError } from "../errors.ts";
import { chunkCount, type FileOffer, isFilename } from "../messages/inner_message.ts";
import type { TransferId } from "../messages/transfer_id.ts";
import type { Dialect } from "./dialect.ts";
import { checkLimits, type TransferLimits } from "./limits.ts";
import type { FileToSend } from "./transfers.ts";

/** What decides how a file is described. */
export interface DescribeOptions {
  /** How the peer speaks. */
  readonly dialect: Dialect;
  /** `bolt.file-hash` was negotiated. */
  readonly fileHash: boolean;
  /** The bounds that hold. */
  readonly limits: TransferLimits;
}

/**
 * The offer of a file.
 *
 * @throws {MisuseError} When the file can't be offered to this peer; the message says why.
 */
export function describeFile(
  file: FileToSend,
  transferId: TransferId,
  options: DescribeOptions,
): FileOffer {
  const { dialect } = options;
  const { filename, size, chunkSize = dialect.chunkBytes } = file;
  const fileHash = options.fileHash ? FileHash.parse(file.fileHash) : undefined;
  const problem = firstProblem([
    [isFilename(filename), "a file's name has 1 to 1024 bytes of UTF-8"],
    [Number.isSafeInteger(size) && size >= 0, "a file's size is a number of bytes"],
    [Number.isSafeInteger(chunkSize) && chunkSize > 0, "a chunk has at least one byte"],
    [!options.fileHash || fileHash, "the peer agreed to file hashes: give the file's SHA-256"],
  ]) ?? dialect.unsendable(size);
  if (problem !== undefined) throw new MisuseError(problem);
  const totalChunks = chunkCount(size, chunkSize);
  const offer = { type: "file-offer", transferId, filename, size, totalChunks, chunkSize } as const;
  try {
    checkLimits(offer, options.limits);
  } catch (cause) {
    throw new MisuseError("the file is larger than this daemon's limits", { cause });
  }
  return fileHash === undefined ? offer : { ...offer, fileHash };
}

/** The message of the first rule that does not hold. */
function firstProblem(rules: readonly (readonly [unknown, string])[]): string | undefined {
  return rules.find(([holds]) => !holds)?.[1];
}
