/**
 * The protocol's errors: the 26 registered codes, what each one ends, and the class that carries them.
 *
 * The registry is closed: no other code is ever sent, and one that arrives is itself a violation
 * (the wire format, section 6).
 *
 * @module
 */
import { DaemonError } from "../base/errors.ts";
import type { TransferId } from "./messages/transfer_id.ts";

/** What an error ends: the whole session, or only the transfer that it names. */
export type ErrorAction = "disconnect" | "cancel-transfer";

/**
 * Every code that may travel, with what it ends. Errors are fatal for the session but for the three
 * that the wire format confines to a transfer.
 */
export const ERROR_ACTIONS = {
  VERSION_MISMATCH: "disconnect",
  ENCRYPTION_FAILED: "disconnect",
  INTEGRITY_FAILED: "disconnect",
  REPLAY_DETECTED: "disconnect",
  TRANSFER_FAILED: "disconnect",
  LIMIT_EXCEEDED: "cancel-transfer",
  CONNECTION_LOST: "disconnect",
  PEER_NOT_FOUND: "disconnect",
  ALREADY_CONNECTED: "disconnect",
  INVALID_STATE: "disconnect",
  KEY_MISMATCH: "disconnect",
  DUPLICATE_HELLO: "disconnect",
  ENVELOPE_REQUIRED: "disconnect",
  ENVELOPE_UNNEGOTIATED: "disconnect",
  ENVELOPE_DECRYPT_FAIL: "disconnect",
  ENVELOPE_INVALID: "disconnect",
  HELLO_PARSE_ERROR: "disconnect",
  HELLO_DECRYPT_FAIL: "disconnect",
  HELLO_SCHEMA_ERROR: "disconnect",
  INVALID_MESSAGE: "disconnect",
  UNKNOWN_MESSAGE_TYPE: "disconnect",
  PROTOCOL_VIOLATION: "disconnect",
  RATCHET_STATE_ERROR: "disconnect",
  RATCHET_CHAIN_ERROR: "cancel-transfer",
  RATCHET_DECRYPT_FAIL: "cancel-transfer",
  RATCHET_DOWNGRADE_REJECTED: "disconnect",
} as const satisfies Readonly<Record<string, ErrorAction>>;

/** One of the 26 registered codes. */
export type ErrorCode = keyof typeof ERROR_ACTIONS;

/** A code that may be put into an error frame: all but CONNECTION_LOST, which is local only. */
export type WireErrorCode = Exclude<ErrorCode, "CONNECTION_LOST">;

/** A code that ends one transfer and leaves the session alive. */
export type TransferErrorCode = {
  [Code in ErrorCode]: typeof ERROR_ACTIONS[Code] extends "cancel-transfer" ? Code : never;
}[ErrorCode];

/** Whether a value is one of the 26 codes. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERROR_ACTIONS, value);
}

/** Whether a code ends only the transfer that it names. */
export function isTransferErrorCode(code: ErrorCode): code is TransferErrorCode {
  return ERROR_ACTIONS[code] === "cancel-transfer";
}

/** Options of a {@linkcode ProtocolError}. */
export interface ProtocolErrorOptions extends ErrorOptions {
  /** The transfer that the error is about. */
  readonly transferId?: TransferId;
}

/** The peer, or the path to it, broke the protocol. The code is the one that goes on the wire. */
export class ProtocolError extends DaemonError {
  /** The registered code. */
  readonly code: ErrorCode;
  /** The transfer that the error is about, if it is about one. */
  readonly transferId: TransferId | undefined;

  /**
   * Makes an error with a registered code.
   *
   * @param code The registered code.
   * @param message For the operator; never holds keys or contents.
   * @param options The transfer and the cause.
   */
  constructor(code: ErrorCode, message: string, options: ProtocolErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.transferId = options.transferId;
  }

  /** What the peer is told of it. */
  get messageForPeer(): string {
    return this.message;
  }

  /** What this error ends. Without a transfer to cancel it is the session. */
  get action(): ErrorAction {
    return this.transferId === undefined ? "disconnect" : ERROR_ACTIONS[this.code];
  }
}

/** Our own program asked for a move that the protocol does not allow now. Nothing was sent. */
export class MisuseError extends DaemonError {
  /** Stable, for programs; people read the message. */
  readonly code = "MISUSE";
}
