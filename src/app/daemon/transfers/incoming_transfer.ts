/**
 * Receiving one file: a decision, then chunks queued for the disk, then the name in the inbox.
 *
 * @module
 */
import { DaemonError, messageOf, StorageError } from "../../../base/errors.ts";
import { OperationError } from "../../../ipc/problem.ts";
import type { Log } from "../../../log/log.ts";
import type { TransferId } from "../../../protocol/messages/transfer_id.ts";
import type { EndedEffect, TransferEffect } from "../../../protocol/transfer/effects.ts";
import type { IncomingFile as OfferedFile } from "../../../protocol/transfer/file_receiver.ts";
import type { Transfers } from "../../../protocol/transfer/transfers.ts";
import { IncomingFile, type PartPolicy } from "../../../storage/inbox/incoming_file.ts";
import type { CollisionPolicy, Inbox } from "../../../storage/inbox/inbox.ts";
import { ReceiveQueue } from "../../../storage/inbox/receive_queue.ts";
import { REFUSALS, safeName } from "../../../storage/inbox/safe_name.ts";
import type { TransferNews } from "../sessions/peer_session.ts";
import { endOf, type TransferEnd } from "./outgoing_transfer.ts";
import { Flow } from "./flow.ts";
import type { Work } from "./scheduler.ts";
import type { SessionTransfers } from "./session_transfers.ts";
import type { Slots } from "./slots.ts";
import type { TransferBook } from "./transfer_book.ts";
import type { TransferEntry } from "./transfer_entry.ts";

/**
 * What the peer is told when its file is beyond what we can take, by our own code. Of all else that
 * goes wrong here it learns that it is over.
 */
const REASONS_TOLD: Readonly<Record<string, string>> = {
  NAME_REFUSED: "the file's name can't be used",
  NAME_TAKEN: "a file of that name is here already",
  DISK_FULL: "there is not enough space for it",
};

/** Options of an {@linkcode IncomingTransfer}. */
export interface IncomingTransferOptions {
  /** The transfer; offered. */
  readonly entry: TransferEntry;
  /** What the peer offers. */
  readonly file: OfferedFile;
  /** The session that it came by. */
  readonly session: SessionTransfers;
  /** Who may send and receive now. */
  readonly slots: Slots;
  /** Keeps and tells of changes. */
  readonly book: TransferBook;
  /** Where it goes. */
  readonly inbox: Inbox;
  /** What happens when its name is taken. */
  readonly collision: CollisionPolicy;
  /** What becomes of the partial file when it ends early. */
  readonly onAbort: PartPolicy;
  /** Told of what goes wrong on the disk. */
  readonly log: Log;
}

/** One file on its way in, from the offer to its end. */
export class IncomingTransfer implements Work {
  readonly #options: IncomingTransferOptions;
  readonly #id: TransferId;
  readonly #over = Promise.withResolvers<EndedEffect>();
  /** Settled with the partial file when the offer was accepted; chunks wait for it. */
  readonly #file = Promise.withResolvers<IncomingFile>();
  readonly #queue: ReceiveQueue;
  readonly #flow: Flow;
  /** Resolved when a file that came whole is on disk, or can't be. */
  readonly #kept = Promise.withResolvers<void>();
  #part: IncomingFile | undefined;
  #name = "";
  #accepted = false;
  #running = false;
  #ended: EndedEffect | undefined;
  /** Whether the session was lost when it ended: a cancel that came before that is a cancel. */
  #wasLost = false;
  /** What we made of it, when it ends by our word. */
  #ownEnd: "rejected" | "cancelled" | undefined;
  /** What went wrong on our side, when that ended it. */
  #ownFailure: { readonly code: string; readonly message: string } | undefined;

  /** Waits for a decision. */
  constructor(options: IncomingTransferOptions) {
    this.#options = options;
    this.#id = options.file.transferId;
    this.#queue = new ReceiveQueue({
      write: (bytes) => this.#write(bytes),
      onPause: () => this.#flow.hold("disk", true),
      onResume: () => this.#flow.hold("disk", false),
      onFailure: (error) => this.#giveUp(error),
    });
    this.#flow = new Flow({
      slots: options.slots,
      peer: options.session.identity,
      priority: options.entry.facts.priority,
      sayPaused: (paused) =>
        this.#act((transfers, now) =>
          paused ? transfers.pause(this.#id, now) : transfers.resume(this.#id, now)
        ),
      onChange: ({ state, waitingFor, event }) => {
        options.book.change(options.entry, { state, waitingFor }, event);
      },
    });
    // A web client's file comes without an offer: it is held until it is accepted.
    if (options.file.implied) this.#flow.hold("decision", true);
    this.#file.promise.catch(() => {}); // chunks that wait for it are told; there may be none
    options.session.route(this.#id, (news) => this.#onNews(news));
  }

  /** The transfer. */
  get entry(): TransferEntry {
    return this.#options.entry;
  }

  /**
   * Checks that the file can be taken, under its own name or another; `run` then accepts it.
   *
   * @throws {OperationError} INVALID_STATE, NAME_REFUSED
   */
  prepare(name: string | undefined): void {
    if (this.#accepted || this.entry.isFinal) {
      throw new OperationError("INVALID_STATE", "the offer was accepted, or has ended, already");
    }
    const safe = safeName(name ?? this.#options.file.filename);
    if (!safe.safe) {
      throw new OperationError(
        "NAME_REFUSED",
        `the file's name can't be used (${REFUSALS[safe.reason]}): accept it under another name`,
      );
    }
    this.#name = safe.name;
    this.#accepted = true;
  }

  /** Accepts the offer and receives to the end. */
  async run(): Promise<"done"> {
    if (this.entry.isFinal) return "done"; // it ended while it waited for its turn
    this.#running = true;
    await this.#begin();
    const ended = await this.#over.promise;
    this.#giveUpFile();
    try {
      if (ended.outcome === "completed") await this.#finish(ended);
      else await this.#abort(ended);
    } finally {
      this.#kept.resolve();
    }
    return "done";
  }

  /** Ends it without having begun: the peer is told, nothing is kept. */
  reject(): void {
    this.#endByUs("rejected", "declined");
  }

  /** Ends it with a cancel to the peer. */
  cancel(): void {
    this.#endByUs("cancelled", "cancelled by the receiver");
  }

  /** Holds it. False when it was not accepted, or has ended. */
  pause(): boolean {
    return this.#setPaused(true);
  }

  /** Lets it go on. False when it was not accepted, or has ended. */
  resume(): boolean {
    return this.#setPaused(false);
  }

  /**
   * Accepts it, as its peer's files are without asking. What can't be accepted is refused at once,
   * and all are told why: nobody is there to choose another name.
   *
   * @returns Whether it is to be run.
   */
  prepareUnasked(): boolean {
    const safe = safeName(this.#options.file.filename);
    if (safe.safe) this.prepare(undefined);
    else {
      const why = REFUSALS[safe.reason];
      this.#giveUp(
        new OperationError(
          "NAME_REFUSED",
          `the file's name can't be used (${why}): have it sent under another, or set auto-accept ` +
            "back for this peer and accept it under another",
        ),
        `the file's name can't be used: ${why}`,
      );
    }
    return safe.safe;
  }

  #setPaused(paused: boolean): boolean {
    if (!this.#flow.isLive || !this.#accepted) return false;
    this.#flow.hold("user", paused);
    return true;
  }

  #endByUs(state: "rejected" | "cancelled", message: string): void {
    if (this.#ended !== undefined) return;
    this.#ownEnd = state;
    this.#act((transfers) => transfers.cancel(this.#id, message));
  }

  #act(call: (transfers: Transfers, now: number) => readonly TransferEffect[]): void {
    if (this.#ended === undefined) this.#options.session.peer.act(call);
  }

  #onNews(news: TransferNews): void {
    switch (news.type) {
      case "transfer-started":
        this.#flow.start();
        break;
      case "transfer-chunk":
        try {
          this.#flow.received(news.data.length);
          this.#queue.push(news.data);
        } catch (error) {
          this.#giveUp(error);
        }
        break;
      case "transfer-paused":
      case "transfer-resumed":
        if (news.by === "remote") this.#flow.hold("peer", news.type === "transfer-paused");
        break;
      case "transfer-ended":
        this.#ended = news;
        this.#wasLost = this.#options.session.lost;
        this.#flow[Symbol.dispose]();
        if (this.#running && news.outcome === "completed") {
          this.#options.session.keep(this.#kept.promise);
        }
        this.#over.resolve(news);
        if (!this.#running) this.#endUnbegun(news);
        break;
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const file = await this.#file.promise;
    await file.write(bytes);
    this.#options.book.moved(this.entry, file.received);
  }

  /** Something on our side went wrong: the peer is told that it is over, and why if it may know. */
  #giveUp(error: unknown, told?: string): void {
    const message = messageOf(error);
    const code = error instanceof DaemonError ? error.code : "TRANSFER_FAILED";
    this.#ownFailure ??= { code, message };
    this.#options.log.warn("a file could not be received", {
      transfer: this.entry.facts.transferId,
      peer: this.entry.facts.identity,
      code,
      reason: message,
    });
    this.#act((transfers) => this.#failOnWire(transfers, code, message, told));
  }

  #failOnWire(
    transfers: Transfers,
    code: string,
    message: string,
    reason: string | undefined = REASONS_TOLD[code],
  ): readonly TransferEffect[] {
    return reason === undefined
      ? transfers.fail(this.#id, message)
      : transfers.failWithReason(this.#id, reason);
  }

  /** Makes the partial file and tells the peer to send. */
  async #begin(): Promise<void> {
    const { book, inbox, collision, onAbort, file } = this.#options;
    try {
      const { transferId } = this.entry.facts;
      // Not only when all of it has come.
      await inbox.checkFree(this.#name, collision);
      // First the journal: after a crash only partial files that it knows of are looked after.
      await book.change(this.entry, { hasPart: true });
      const part = await IncomingFile.create(inbox, { transferId, size: file.size, onAbort });
      this.#part = part;
      this.#file.resolve(part);
      // A web client sends already, and was held.
      if (file.implied) this.#flow.hold("decision", false);
      else this.#act((transfers, now) => transfers.accept(this.#id, now));
    } catch (error) {
      this.#giveUpFile();
      this.#giveUp(error);
    }
  }

  async #finish(ended: EndedEffect): Promise<void> {
    const { book, inbox, collision, file } = this.#options;
    await this.#queue.drained();
    if (this.#ownFailure !== undefined) return await this.#takeBack(ended);
    const part = await this.#file.promise;
    try {
      const { savedAs, hash } = await part.finish({
        name: this.#name,
        expectedHash: file.fileHash?.hex ?? null,
        collision,
        onPublishing: (savedAs) =>
          book.change(this.entry, { state: "verifying", waitingFor: undefined, savedAs }),
      });
      await book.change(this.entry, {
        state: "completed",
        transferred: file.size,
        savedAs,
        savedPath: inbox.pathOf(savedAs),
        fileHash: hash,
        hasPart: false,
      }, "transfer-finished");
    } catch (error) {
      const code = error instanceof StorageError ? error.code : "TRANSFER_FAILED";
      this.#ownFailure = { code, message: messageOf(error) };
      await this.#takeBack(ended);
    }
  }

  /** It came whole and can't be kept: its sender is told, too. */
  async #takeBack(ended: EndedEffect): Promise<void> {
    const { code, message } = this.#ownFailure ??
      { code: "TRANSFER_FAILED", message: "the file can't be kept" };
    this.#options.session.peer.act((transfers) => this.#failOnWire(transfers, code, message));
    await this.#abort(ended);
  }

  /** Ends early: the partial file goes, or stays for later when nobody wanted the end. */
  async #abort(ended: EndedEffect): Promise<void> {
    this.#queue.stop();
    await this.#queue.drained();
    const end = this.#endOf(ended);
    const unwanted = end.state === "interrupted" ||
      (end.state === "cancelled" && ended.by === "local" && this.#ownEnd === undefined);
    const hasPart = await this.#abortPart(unwanted ? this.#options.onAbort : "remove");
    await this.#options.book.change(this.entry, { ...end, hasPart }, "transfer-failed");
  }

  async #abortPart(policy: PartPolicy): Promise<boolean> {
    try {
      return await this.#part?.abort(policy) ?? false;
    } catch (error) {
      this.#options.log.warn("no partial file could be kept or removed", {
        transfer: this.entry.facts.transferId,
        reason: messageOf(error),
      });
      return false;
    }
  }

  /** It ended before its turn had come. */
  #endUnbegun(ended: EndedEffect): void {
    this.#queue.stop();
    this.#giveUpFile();
    this.#options.book.change(this.entry, this.#endOf(ended), "transfer-failed");
  }

  /** Chunks that wait for the partial file wait no longer; nothing when it is there. */
  #giveUpFile(): void {
    this.#file.reject(new Error("the transfer ended before its file was made"));
  }

  /** How it ended: by what went wrong here, by our word, or by what came. */
  #endOf(ended: EndedEffect): TransferEnd {
    if (this.#ownFailure !== undefined) return { state: "failed", failure: this.#ownFailure };
    if (this.#ownEnd !== undefined) return { state: this.#ownEnd };
    return endOf("incoming", ended, true, this.#wasLost);
  }
}
