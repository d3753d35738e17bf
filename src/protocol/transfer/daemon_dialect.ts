/**
 * Transfers with a daemon, as published: offer, accept, chunks, finish.
 *
 * @module
 */
import type { Dialect } from "./dialect.ts";
import { MAX_CHUNK_BYTES } from "./limits.ts";

/** Bytes of a chunk between daemons: with both base64s its frame fits every peer's message. */
export const CHUNK_BYTES = 64 * 1024;

/** How transfers are spoken of with a daemon. */
export const DAEMON_DIALECT: Dialect = {
  offersFiles: true,
  without: new Set(),
  steersEachTransfer: true,
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

/**
 * With the binary encoding a larger chunk is cheaper: what each costs beside its bytes (keys, system
 * calls, messages to the program) comes half as often.
 */
export const BINARY_DAEMON_DIALECT: Dialect = { ...DAEMON_DIALECT, chunkBytes: MAX_CHUNK_BYTES };
