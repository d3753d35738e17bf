/**
 * Transfers with the published web client. It knows neither offer, accept, finish nor ping and takes
 * them, and every error, for the end of the session: a file starts with its first chunk and is
 * complete with its last.
 *
 * @module
 */
import type { Dialect } from "./dialect.ts";
import { DEFAULT_CHUNK_BYTES } from "./limits.ts";

/** How transfers are spoken of with the published web client. */
export const WEB_DIALECT: Dialect = {
  offersFiles: false,
  answersPings: false,
  chunkBytes: DEFAULT_CHUNK_BYTES,
  unsendable: (size, chunkSize) => {
    if (size === 0) return "a web client can't receive an empty file";
    if (chunkSize === DEFAULT_CHUNK_BYTES) return undefined;
    return `a web client takes chunks of ${DEFAULT_CHUNK_BYTES} bytes only`;
  },
  chunk: (chunk, { filename, size: fileSize, fileHash }) =>
    chunk.chunkIndex === 0 && fileHash !== undefined
      ? { ...chunk, file: { filename, fileSize, fileHash } }
      : chunk,
  finish: () => undefined,
  cancel: (transferId, direction) => {
    const cancelledBy = direction === "outgoing" ? "sender" : "receiver";
    return { type: "cancel", transferId, cancelledBy };
  },
  refuse: (transferId, direction) => WEB_DIALECT.cancel(transferId, direction),
  begunBy: ({ transferId, totalChunks, file: begun }) => {
    if (begun === undefined) return undefined;
    const { filename, fileSize: size, fileHash } = begun;
    const file = { transferId, filename, size, totalChunks, implied: true };
    return fileHash === undefined ? file : { ...file, fileHash };
  },
};
