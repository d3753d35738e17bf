/**
 * Transfers with a daemon, as published: offer, accept, chunks, finish.
 *
 * @module
 */
import type { Dialect } from "./dialect.ts";

/** Bytes of a chunk between daemons: with both base64s its frame fits every peer's message. */
export const CHUNK_BYTES = 64 * 1024;

/** How transfers are spoken of with a daemon. */
export const DAEMON_DIALECT: Dialect = {
  offersFiles: true,
  answersPings: true,
  chunkBytes: CHUNK_BYTES,
  unsendable: () => undefined,
  chunk: (chunk) => chunk,
  finish: ({ transferId, fileHash }) => {
    const finish = { type: "file-finish", transferId } as const;
    return fileHash === undefined ? finish : { ...finish, fileHash };
  },
  cancel: (transferId, direction) => {
    const cancelledBy = direction === "outgoing" ? "initiator" : "responder";
    return { type: "cancel", transferId, cancelledBy };
  },
  refuse: (transferId, _, { code, message }) => ({ type: "error", code, message, transferId }),
  begunBy: () => undefined,
};
