/**
 * The errors of the program: values with a stable code and a message that says what to do.
 *
 * @module
 */
import { systemReason } from "./system_error.ts";

/** What every error of ours is: a stable `code` for programs, a `message` for the operator. */
export abstract class DaemonError extends Error {
  /** Stable, upper-case code; tooling may depend on it. */
  abstract readonly code: string;
  /** The class's name. */
  override get name(): string {
    return this.constructor.name;
  }
}

/** An error of a class that has several codes. */
export abstract class CodedError<Code extends string> extends DaemonError {
  /**
   * Makes an error.
   *
   * @param code Stable code.
   * @param message What happened and what to do.
   * @param options The cause.
   */
  constructor(readonly code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** The command line can't be obeyed. Found before any file or network is touched. */
export class UsageError extends DaemonError {
  /** Stable, for programs; people read the message. */
  readonly code = "USAGE";
}

/** Something outside did not happen in time. */
export class DeadlineError extends DaemonError {
  /** Stable, for programs; people read the message. */
  readonly code = "DEADLINE";
}

/** The operator or the system asked the run to end (SIGINT, SIGTERM, shutdown). */
export class InterruptedError extends DaemonError {
  /** Stable, for programs; people read the message. */
  readonly code = "INTERRUPTED";
}

/** Why a signal (offer, answer, hello, ack) could not be exchanged. */
export type SignalErrorCode =
  | "BUNDLE_INVALID"
  | "BUNDLE_TOO_LARGE"
  | "SIGNAL_FILE"
  | "SIGNAL_STREAM"
  | "RENDEZVOUS_UNREACHABLE"
  | "RENDEZVOUS_CLOSED"
  | "RENDEZVOUS_REFUSED"
  | "RENDEZVOUS_HOSTILE"
  | "VERSION_UNSUPPORTED"
  | "SCOPE_MISMATCH"
  | "PEER_MISMATCH"
  | "PEER_DECLINED";

/** Signaling failed: the offer or answer could not be had, or may not be used. */
export class SignalError extends CodedError<SignalErrorCode> {}

/** Why a peer connection could not be made or was lost. */
export type TransportErrorCode =
  | "SETUP_FAILED"
  | "SDP_REFUSED"
  | "PEER_UNPROVEN"
  | "CHANNEL_CLOSED"
  | "CHANNEL_LOST"
  | "MESSAGE_EMPTY"
  | "MESSAGE_TOO_LARGE"
  | "RECEIVE_OVERFLOW";

/** The peer connection or its channel failed. */
export class TransportError extends CodedError<TransportErrorCode> {}

/** Why something on disk could not be used, written or trusted. */
export type StorageErrorCode =
  | "ACCESS_DENIED"
  | "API_FILE_INVALID"
  | "DISK_FULL"
  | "FOLDER_CHANGED"
  | "FOLDER_INVALID"
  | "FOLDER_LOCKED"
  | "HASH_MISMATCH"
  | "IDENTITY_INVALID"
  | "IDENTITY_MISSING"
  | "IDENTITY_UNPROVEN"
  | "INBOX_CHANGED"
  | "IO_FAILED"
  | "JOURNAL_INVALID"
  | "LINKS_INVALID"
  | "MODE_TOO_OPEN"
  | "NAME_REFUSED"
  | "NAME_TAKEN"
  | "OWNER_FOREIGN"
  | "PEERS_INVALID"
  | "PEER_NAME_TAKEN"
  | "QUEUE_FULL"
  | "REQUESTS_INVALID"
  | "RECEIVED_INVALID"
  | "SIZE_MISMATCH"
  | "SOURCE_CHANGED"
  | "SOURCE_GONE"
  | "SOURCE_TOO_LARGE"
  | "SOURCE_UNUSABLE"
  | "STORE_FULL"
  | "TRUST_INVALID";

/** A file or folder could not be used. Nothing is ever reset or replaced in answer to it. */
export class StorageError extends CodedError<StorageErrorCode> {}

/** Whether an error says that there is no space, which may be there later. */
export function isDiskFull(error: unknown): error is StorageError {
  return error instanceof StorageError && error.code === "DISK_FULL";
}

/** The one-shot payload exchange went wrong. */
export class PayloadError extends DaemonError {
  /** Stable, for programs; people read the message. */
  readonly code = "PAYLOAD_MISMATCH";
}

/** The message of anything thrown, for a log line; what the system refused, in our words. */
export function messageOf(error: unknown): string {
  if (error instanceof DaemonError) return error.message;
  return systemReason(error) ?? (error instanceof Error ? error.message : String(error));
}
