/**
 * What holds for files that wait for a linked peer: how many, how long, and which of them go back into
 * the queue. Pure.
 *
 * @module
 */
import { QUEUE_EXPIRE_MS } from "../../../base/timing.ts";
import type { QueuePlace } from "../../../storage/journal_record.ts";
import type { TransferFailure } from "./transfer_entry.ts";

/** Most files that wait for one peer that is away: others have room beside them. */
export const MAX_WAITING_FOR_PEER = 500;

/** Why a file is not waited with any longer. */
export const EXPIRED: TransferFailure = {
  code: "TRANSFER_EXPIRED",
  message: "the peer was not there for as long as the file was to wait (boltctl send --expire): " +
    "send it again",
};

/** Why a file is not waited with any longer that the peer had no space for. */
export const EXPIRED_WITHOUT_SPACE: TransferFailure = {
  code: EXPIRED.code,
  message: "the peer had no space for it for as long as the file was to wait (boltctl send " +
    "--expire): have space made there, and send it again",
};

/** Why a file is not waited with any longer. */
export const NOT_LINKED: TransferFailure = {
  code: "PEER_NOT_LINKED",
  message:
    "the link to the peer was removed, or the peer is not trusted any more, while the file " +
    "waited: link it again (boltctl link add), and send the file again",
};

/** What a place in the queue is made of. */
export interface PlaceOptions
  extends Pick<QueuePlace, "order" | "priority" | "mtimeMs" | "ino" | "rateLimit"> {
  /** How long it is to wait, in milliseconds. @default {QUEUE_EXPIRE_MS} */
  readonly lifetimeMs?: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** A place in the queue, from now on. */
export function placeInQueue(
  { lifetimeMs = QUEUE_EXPIRE_MS, now, ...place }: PlaceOptions,
): QueuePlace {
  return { ...place, expiresAt: now + lifetimeMs, lifetimeMs };
}

/**
 * How long a file still waits, in milliseconds from 0 up. A clock that was put back since it was
 * queued gives it no more than its whole time.
 */
export function leftMs({ expiresAt, lifetimeMs }: QueuePlace, now: number): number {
  return Math.max(0, Math.min(expiresAt - now, lifetimeMs));
}

/** A try of a file that was cut off. */
export interface CutOff {
  /** Whether the next try can name this one to the peer, which then does not take the file twice. */
  readonly resumes: boolean;
  /** Whether the peer has accepted it. */
  readonly isAccepted: boolean;
  /** Bytes of the file. */
  readonly size: number;
}

/** Whether the file of a try that was cut off can be sent again without arriving twice. */
export function isRepeatable({ resumes, isAccepted, size }: CutOff): boolean {
  // An empty file has arrived as soon as it is accepted.
  return resumes || (!isAccepted && size > 0);
}
