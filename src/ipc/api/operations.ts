/**
 * What the daemon does for applications: the service behind the local API. The app layer
 * implements it; the server calls it with parameters that are already validated.
 *
 * @module
 */
import type {
  AcceptRequest,
  PairingDecision,
  PairRequest,
  PinnedDecision,
  SendRequest,
  ShutdownRequest,
} from "./schemas.ts";
import type { Pairing, Peer, Session, Status, Transfer, TransferPage } from "./schemas.ts";
import type { TransferQuery } from "./schemas.ts";

/** Pins a decision about an identity. */
export interface TrustParameters {
  /** The identity that is decided about, 64 lower-case hex. */
  readonly identity: string;
  /** What is pinned. */
  readonly decision: PinnedDecision;
  /** The pinned identity that this one takes the place of, and the SAS that people compared. */
  readonly replacing?: { readonly identity: string; readonly sas: string };
}

/** Page and filter of the transfer list, defaults filled in. */
export type ListTransfersParameters = TransferQuery & { readonly limit: number };

/** What to send, defaults filled in. */
export type SendParameters = SendRequest & { readonly priority: number };

/**
 * The daemon's operations. Each answers promptly: what takes long (a session, a transfer) is
 * started, and its course told by events. Each may throw `OperationError`; anything else thrown
 * is logged and answered as INTERNAL without its message.
 *
 * `signal` aborts when the caller's deadline is over; an operation that still waits then gives up.
 * Peer codes arrive without hyphens and SAS in upper case.
 */
export interface DaemonOperations {
  /** The daemon at a glance. */
  status(signal: AbortSignal): Promise<Status>;
  /** Begins the shutdown and returns; the answer reaches the caller before the API closes. */
  shutdown(request: ShutdownRequest, signal: AbortSignal): Promise<void>;

  /** Begins a session; its state is `signaling`. */
  pair(request: PairRequest, signal: AbortSignal): Promise<Session>;
  /** The sessions of this run, ended ones too (a bounded number of them). */
  listSessions(signal: AbortSignal): Promise<Session[]>;
  /**
   * One session.
   * @throws {OperationError} SESSION_NOT_FOUND
   */
  getSession(sessionId: string, signal: AbortSignal): Promise<Session>;
  /** Ends a session, or the attempt at one. @throws {OperationError} SESSION_NOT_FOUND */
  closeSession(sessionId: string, signal: AbortSignal): Promise<Session>;

  /** All peers that are pinned or were met in this run. */
  listPeers(signal: AbortSignal): Promise<Peer[]>;
  /**
   * One peer.
   * @throws {OperationError} PEER_NOT_FOUND
   */
  getPeer(identity: string, signal: AbortSignal): Promise<Peer>;
  /**
   * Pins a decision, or replaces a pinned key with the SAS confirmed.
   * @throws {OperationError} SAS_MISMATCH, SAS_ATTEMPTS_EXHAUSTED, PEER_NOT_FOUND, KEY_MISMATCH
   */
  trust(parameters: TrustParameters, signal: AbortSignal): Promise<Peer>;
  /** Forgets the pinned decision. @throws {OperationError} PEER_NOT_FOUND */
  untrust(identity: string, signal: AbortSignal): Promise<void>;
  /**
   * Accepts a peer's offers without asking, or no longer.
   * @throws {OperationError} PEER_NOT_FOUND
   */
  setAutoAccept(identity: string, enabled: boolean, signal: AbortSignal): Promise<Peer>;

  /** The requests that wait for a decision. */
  listPairings(signal: AbortSignal): Promise<Pairing[]>;
  /**
   * One pairing request.
   * @throws {OperationError} PAIRING_NOT_FOUND
   */
  getPairing(pairingId: string, signal: AbortSignal): Promise<Pairing>;
  /**
   * Decides a pairing request.
   * @throws {OperationError} PAIRING_NOT_FOUND, INVALID_STATE, SAS_MISMATCH, SAS_ATTEMPTS_EXHAUSTED
   */
  decidePairing(
    pairingId: string,
    decision: PairingDecision,
    signal: AbortSignal,
  ): Promise<Pairing>;

  /**
   * Queues all files or none.
   * @throws {OperationError} FILE_UNREADABLE, PEER_NOT_CONNECTED, SESSION_NOT_FOUND, LIMIT_EXCEEDED
   */
  send(parameters: SendParameters, signal: AbortSignal): Promise<Transfer[]>;
  /**
   * A page of transfers, newest first.
   * @throws {OperationError} CURSOR_INVALID
   */
  listTransfers(parameters: ListTransfersParameters, signal: AbortSignal): Promise<TransferPage>;
  /**
   * One transfer.
   * @throws {OperationError} TRANSFER_NOT_FOUND
   */
  getTransfer(transferId: string, signal: AbortSignal): Promise<Transfer>;
  /**
   * Accepts an offered file.
   * @throws {OperationError} TRANSFER_NOT_FOUND, INVALID_STATE, NAME_REFUSED, LIMIT_EXCEEDED
   */
  acceptTransfer(
    transferId: string,
    request: AcceptRequest,
    signal: AbortSignal,
  ): Promise<Transfer>;
  /**
   * Refuses an offered file.
   * @throws {OperationError} TRANSFER_NOT_FOUND, INVALID_STATE
   */
  rejectTransfer(transferId: string, signal: AbortSignal): Promise<Transfer>;
  /**
   * Cancels a transfer, in either direction.
   * @throws {OperationError} TRANSFER_NOT_FOUND, INVALID_STATE
   */
  cancelTransfer(transferId: string, signal: AbortSignal): Promise<Transfer>;
  /**
   * Holds a transfer.
   * @throws {OperationError} TRANSFER_NOT_FOUND, INVALID_STATE
   */
  pauseTransfer(transferId: string, signal: AbortSignal): Promise<Transfer>;
  /**
   * Lets a held transfer go on.
   * @throws {OperationError} TRANSFER_NOT_FOUND, INVALID_STATE
   */
  resumeTransfer(transferId: string, signal: AbortSignal): Promise<Transfer>;
}
