/**
 * Transfers with the published web client. It knows neither offer, accept, finish nor ping and takes
 * them, and every error, for the end of the session: a file starts with its first chunk and is
 * complete with its last.
 *
 * @module
 */
import { BINARY_ENCODING } from "../messages/capabilities.ts";
import type { Dialect } from "./dialect.ts";
import { DEFAULT_CHUNK_BYTES } from "./limits.ts";

/** How transfers are spoken of with the published web client. */
export const WEB_DIALECT: Dialect = {
  offersFiles: false,
  // A chunk in binary leaves to the offer what a file without an offer says in its chunks. And a web
  // client keeps one ratchet for both ways, whose state its own clean-up after one file destroys for
  // the next, and which an empty file, of which nothing is sent, moves on at its end alone.
  without: new Set([BINARY_ENCODING, "bolt.transfer-ratchet-v1"]),
  steersEachTransfer: false,
  answersPings: false,
  chunkBytes: DEFAULT_CHUNK_BYTES,
  unsendable: (size) =>
    size > 0 ? undefined : "a web client can't be sent an empty file: there is no message for it",
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
