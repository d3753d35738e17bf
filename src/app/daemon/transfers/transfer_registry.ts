/**
 * All transfers of the daemon: found by id, journaled before their events are published, bounded.
 *
 * @module
 */
import { type DaemonError, isDiskFull, messageOf } from "../../../base/errors.ts";
import { BackOff } from "../../../base/back_off.ts";
import { systemTimer, type Timer } from "../../../base/timer.ts";
import { PROGRESS_MS, SPACE_RETRY } from "../../../base/timing.ts";
import { isFinal } from "../../../base/transfer_states.ts";
import type { EventHub } from "../../../ipc/server/event_hub.ts";
import type { ListTransfersParameters } from "../../../ipc/api/operations.ts";
import { OperationError } from "../../../ipc/api/problem.ts";
import type { Transfer, TransferPage } from "../../../ipc/api/schemas.ts";
import type { Log } from "../../../log/log.ts";
import { displaced } from "../../../storage/fair_share.ts";
import type { Journal } from "../../../storage/journal.ts";
import { storageFailure } from "../../../storage/failure.ts";
import type { TransferRecord } from "../../../storage/journal_record.ts";
import { arrivalOf, type ReceivedFiles } from "../../../storage/received_files.ts";
import type { Tally } from "../tally.ts";
import { TransferEntry, type TransferFacts, type TransferProgress } from "./transfer_entry.ts";

/** Most transfers that are remembered; the oldest ended ones of whoever has most go first. */
export const MAX_ENTRIES = 1000;

/** Changes that may wait for the disk before those who bring more are asked to wait. */
export const MAX_WAITING_CHANGES = 64;

/** Events about a transfer that carry all of it. */
export type TransferEventType =
  | "transfer-queued"
  | "transfer-offered"
  | "transfer-started"
  | "transfer-paused"
  | "transfer-resumed"
  | "transfer-finished"
  | "transfer-failed";

/** Options of a {@linkcode TransferRegistry}. */
export interface TransferRegistryOptions {
  /** Where changes are kept. */
  readonly journal: Journal;
  /** Where files are recorded that have arrived. */
  readonly received: Pick<ReceivedFiles, "record">;
  /** Where changes are published. */
  readonly events: EventHub;
  /** Counts ends and bytes. */
  readonly tally?: Tally;
  /** Told of each transfer's start and end, and of what the journal refuses. */
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Ends the wait before a file that has arrived is recorded again. @default {systemTimer} */
  readonly after?: Timer;
  /** Removes the partial file of a transfer that is forgotten. */
  readonly dropPart: (transferId: string) => Promise<void>;
  /** Path of a file in the inbox. */
  readonly pathOf: (savedAs: string) => string;
  /**
   * Whether the peer of a session that is being closed has confirmed the cancel of its transfers.
   */
  readonly confirmedBy?: (sessionId: string | undefined) => Promise<boolean> | undefined;
}

/** What a file is by its content. */
export interface FileContent {
  /** Length in bytes. */
  readonly size: number;
  /** SHA-256, 64 lower-case hex digits. */
  readonly hash: string;
}

interface Rate {
  at: number;
  bytes: number;
}

/**
 * The transfers that are remembered, live and ended. Disposing it stops its timer.
 */
export class TransferRegistry implements Disposable {
  readonly #options: TransferRegistryOptions;
  /** By {@linkcode keyOf}, in the order of their beginning. */
  readonly #entries = new Map<string, TransferEntry>();
  readonly #rates = new Map<TransferEntry, Rate>();
  #writing: Promise<unknown> = Promise.resolve();
  /** The last change of each: resolves, when it was written, with why it could not be. */
  readonly #lastKept = new WeakMap<TransferEntry, Promise<DaemonError | undefined>>();
  #waiting = 0;
  /** Each gives one change to the journal, when there is room. */
  readonly #unwritten: (() => void)[] = [];
  #atJournal = 0;
  /** Files that have arrived and are not recorded, in the order of arriving. */
  readonly #unrecorded: { readonly record: TransferRecord; readonly tell: () => void }[] = [];
  readonly #retryWaits = new BackOff(SPACE_RETRY);
  #stopRetry: (() => void) | undefined;
  #isDisposed = false;
  #mayEnd: ((entry: TransferEntry) => Promise<boolean>) | undefined;
  /** Resolved, and replaced, when a transfer has ended, or is back in its queue. */
  #cameToRest = Promise.withResolvers<void>();

  /** Starts with what the journal remembers. */
  constructor(options: TransferRegistryOptions) {
    this.#options = options;
    const records = options.journal.list().sort((a, b) => a.createdAt - b.createdAt);
    for (const record of records) {
      const entry = TransferEntry.fromRecord(record, options.pathOf);
      this.#entries.set(keyOf(entry.facts), entry);
    }
  }

  /** Logs the ends that the start gave to what the run before had left. */
  logRecovered(records: readonly TransferRecord[]): void {
    for (const record of records) {
      this.#logEnd(TransferEntry.fromRecord(record, this.#options.pathOf).view(), undefined);
    }
  }

  /** Begins a transfer; its event is published when it is on disk. */
  begin(
    facts: TransferFacts,
    state: "queued" | "offered",
    known: Pick<TransferProgress, "sessionId" | "fileHash" | "waitingFor"> = {},
  ): TransferEntry {
    const entry = new TransferEntry(facts, state);
    entry.update(known);
    // Taken out first: an id that is used again is the newest.
    this.#entries.delete(keyOf(facts));
    this.#entries.set(keyOf(facts), entry);
    this.#forgetOld();
    this.#keep(entry, state === "queued" ? "transfer-queued" : "transfer-offered");
    return entry;
  }

  /** Forgets a transfer that was refused after all. */
  forget({ facts }: TransferEntry): void {
    this.#entries.delete(keyOf(facts));
  }

  /**
   * Changes a transfer; its event is published when it is on disk. What the disk does not take is
   * logged, and the transfer goes on: for changes that a crash may undo.
   */
  async change(
    entry: TransferEntry,
    changes: Partial<TransferProgress>,
    event?: TransferEventType,
  ): Promise<void> {
    await this.#change(entry, changes, event);
  }

  /**
   * Changes a transfer: for changes on which what follows rests, whatever ends the program then.
   *
   * @throws {StorageError} When the disk does not take it, as when it is full.
   */
  async changeDurably(
    entry: TransferEntry,
    changes: Partial<TransferProgress>,
    event?: TransferEventType,
  ): Promise<void> {
    const failure = await this.#change(entry, changes, event);
    if (failure !== undefined) throw failure;
  }

  /**
   * Resolves when the last change of a transfer is on disk.
   *
   * @throws {StorageError} When the disk did not take it.
   */
  async stored(entry: TransferEntry): Promise<void> {
    const failure = await this.#lastKept.get(entry);
    if (failure !== undefined) throw failure;
  }

  async #change(
    entry: TransferEntry,
    changes: Partial<TransferProgress>,
    event?: TransferEventType,
  ): Promise<DaemonError | undefined> {
    const { state } = changes;
    const isEarly = state !== undefined && isFinal(state) && state !== "completed";
    if (isEarly && this.#mayEnd !== undefined && !await this.#mayEnd(entry)) return;
    const confirmed = state === "cancelled" ? this.#confirmedBy(entry) : undefined;
    if (confirmed !== undefined && !await confirmed) {
      if (this.#mayEnd !== undefined) return;
      changes = { ...changes, ...NOT_CONFIRMED };
    }
    const now = this.#options.now();
    // Not one whose file came with an earlier try.
    const arrives = state === "completed" && entry.facts.direction === "incoming" &&
      entry.progress.state === "verifying";
    this.#countBytes(entry, changes.transferred);
    if (event === "transfer-started") entry.update({ startedAt: now });
    entry.update({ ...changes, updatedAt: now });
    if (entry.isFinal || entry.isKeptInQueue) {
      this.#rates.delete(entry);
      this.#cameToRest.resolve();
      this.#cameToRest = Promise.withResolvers<void>();
    }
    return await this.#keep(entry, event, arrives);
  }

  /**
   * The daemon stops: from now on an end other than a completion counts, is kept and published only
   * when `mayEnd` resolves with true. After false the transfer stays as it was, for the next start.
   */
  holdEnds(mayEnd: (entry: TransferEntry) => Promise<boolean>): void {
    this.#mayEnd = mayEnd;
  }

  /** Resolves when none of these is live; after {@linkcode TransferRegistry.holdEnds} perhaps never. */
  async allEnded(which: (entry: TransferEntry) => boolean): Promise<void> {
    while (this.live().some(which)) await this.#cameToRest.promise;
  }

  /** Bytes have moved; published now and then, and kept in memory only. */
  moved(entry: TransferEntry, transferred: number): void {
    const now = this.#options.now();
    this.#countBytes(entry, transferred);
    entry.update({ transferred, updatedAt: now });
    const rate = this.#rates.get(entry);
    if (rate === undefined) {
      this.#rates.set(entry, { at: now, bytes: transferred });
      return;
    }
    const elapsed = now - rate.at;
    // A clock that was put back must not silence a transfer until it has caught up.
    if (elapsed < 0) this.#rates.set(entry, { at: now, bytes: transferred });
    if (elapsed < PROGRESS_MS) return;
    const bytesPerSecond = Math.max(0, (transferred - rate.bytes) / (elapsed / 1000));
    this.#rates.set(entry, { at: now, bytes: transferred });
    const { transferId, size } = entry.facts;
    this.#options.events.publish({
      type: "transfer-progress",
      transferId,
      transferred,
      size,
      bytesPerSecond: Math.round(bytesPerSecond),
    });
  }

  /** The hash of a file to send is under way; published now and then, and kept in memory only. */
  hashing(entry: TransferEntry, hashed: number): void {
    const now = this.#options.now();
    entry.update({ hashed });
    const last = this.#rates.get(entry);
    if (last === undefined) this.#rates.set(entry, { at: now, bytes: 0 });
    const { transferId, size } = entry.facts;
    if (hashed >= size) this.#rates.delete(entry); // what follows is another measure
    else if (last !== undefined && now < last.at) last.at = now; // put back, as above
    else if (last !== undefined && now - last.at >= PROGRESS_MS) {
      last.at = now;
      this.#options.events.publish({ type: "transfer-hashing", transferId, hashed, size });
    }
  }

  /**
   * The transfer with this id, the latest when peers chose the same.
   *
   * @throws {OperationError} TRANSFER_NOT_FOUND
   */
  get(transferId: string): TransferEntry {
    const found = this.#all().findLast(({ facts }) => facts.transferId === transferId);
    if (found !== undefined) return found;
    throw new OperationError("TRANSFER_NOT_FOUND", "no such transfer is remembered");
  }

  /** Whether a transfer with this id has not ended, whoever its peer is. */
  isUnderWay(transferId: string): boolean {
    for (const entry of this.#entries.values()) {
      if (entry.facts.transferId === transferId && !entry.isFinal) return true;
    }
    return false;
  }

  /** A peer's transfer with this id; undefined when there is none. */
  find(
    direction: TransferFacts["direction"],
    identity: string,
    transferId: string,
  ): TransferEntry | undefined {
    return this.#entries.get(keyOf({ direction, identity, transferId }));
  }

  /** The transfer of ours with this id; undefined when there is none. */
  sent(transferId: string): TransferEntry | undefined {
    return this.#all().findLast(({ facts }) =>
      facts.direction === "outgoing" && facts.transferId === transferId
    );
  }

  /** Incoming transfers of a peer, or of all, the newest last. */
  incomingFrom(identity?: string): TransferEntry[] {
    return this.#all().filter(({ facts }) =>
      facts.direction === "incoming" && (identity === undefined || facts.identity === identity)
    );
  }

  /** Transfers by which a peer has brought, or brings, a file with this content, the newest last. */
  incomingOf(identity: string, { size, hash }: FileContent): TransferEntry[] {
    const found: TransferEntry[] = [];
    for (const entry of this.#entries.values()) {
      const { facts, progress } = entry;
      const isOfFile = facts.size === size && progress.fileHash === hash &&
        facts.direction === "incoming" && facts.identity === identity;
      if (isOfFile) found.push(entry);
    }
    return found;
  }

  /**
   * The try that another of the same file makes again: when the newest before it was interrupted, the
   * last of its tries that the peer has accepted.
   */
  lostTryOf(again: TransferEntry): string | undefined {
    const { facts: { identity, size }, progress: { fileHash } } = again;
    let last: TransferEntry | undefined;
    for (const entry of this.#entries.values()) {
      const { facts, progress } = entry;
      const isOfFile = entry !== again && facts.direction === "outgoing" && facts.size === size &&
        progress.fileHash === fileHash && facts.identity === identity;
      // Last: names are spelled anew to be compared.
      if (isOfFile && entry.displayName === again.displayName) last = entry;
    }
    return last?.progress.state === "interrupted" ? last.progress.lastTry : undefined;
  }

  /** Transfers that have not ended. */
  live(): TransferEntry[] {
    return this.#all().filter((entry) => !entry.isFinal);
  }

  /** The files that wait in the queues of linked peers: how many, and when the first was queued. */
  queue(): { readonly files: number; readonly oldestAt: number | undefined } {
    const waiting = this.#all().filter((entry) => entry.isKeptInQueue);
    const times = waiting.map(({ facts }) => facts.createdAt);
    return {
      files: waiting.length,
      oldestAt: waiting.length === 0 ? undefined : Math.min(...times),
    };
  }

  /**
   * A page, newest first.
   *
   * @throws {OperationError} CURSOR_INVALID
   */
  page({ limit, cursor, state, direction }: ListTransfersParameters): TransferPage {
    const all = this.#all().reverse();
    const from = cursor === undefined
      ? 0
      : all.findIndex(({ facts }) => cursorOf(facts) === cursor) + 1;
    if (cursor !== undefined && from === 0) {
      throw new OperationError(
        "CURSOR_INVALID",
        "the cursor's transfer is not remembered any more",
      );
    }
    const matching = all.slice(from).filter((entry) =>
      (state === undefined || entry.progress.state === state) &&
      (direction === undefined || entry.facts.direction === direction)
    );
    const shown = matching.slice(0, limit);
    const last = shown.at(-1);
    const more = matching.length > shown.length && last !== undefined;
    return {
      transfers: shown.map((entry) => entry.view()),
      ...(more ? { nextCursor: cursorOf(last.facts) } : {}),
    };
  }

  /** Changes that wait for the disk. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Undefined when more may happen now; else what to wait for first. A peer can bring changes
   * faster than the disk takes them.
   */
  backpressure(): Promise<void> | undefined {
    return this.#waiting < MAX_WAITING_CHANGES ? undefined : this.settled();
  }

  /** Resolves when all changes so far are on disk and published. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  #confirmedBy({ progress }: TransferEntry): Promise<boolean> | undefined {
    return this.#options.confirmedBy?.(progress.sessionId);
  }

  #all(): TransferEntry[] {
    return [...this.#entries.values()];
  }

  #keep(
    entry: TransferEntry,
    event: TransferEventType | undefined,
    arrives = false,
  ): Promise<DaemonError | undefined> {
    // What is written and published is the state at the change, not a later one.
    const [record, view, seconds] = [entry.record(), entry.view(), entry.seconds];
    this.#waiting++;
    const tell = () => this.#tell(event, view, seconds);
    const written = arrives ? this.#writeArrival(record) : this.#write(record);
    const kept = this.#writing.then(async () => {
      const failure = await written;
      this.#waiting--;
      // Who hears of an arrival looks into the record of those: it is told when it is there.
      if (isDiskFull(failure) && arrives) this.#recordLater(record, tell);
      else tell();
      return failure;
    });
    this.#writing = kept;
    this.#lastKept.set(entry, kept);
    return kept;
  }

  #tell(event: TransferEventType | undefined, view: Transfer, seconds: number | undefined): void {
    if (event === undefined) return;
    this.#options.events.publish({ type: event, transfer: view });
    if (event === "transfer-started") {
      this.#options.log.info("transfer started", { ...loggedOf(view), size: view.size });
    } else if (event === "transfer-finished" || event === "transfer-failed") {
      this.#options.tally?.transferEnded(view);
      this.#logEnd(view, seconds);
    }
  }

  /** The disk has no space for the record of a file that has arrived: it is tried again. */
  #recordLater(record: TransferRecord, tell: () => void): void {
    this.#unrecorded.push({ record, tell });
    this.#retryRecords();
  }

  #retryRecords(): void {
    if (this.#unrecorded.length === 0 || this.#stopRetry !== undefined || this.#isDisposed) return;
    const { after = systemTimer } = this.#options;
    this.#stopRetry = after(this.#retryWaits.next(), async () => {
      for (let next = this.#unrecorded[0]; next !== undefined; next = this.#unrecorded[0]) {
        if (await this.#writeArrival(next.record) !== undefined) break;
        this.#unrecorded.shift();
        this.#retryWaits.reset();
        next.tell();
      }
      this.#stopRetry = undefined;
      this.#retryRecords();
    });
  }

  /** Stops trying to record what has arrived: the next start does. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#stopRetry?.();
  }

  #countBytes({ facts, progress }: TransferEntry, transferred = progress.transferred): void {
    this.#options.tally?.moved(facts.direction, transferred - progress.transferred);
  }

  #logEnd(transfer: Transfer, seconds: number | undefined): void {
    this.#options.log.info("transfer ended", {
      ...loggedOf(transfer),
      state: transfer.state,
      code: transfer.failure?.code,
      bytes: transfer.transferred,
      seconds,
      confirmed: transfer.confirmed,
    });
  }

  /**
   * Before the journal has the end: a crash in between makes it recorded at the next start, and so
   * does a disk that does not take it now.
   */
  async #recordArrival(record: TransferRecord): Promise<DaemonError | undefined> {
    const { received, log, pathOf } = this.#options;
    try {
      const arrival = arrivalOf(record, pathOf);
      if (arrival !== undefined) await received.record(arrival);
      return undefined;
    } catch (error) {
      log.error(
        "a file has arrived and could not be recorded: boltctl received tells of it when there is " +
          "space, or after a restart",
        {
          transfer: record.transferId,
          error: messageOf(error),
        },
      );
      return storageFailure(error, "record the file");
    }
  }

  /**
   * Has the journal write a change, in the order of the calls and with others that wait: not more at
   * once than it has room for.
   */
  #record(record: TransferRecord): Promise<readonly TransferRecord[]> {
    if (this.#atJournal >= MAX_WAITING_CHANGES) {
      return new Promise((resolve) => this.#unwritten.push(() => resolve(this.#record(record))));
    }
    this.#atJournal++;
    return this.#options.journal.record(record).finally(() => {
      this.#atJournal--;
      this.#unwritten.shift()?.();
    });
  }

  async #writeArrival(record: TransferRecord): Promise<DaemonError | undefined> {
    return await this.#recordArrival(record) ?? await this.#write(record);
  }

  /** @returns Why the journal could not be written, which is logged. */
  async #write(record: TransferRecord): Promise<DaemonError | undefined> {
    const { log } = this.#options;
    let dropped: readonly TransferRecord[];
    try {
      dropped = await this.#record(record);
    } catch (error) {
      log.error("the journal could not be written", {
        transfer: record.transferId,
        error: messageOf(error),
      });
      return storageFailure(error, "write the journal");
    }
    for (const { hasPart, transferId } of dropped) {
      if (hasPart) await this.#dropPart(transferId);
    }
    return undefined;
  }

  #forgetOld(): void {
    const over = this.#entries.size - MAX_ENTRIES;
    if (over <= 0) return;
    const ended = this.#all().filter((entry) => entry.isFinal);
    for (const entry of displaced(ended, (entry) => entry.facts.identity, over)) {
      this.#entries.delete(keyOf(entry.facts));
      if (entry.progress.hasPart) this.#forgetPart(entry);
    }
  }

  /** What is not remembered is not gone on with. */
  #forgetPart(entry: TransferEntry): void {
    entry.update({ hasPart: false, kept: undefined });
    this.#dropPart(entry.facts.transferId);
  }

  async #dropPart(transferId: string): Promise<void> {
    const { dropPart, log } = this.#options;
    try {
      await dropPart(transferId);
    } catch (error) {
      log.warn("a partial file could not be removed", {
        transfer: transferId,
        reason: messageOf(error),
      });
    }
  }
}

/**
 * How a transfer ends whose session was closed by us when the peer has not confirmed its cancel.
 */
const NOT_CONFIRMED = {
  state: "interrupted",
  failure: {
    code: "CONNECTION_LOST",
    message: "the session was closed here before the peer confirmed the cancel: it notices " +
      "when this daemon no longer answers",
  },
} as const;

/** What identifies a transfer in the log: both ids, as the peer knows it by the protocol's alone. */
const loggedOf = ({ transferId, protocolTransferId, direction, identity }: Transfer) => ({
  transfer: transferId,
  protocol_transfer: protocolTransferId,
  direction,
  peer: identity,
});

const keyOf = (
  { direction, identity, transferId }: Pick<TransferFacts, "direction" | "identity" | "transferId">,
): string => `${direction} ${identity} ${transferId}`;

const cursorOf = ({ direction, identity, transferId }: TransferFacts): string =>
  `${direction[0]}-${identity.slice(0, 16)}-${transferId}`;
