/**
 * How transfers end early, as the API reports it: out of what the core says, or what went wrong
 * here.
 *
 * @module
 */
import { DaemonError, messageOf } from "../../../base/errors.ts";
import type { EndedEffect } from "../../../protocol/transfer/effects.ts";
import { DAEMON_STOPPED } from "../../../storage/journal_record.ts";
import type { TransferFailure } from "./transfer_entry.ts";

/** An end other than a completion. */
export type TransferEnd =
  /** It failed, or the daemon or the session ended: the reason. */
  | { readonly state: "failed" | "interrupted"; readonly failure: TransferFailure }
  /** Somebody wanted it: who or why, where it was not an application of this daemon. */
  | { readonly state: "rejected" | "cancelled"; readonly failure?: TransferFailure };

/** What went wrong on our side. A file with another hash is the protocol's INTEGRITY_FAILED. */
export function failureOf(error: unknown): TransferFailure {
  const code = error instanceof DaemonError ? error.code : "TRANSFER_FAILED";
  return { code: code === "HASH_MISMATCH" ? "INTEGRITY_FAILED" : code, message: messageOf(error) };
}

/** What a cancel can mean, which carries no reason on the wire. */
const REJECTED = {
  code: "TRANSFER_REJECTED",
  message: "the peer cancelled the offer and gave no reason: it was declined there, or nobody " +
    "decided in time, or its daemon stops, or the file's name can't be used, or there is no space",
};
/** What a cancel by the receiver can mean. */
export const CANCELLED_BY_RECEIVER: TransferFailure = {
  code: "CANCELLED_BY_PEER",
  message: "the peer cancelled and gave no reason: it was cancelled there, or its daemon " +
    "stops, or it can't keep the file (disk, space, name)",
};
/** What a cancel means that leaves it to be gone on with. */
export const PEER_STOPPED: TransferFailure = {
  code: "PEER_STOPPED",
  message:
    "the peer's daemon stops, or has opened a newer session: when the file is sent again, it " +
    "goes on with what has arrived",
};
const CANCELLED_BY_SENDER = {
  code: "CANCELLED_BY_PEER",
  message: "the sender cancelled and gave no reason: it was cancelled there, or its daemon " +
    "stops, or it can't read the file any more, or the file has changed",
};
const CODES = { unanswered: "OFFER_EXPIRED", crossed: "OFFERS_CROSSED" } as const;

/** State and failure of a transfer that ended without being completed, and not by this side. */
export function endOf(
  direction: "outgoing" | "incoming",
  ended: EndedEffect,
  started: boolean,
  lost: boolean,
): TransferEnd {
  const code = ended.error?.code;
  // What was only offered has no content that could be wrong: a file before it had.
  const isOthers = !started && code === "INTEGRITY_FAILED";
  if (code === "CONNECTION_LOST" || isOthers || (lost && ended.outcome !== "failed")) {
    return {
      state: "interrupted",
      failure: { code: "CONNECTION_LOST", message: ended.message },
    };
  }
  if (ended.resumable && ended.outcome !== "failed") {
    return {
      state: "interrupted",
      failure: ended.by === "remote"
        ? PEER_STOPPED
        : { code: DAEMON_STOPPED, message: ended.message },
    };
  }
  if (ended.outcome === "failed") {
    return {
      state: "failed",
      failure: { code: code ?? "TRANSFER_FAILED", message: ended.message },
    };
  }
  if (ended.by === "remote") {
    if (direction === "incoming") return { state: "cancelled", failure: CANCELLED_BY_SENDER };
    return started
      ? { state: "cancelled", failure: CANCELLED_BY_RECEIVER }
      : { state: "rejected", failure: REJECTED };
  }
  if (ended.reason === undefined) return { state: "cancelled" };
  const failure = { code: CODES[ended.reason], message: ended.message };
  return { state: "cancelled", failure };
}
