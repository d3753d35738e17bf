/**
 * What applications ask of transfers: send, accept, reject, cancel, pause, resume.
 *
 * @module
 */
import { basename } from "node:path";
import { StorageError } from "../../../base/errors.ts";
import type { SendParameters } from "../../../ipc/operations.ts";
import { OperationError } from "../../../ipc/problem.ts";
import type { Log } from "../../../log/log.ts";
import type { RandomSource } from "../../../protocol/crypto/random_source.ts";
import type { IncomingFile as OfferedFile } from "../../../protocol/transfer/file_receiver.ts";
import type { FileSystem } from "../../../storage/file_system.ts";
import { checkSource } from "../../../storage/outgoing_file.ts";
import type { PartPolicy } from "../../../storage/inbox/incoming_file.ts";
import type { CollisionPolicy, Inbox } from "../../../storage/inbox/inbox.ts";
import { IncomingTransfer } from "./incoming_transfer.ts";
import { OutgoingTransfer } from "./outgoing_transfer.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SessionTransfers } from "./session_transfers.ts";
import type { Slots } from "./slots.ts";
import type { TransferBook } from "./transfer_book.ts";
import type { TransferEntry } from "./transfer_entry.ts";

/** Options of a {@linkcode TransferDesk}. */
export interface TransferDeskOptions {
  /** All transfers. */
  readonly book: TransferBook;
  /** When those to send begin. */
  readonly scheduler: Scheduler;
  /** Which of those that have begun flow. */
  readonly slots: Slots;
  /** Which files are read for their hash. */
  readonly hashSlots: Slots;
  /** Files to send. */
  readonly fs: FileSystem;
  /** Where received files go. */
  readonly inbox: Inbox;
  /** What happens when a name is taken. */
  readonly collision: CollisionPolicy;
  /** What becomes of partial files. */
  readonly onAbort: PartPolicy;
  /** The open session with a peer. */
  readonly sessionWith: (identity: string) => SessionTransfers | undefined;
  /** Whether a peer's offers are accepted without asking. */
  readonly autoAccepts: (identity: string) => boolean;
  /** Fresh random bytes. */
  readonly random: RandomSource;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Told what happens. */
  readonly log: Log;
}

/** See the module's text. */
export class TransferDesk {
  readonly #options: TransferDeskOptions;
  readonly #outgoing = new Map<TransferEntry, OutgoingTransfer>();
  readonly #incoming = new Map<TransferEntry, IncomingTransfer>();
  #stopping = false;

  /** Starts with nothing under way. */
  constructor(options: TransferDeskOptions) {
    this.#options = options;
  }

  /**
   * Queues files for the peer of an open session: all or none.
   *
   * @throws {OperationError} FILE_UNREADABLE, LIMIT_EXCEEDED, STOPPING
   */
  async send(
    { paths, priority }: Pick<SendParameters, "paths" | "priority">,
    session: SessionTransfers,
  ): Promise<TransferEntry[]> {
    const { book, scheduler, slots, hashSlots, fs, sessionWith } = this.#options;
    const { identity, sessionId } = session;
    const sizes: number[] = [];
    for (const path of paths) sizes.push(await this.#sizeOf(path));
    this.#expectRunning();
    scheduler.checkRoom(paths.length);
    this.#forgetEnded();
    return paths.map((path, i) => {
      const entry = book.begin(
        {
          transferId: this.#options.random(16).toHex(),
          direction: "outgoing",
          identity,
          name: basename(path),
          size: sizes[i] ?? 0,
          priority,
          createdAt: this.#options.now(),
          sourcePath: path,
        },
        "queued",
        { sessionId },
      );
      const transfer = new OutgoingTransfer({
        entry,
        path,
        slots,
        hashSlots,
        book,
        fs,
        session: () => sessionWith(identity),
      });
      this.#outgoing.set(entry, transfer);
      scheduler.add(transfer);
      return entry;
    });
  }

  /** A peer offers a file: it waits for a decision, unless that was made before. */
  offered(file: OfferedFile, session: SessionTransfers): void {
    const { book, scheduler, slots, inbox, collision, onAbort, log, autoAccepts } = this.#options;
    this.#forgetEnded();
    const { identity, sessionId } = session;
    const entry = book.begin(
      {
        transferId: file.transferId.toLowerCase(),
        direction: "incoming",
        identity,
        name: file.filename,
        size: file.size,
        priority: 0,
        createdAt: this.#options.now(),
      },
      "offered",
      { sessionId, ...(file.fileHash === undefined ? {} : { fileHash: file.fileHash.hex }) },
    );
    const options = { entry, file, session, slots, book, inbox, collision, onAbort, log };
    const transfer = new IncomingTransfer(options);
    this.#incoming.set(entry, transfer);
    if (autoAccepts(identity) && transfer.prepareUnasked()) scheduler.begin(transfer);
  }

  /**
   * Accepts an offer.
   *
   * @throws {OperationError} INVALID_STATE, NAME_REFUSED, STOPPING
   */
  accept(entry: TransferEntry, name: string | undefined): void {
    this.#expectRunning();
    const transfer = this.#offer(entry);
    transfer.prepare(name);
    this.#options.scheduler.begin(transfer);
  }

  /** Declines an offer. @throws {OperationError} INVALID_STATE */
  reject(entry: TransferEntry): void {
    this.#offer(entry).reject();
  }

  /** Ends a transfer. @throws {OperationError} INVALID_STATE */
  async cancel(entry: TransferEntry): Promise<void> {
    this.#expectLive(entry);
    const [outgoing, incoming] = [this.#outgoing.get(entry), this.#incoming.get(entry)];
    if (outgoing !== undefined) {
      this.#options.scheduler.remove(outgoing);
      await outgoing.cancel();
    }
    incoming?.cancel();
  }

  /** Holds a transfer. @throws {OperationError} INVALID_STATE */
  pause(entry: TransferEntry): void {
    this.#expectLive(entry);
    const transfer = this.#outgoing.get(entry) ?? this.#incoming.get(entry);
    if (transfer?.pause() !== true) throw notFlowing(entry);
  }

  /** Lets a transfer go on. @throws {OperationError} INVALID_STATE */
  resume(entry: TransferEntry): void {
    this.#expectLive(entry);
    const transfer = this.#outgoing.get(entry) ?? this.#incoming.get(entry);
    if (transfer?.resume() !== true) throw notFlowing(entry);
  }

  /** A session has ended: what waited for it can't begin any more. */
  async sessionEnded(session: SessionTransfers, message: string): Promise<void> {
    this.#forgetEnded();
    if (this.#options.sessionWith(session.identity) !== undefined) return;
    await this.#interrupt(message, ({ facts }) => facts.identity === session.identity);
  }

  /** The daemon stops: nothing is begun any more, and what has not begun is over. */
  async stop(message: string): Promise<void> {
    this.#stopping = true;
    await this.#interrupt(message, () => true);
  }

  async #interrupt(message: string, which: (entry: TransferEntry) => boolean): Promise<void> {
    const waiting = [...this.#outgoing].flatMap(([entry, transfer]) =>
      which(entry) ? [transfer] : []
    );
    for (const transfer of waiting) this.#options.scheduler.remove(transfer);
    await Promise.all(waiting.map((transfer) => transfer.interrupt(message)));
  }

  #expectRunning(): void {
    if (this.#stopping) throw new OperationError("STOPPING", "the daemon is stopping");
  }

  #offer(entry: TransferEntry): IncomingTransfer {
    const transfer = this.#incoming.get(entry);
    const { state } = entry.progress;
    if (transfer !== undefined && state === "offered") return transfer;
    throw new OperationError("INVALID_STATE", `the transfer is ${state}, not an offer to us`);
  }

  #expectLive(entry: TransferEntry): void {
    if (!entry.isFinal) return;
    const message = `the transfer is ${entry.progress.state} already`;
    throw new OperationError("INVALID_STATE", message);
  }

  async #sizeOf(path: string): Promise<number> {
    try {
      return await checkSource(this.#options.fs, path);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      const code = error.code === "SOURCE_TOO_LARGE" ? "LIMIT_EXCEEDED" : "FILE_UNREADABLE";
      throw new OperationError(code, error.message, { cause: error });
    }
  }

  #forgetEnded(): void {
    for (const map of [this.#outgoing, this.#incoming]) {
      for (const entry of map.keys()) if (entry.isFinal) map.delete(entry);
    }
  }
}

function notFlowing(entry: TransferEntry): OperationError {
  return new OperationError(
    "INVALID_STATE",
    `the transfer is ${entry.progress.state}: only one that was accepted can be paused or resumed`,
  );
}
