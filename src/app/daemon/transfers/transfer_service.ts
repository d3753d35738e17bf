/**
 * What applications ask of transfers: send, accept, reject, cancel, pause, resume.
 *
 * @module
 */
import { basename } from "node:path";
import { messageOf, StorageError } from "../../../base/errors.ts";
import type { SendParameters } from "../../../ipc/api/operations.ts";
import { OperationError } from "../../../ipc/api/problem.ts";
import type { RandomSource } from "../../../protocol/crypto/random_source.ts";
import type { RefusedEffect } from "../../../protocol/transfer/effects.ts";
import type { OfferedFile } from "../../../protocol/transfer/file_receiver.ts";
import { checkSource } from "../../../storage/outgoing_file.ts";
import { DAEMON_STOPPED } from "../../../storage/journal_record.ts";
import type { Tally } from "../tally.ts";
import { IncomingTransfer, type ReceiveOptions } from "./incoming_transfer.ts";
import { OutgoingTransfer, type SendOptions } from "./outgoing_transfer.ts";
import type { Scheduler } from "./scheduler.ts";
import { SessionTransfers, type SessionTransfersOptions } from "./session_transfers.ts";
import type { TransferEntry, TransferFailure } from "./transfer_entry.ts";

const STOPPING = "the daemon is stopping";

/** Offers that the protocol's rules refused are logged up to so many a session. */
const MAX_LOGGED_REFUSALS = 20;

/** Options of a {@linkcode TransferService}. */
export interface TransferServiceOptions extends SendOptions, ReceiveOptions {
  /** Counts refusals. */
  readonly tally: Tally;
  /** When those to send begin. */
  readonly scheduler: Scheduler;
  /** The open session with a peer: a proven one, where it has ever proven who it is. */
  readonly sessionWith: (identity: string) => SessionTransfers | undefined;
  /** An open session, by its id. */
  readonly sessionOf: (sessionId: string) => SessionTransfers | undefined;
  /** Whether a peer's offers are accepted without asking, once it has proven who it is. */
  readonly autoAccepts: (identity: string) => boolean;
  /** Fresh random bytes. */
  readonly random: RandomSource;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Begins, ends and holds transfers, as applications and peers ask. */
export class TransferService {
  readonly #options: TransferServiceOptions;
  readonly #transfers = new Map<TransferEntry, OutgoingTransfer | IncomingTransfer>();
  #stopping = false;

  /** Starts with nothing under way. */
  constructor(options: TransferServiceOptions) {
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
    const { registry, scheduler } = this.#options;
    const { identity, sessionId } = session;
    const sessionNow = () => this.#successorOf(session);
    const sizes: number[] = [];
    for (const path of paths) sizes.push(await this.#sizeOf(path, session));
    this.#expectRunning();
    scheduler.checkCapacity(paths.length);
    this.#forgetEnded();
    return paths.map((path, i) => {
      const entry = registry.begin(
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
        ...this.#options,
        ...{ entry, path, queuedFor: session, session: sessionNow },
      });
      this.#transfers.set(entry, transfer);
      scheduler.add(transfer);
      return entry;
    });
  }

  /**
   * Where what was queued in a session is sent now: over it, or over a newer one with its peer. What
   * was meant for a peer that has proven itself goes to nobody who does not.
   */
  #successorOf({ identity, sessionId, proven }: SessionTransfers): SessionTransfers | undefined {
    const { sessionWith, sessionOf } = this.#options;
    const newest = sessionWith(identity);
    if (newest !== undefined && (newest.proven || !proven)) return newest;
    return sessionOf(sessionId);
  }

  /** The transfers of a session whose peer is about to be let in. */
  attach(
    options: Pick<
      SessionTransfersOptions,
      "sessionId" | "identity" | "proven" | "acceptsFiles" | "peer"
    >,
  ): SessionTransfers {
    const { registry, scheduler } = this.#options;
    return new SessionTransfers({
      ...options,
      onOffer: (file, session) => this.#offered(file, session),
      onRefused: (refused, count) => this.#refused(options.identity, refused, count),
      onEnded: () => scheduler.wake(),
      onClosing: (session) => this.#cancelWaitingWhole(session),
      // A peer can bring changes faster than the disk takes them.
      backpressure: () => registry.backpressure(),
    });
  }

  /** The session is open: its peer's transfers begin, and so does what waits for it. */
  start(session: SessionTransfers): void {
    session.peer.approve(session);
    this.#options.scheduler.wake();
  }

  /** A peer offers a file: it waits for a decision, unless that was made before. */
  #offered(file: OfferedFile, session: SessionTransfers): void {
    if (this.#stopping || session.isClosing) {
      // Nobody will decide about it any more.
      const message = "the session is being closed";
      session.peer.act((transfers) => transfers.cancel(file.transferId, message));
      return;
    }
    const { registry, scheduler, autoAccepts } = this.#options;
    this.#forgetEnded();
    const { identity, sessionId } = session;
    const entry = registry.begin(
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
    const transfer = new IncomingTransfer({ ...this.#options, entry, file, session });
    this.#transfers.set(entry, transfer);
    // Whoever only claims an identity must not put files into the inbox in its name.
    const isUnasked = session.acceptsFiles || (session.proven && autoAccepts(identity));
    if (isUnasked && transfer.prepareUnasked()) scheduler.begin(transfer);
  }

  /** A session is closed here: of its peer's files those go, too, that wait for a decision. */
  #cancelWaitingWhole(session: SessionTransfers): void {
    for (const transfer of this.#waitingWhole()) {
      if (transfer.session === session) transfer.cancel();
    }
  }

  #waitingWhole(): IncomingTransfer[] {
    return [...this.#transfers.values()]
      .filter((transfer) => transfer instanceof IncomingTransfer)
      .filter((transfer) => transfer.isWaitingWhole);
  }

  /**
   * The protocol's rules refused an offer. It is no transfer of ours, so this log line is its only
   * report.
   */
  #refused(identity: string, { transferId, error }: RefusedEffect, count: number): void {
    const { log, tally } = this.#options;
    tally.refused(error.code);
    if (count > MAX_LOGGED_REFUSALS) return;
    const last = count === MAX_LOGGED_REFUSALS;
    const more = last ? "; further ones of this session are not logged" : "";
    log.warn(`an offered file was refused by the protocol's rules${more}`, {
      transfer: transferId,
      peer: identity,
      code: error.code,
      reason: error.message,
    });
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
    const transfer = this.#transfers.get(entry);
    if (transfer instanceof OutgoingTransfer) this.#options.scheduler.remove(transfer);
    await transfer?.cancel();
  }

  /** Holds a transfer, or lets it go on. @throws {OperationError} INVALID_STATE */
  setPaused(entry: TransferEntry, paused: boolean): void {
    this.#expectLive(entry);
    if (this.#transfers.get(entry)?.setPaused(paused) === true) return;
    const { state } = entry.progress;
    const message = `the transfer is ${state}: only one that was accepted can be paused or resumed`;
    throw new OperationError("INVALID_STATE", message);
  }

  /** A session has ended: what waited for it can't begin any more. */
  sessionEnded({ identity }: SessionTransfers, message: string): void {
    this.#forgetEnded();
    const failure = { code: "CONNECTION_LOST", message };
    const isStranded = (transfer: OutgoingTransfer) =>
      transfer.entry.facts.identity === identity && !transfer.hasSession;
    this.#interrupt(failure, isStranded).catch((error) => {
      this.#options.log.error("transfers could not be ended", { reason: messageOf(error) });
    });
  }

  /** The daemon stops: nothing is begun any more, and what has not begun is over. */
  async stop(message: string): Promise<void> {
    this.#stopping = true;
    const failure = { code: DAEMON_STOPPED, message };
    for (const transfer of this.#waitingWhole()) transfer.interrupt(failure);
    await this.#interrupt(failure, () => true);
  }

  async #interrupt(
    failure: TransferFailure,
    which: (transfer: OutgoingTransfer) => boolean,
  ): Promise<void> {
    const waiting = [...this.#transfers.values()]
      .filter((transfer) => transfer instanceof OutgoingTransfer)
      .filter(which);
    for (const transfer of waiting) this.#options.scheduler.remove(transfer);
    await Promise.all(waiting.map((transfer) => transfer.interrupt(failure)));
  }

  #expectRunning(): void {
    if (this.#stopping) throw new OperationError("STOPPING", STOPPING);
  }

  #offer(entry: TransferEntry): IncomingTransfer {
    const transfer = this.#transfers.get(entry);
    const { state } = entry.progress;
    if (transfer instanceof IncomingTransfer && state === "offered") return transfer;
    throw new OperationError("INVALID_STATE", `the transfer is ${state}, not an offer to us`);
  }

  #expectLive(entry: TransferEntry): void {
    if (!entry.isFinal) return;
    const message = `the transfer is ${entry.progress.state} already`;
    throw new OperationError("INVALID_STATE", message);
  }

  /** The size of a file that can be sent to the peer of that session. */
  async #sizeOf(path: string, { peer: { dialect } }: SessionTransfers): Promise<number> {
    const size = await this.#readableSize(path);
    const problem = dialect.unsendable(size);
    if (problem !== undefined) throw new OperationError("LIMIT_EXCEEDED", `${path}: ${problem}`);
    return size;
  }

  async #readableSize(path: string): Promise<number> {
    try {
      return await checkSource(this.#options.fs, path);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      const code = error.code === "SOURCE_TOO_LARGE" ? "LIMIT_EXCEEDED" : "FILE_UNREADABLE";
      throw new OperationError(code, error.message, { cause: error });
    }
  }

  #forgetEnded(): void {
    for (const entry of this.#transfers.keys()) {
      if (entry.isFinal) this.#transfers.delete(entry);
    }
  }
}
