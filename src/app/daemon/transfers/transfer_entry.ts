/**
 * One transfer as the daemon keeps it: what the API and events show, and the journal holds.
 *
 * @module
 */
import { isFinal, type TransferState } from "../../../base/transfer_states.ts";
import { peerText } from "../../../ipc/api/peer_text.ts";
import type { Transfer, WaitingFor } from "../../../ipc/api/schemas.ts";
import {
  DAEMON_STOPPED,
  displayNameOf,
  fromJournalState,
  isSourcePath,
  type KeptPart,
  type QueuePlace,
  toJournalState,
  type TransferRecord,
} from "../../../storage/journal_record.ts";

/** What is still known of why it ended: the journal keeps the code. */
const messageOfEarlier = (code: string): string =>
  code === DAEMON_STOPPED
    ? "the daemon stopped, or was killed, before the transfer ended: send it again"
    : "the transfer ended in an earlier run of the daemon";

/** What a transfer is from its beginning. */
export interface TransferFacts {
  /** 32 lower-case hex digits. */
  readonly transferId: string;
  /** Seen from this daemon. */
  readonly direction: "outgoing" | "incoming";
  /** Identity key of the peer, 64 lower-case hex digits. */
  readonly identity: string;
  /** The name on the wire: of a peer's choice when incoming. */
  readonly name: string;
  /** Length in bytes, from 0 up. */
  readonly size: number;
  /** Higher goes first; among equal ones peers take turns. */
  readonly priority: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Outgoing: the source. */
  readonly sourcePath?: string;
  /** Outgoing: its place in the queue, where it waits for a linked peer whenever that is away. */
  readonly queue?: QueuePlace;
}

/** Why a transfer ended early; the message may hold a peer's text. */
export interface TransferFailure {
  /** Stable, for programs; people read the message. */
  readonly code: string;
  /** What happened and what to do, for people. */
  readonly message: string;
}

/** What changes while a transfer lives. */
export interface TransferProgress {
  /** How far it is. */
  readonly state: TransferState;
  /** What it waits for, where the state alone does not say; undefined for nothing more. */
  readonly waitingFor?: WaitingFor | undefined;
  /** Outgoing: when it is offered again to a peer that had no space, in milliseconds since 1970. */
  readonly nextTryAt?: number | undefined;
  /** Bytes sent, or received and written. */
  readonly transferred: number;
  /** When bytes began to flow, in milliseconds since 1970. */
  readonly startedAt?: number;
  /** Outgoing: the id of its last offer on the wire, 32 lower-case hex digits. */
  readonly protocolTransferId?: string;
  /** Outgoing: bytes that the hash has seen, while it is made. */
  readonly hashed?: number;
  /** SHA-256, once known. */
  readonly fileHash?: string;
  /** The session that carries it, once there is one. */
  readonly sessionId?: string | undefined;
  /**
   * Bytes of earlier tries that it began with. Outgoing: as the peer claims; they were not sent.
   */
  readonly resumedFrom?: number | undefined;
  /** Outgoing: the last try of this file that the peer has accepted, by its id on the wire. */
  readonly lastTry?: string | undefined;
  /** Incoming: whether a partial file is in the inbox. */
  readonly hasPart: boolean;
  /** Incoming: what is known of that, where another session can go on with it. */
  readonly kept?: KeptPart | undefined;
  /** Incoming: the name it has, or is about to get, in the inbox. */
  readonly savedAs?: string;
  /** Incoming and completed: where the file is. */
  readonly savedPath?: string;
  /** Outgoing and completed: whether the peer has confirmed it; not known of old ones. */
  readonly confirmed?: boolean;
  /** Why it ended early. */
  readonly failure?: TransferFailure;
  /** Milliseconds since 1970. */
  readonly updatedAt: number;
}

/** A transfer; its progress is replaced, never edited. */
export class TransferEntry {
  /** What it is. */
  readonly facts: TransferFacts;
  #progress: TransferProgress;

  /** Begins in a state. */
  constructor(facts: TransferFacts, state: TransferState) {
    this.facts = facts;
    this.#progress = { state, transferred: 0, hasPart: false, updatedAt: facts.createdAt };
  }

  /** A transfer of an earlier run, out of the journal. */
  static fromRecord(record: TransferRecord, pathOf: (savedAs: string) => string): TransferEntry {
    const { transferId, protocolTransferId, size, displayName: name, createdAt } = record;
    const direction = record.direction === "send" ? "outgoing" : "incoming";
    const facts: Omit<TransferFacts, "priority"> = {
      ...{ transferId, direction, identity: record.peer, name, size, createdAt },
      ...(record.sourcePath === undefined ? {} : { sourcePath: record.sourcePath }),
      ...(record.queue === undefined ? {} : { queue: record.queue }),
    };
    const { priority = 0 } = record.queue ?? {};
    const entry = new TransferEntry({ ...facts, priority }, "interrupted");
    const state = fromJournalState(record.state);
    const completed = state === "completed" && record.savedAs !== null;
    entry.#progress = {
      state,
      transferred: record.bytes,
      hasPart: record.hasPart,
      updatedAt: record.updatedAt,
      ...(state === "queued" && record.queue !== undefined ? { waitingFor: "peer" } : {}),
      ...(record.kept === undefined ? {} : { kept: record.kept }),
      ...(record.lastTry === undefined ? {} : { lastTry: record.lastTry }),
      ...(protocolTransferId === undefined ? {} : { protocolTransferId }),
      ...(record.hash === null ? {} : { fileHash: record.hash }),
      ...(record.savedAs === null ? {} : { savedAs: record.savedAs }),
      ...(completed ? { savedPath: pathOf(record.savedAs) } : {}),
      ...(record.confirmed === undefined ? {} : { confirmed: record.confirmed }),
      ...(record.error === null ? {} : {
        failure: { code: record.error, message: messageOfEarlier(record.error) },
      }),
    };
    return entry;
  }

  /** Where it stands. */
  get progress(): TransferProgress {
    return this.#progress;
  }

  /** Whether nothing more happens to it. */
  get isFinal(): boolean {
    return isFinal(this.#progress.state);
  }

  /** Whether it waits in the queue of a linked peer, which outlives sessions and the daemon. */
  get isKeptInQueue(): boolean {
    return this.facts.queue !== undefined && this.#progress.state === "queued";
  }

  /** Seconds from the start of its bytes to the last change; undefined when none flowed. */
  get seconds(): number | undefined {
    const { startedAt, updatedAt } = this.#progress;
    return startedAt === undefined ? undefined : Math.max(0, updatedAt - startedAt) / 1000;
  }

  /** The id on the wire, the same at both ends; undefined before the first offer. */
  get protocolTransferId(): string | undefined {
    const { transferId, direction } = this.facts;
    return direction === "incoming" ? transferId : this.#progress.protocolTransferId;
  }

  /** Replaces parts of the progress. */
  update(changes: Partial<TransferProgress>): void {
    this.#progress = { ...this.#progress, ...changes };
  }

  /** As the API shows it. */
  view(): Transfer {
    const { transferId, direction, identity, name, size, priority, createdAt } = this.facts;
    const { state, transferred, hashed, fileHash, sessionId, failure, updatedAt } = this.#progress;
    const { confirmed, resumedFrom, kept, nextTryAt } = this.#progress;
    const waitingFor = this.#waitingFor;
    const path = direction === "outgoing" ? this.facts.sourcePath : this.#progress.savedPath;
    const { protocolTransferId } = this;
    const expiresAt = this.isFinal ? undefined : this.facts.queue?.expiresAt;
    return {
      transferId,
      ...(protocolTransferId === undefined ? {} : { protocolTransferId }),
      direction,
      state,
      ...(confirmed === undefined ? {} : { confirmed }),
      ...(waitingFor === undefined ? {} : { waitingFor }),
      identity,
      name: peerText(name),
      size,
      transferred,
      ...(resumedFrom === undefined ? {} : { resumedFrom }),
      ...(kept === undefined || !this.isFinal ? {} : { keptBytes: kept.bytes }),
      priority,
      createdAt: new Date(createdAt).toISOString(),
      updatedAt: new Date(updatedAt).toISOString(),
      ...(nextTryAt === undefined || waitingFor !== "peer-space"
        ? {}
        : { nextTryAt: new Date(nextTryAt).toISOString() }),
      ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt).toISOString() }),
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(hashed === undefined || state !== "queued" ? {} : { hashed }),
      // As it is: an application is to open it. JSON spells out what must not be shown raw.
      ...(path === undefined ? {} : { path }),
      ...(fileHash === undefined ? {} : { fileHash }),
      ...(failure === undefined ? {} : {
        failure: { code: failure.code, message: peerText(failure.message) },
      }),
    };
  }

  get #waitingFor(): WaitingFor | undefined {
    const { state, waitingFor } = this.#progress;
    if (this.isFinal) return undefined;
    if (state === "queued") return waitingFor ?? "session";
    if (state !== "offered") return waitingFor;
    return this.facts.direction === "outgoing" ? "peer-decision" : "decision";
  }

  /** The name as people may be shown it, and as the journal holds it. */
  get displayName(): string {
    return displayNameOf(this.facts.name);
  }

  /** As the journal holds it. */
  record(): TransferRecord {
    const { transferId, direction, identity: peer, size, createdAt } = this.facts;
    const { state, transferred, fileHash, hasPart, savedAs, failure, updatedAt } = this.#progress;
    const { protocolTransferId, confirmed, kept, lastTry } = this.#progress;
    const { sourcePath, queue } = this.facts;
    return {
      transferId,
      ...(protocolTransferId === undefined ? {} : { protocolTransferId }),
      direction: direction === "outgoing" ? "send" : "receive",
      peer,
      displayName: this.displayName,
      savedAs: savedAs ?? null,
      size,
      hash: fileHash ?? null,
      state: toJournalState(state),
      ...(confirmed === undefined ? {} : { confirmed }),
      bytes: transferred,
      hasPart,
      ...(kept === undefined ? {} : { kept }),
      ...(isSourcePath(sourcePath) ? { sourcePath } : {}),
      ...(lastTry === undefined ? {} : { lastTry }),
      ...(queue === undefined ? {} : { queue }),
      error: failure === undefined ? null : failure.code,
      createdAt,
      updatedAt,
    };
  }
}
