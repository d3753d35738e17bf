/**
 * Sending one file: hashed, offered, then read and sent chunk by chunk as the channel takes them.
 *
 * @module
 */
import { basename } from "node:path";
import { DaemonError, messageOf } from "../../../base/errors.ts";
import type { TransferId } from "../../../protocol/messages/transfer_id.ts";
import type { EndedEffect, EndedLateEffect } from "../../../protocol/transfer/effects.ts";
import { DEFAULT_CHUNK_BYTES } from "../../../protocol/transfer/limits.ts";
import type { FileSystem } from "../../../storage/file_system.ts";
import { inspectSource, OutgoingFile, type SourceFile } from "../../../storage/outgoing_file.ts";
import type { PeerSession, TransferNews } from "../sessions/peer_session.ts";
import type { ScheduledWork } from "./scheduler.ts";
import type { SessionTransfers } from "./session_transfers.ts";
import type { TransferBook } from "./transfer_book.ts";
import type { TransferEntry } from "./transfer_entry.ts";

/** Bytes of a chunk between daemons: with both base64s its frame fits every peer's message. */
export const CHUNK_BYTES = 64 * 1024;

/** Options of an {@linkcode OutgoingTransfer}. */
export interface OutgoingTransferOptions {
  /** The transfer; queued. */
  readonly entry: TransferEntry;
  /** The file to send. */
  readonly path: string;
  /** The open session to its peer, if there is one now. */
  readonly session: () => SessionTransfers | undefined;
  /** Keeps and tells of changes. */
  readonly book: TransferBook;
  /** Where the file is. */
  readonly fs: FileSystem;
}

/** How a transfer ended. */
export type TransferEnd = Pick<TransferEntry["progress"], "state" | "failure">;

/** One file on its way out, from the queue to its end. */
export class OutgoingTransfer implements ScheduledWork {
  readonly #options: OutgoingTransferOptions;
  readonly #hashing = new AbortController();
  #source: SourceFile | undefined;
  #attempt: Attempt | undefined;
  /** How it is to end as soon as no offer of it is under way. */
  #stopped: TransferEnd | undefined;

  /** Waits to be scheduled. */
  constructor(options: OutgoingTransferOptions) {
    this.#options = options;
  }

  /** The transfer. */
  get entry(): TransferEntry {
    return this.#options.entry;
  }

  /** As the application asked. */
  get priority(): number {
    return this.entry.facts.priority;
  }

  /** Whether its peer is there and has no transfer under way. */
  ready(): boolean {
    return this.#options.session()?.peer.transfers?.idle ?? false;
  }

  /** Offers the file and sends it to the end; `again` when the peer's own offer goes first. */
  async run(): Promise<"done" | "again"> {
    try {
      const outcome = await this.#offer();
      if (this.#stopped === undefined) return outcome;
      await this.#end(this.#stopped);
    } catch (error) {
      const code = error instanceof DaemonError ? error.code : "TRANSFER_FAILED";
      await this.#end(
        this.#stopped ?? {
          state: "failed",
          failure: { code, message: messageOf(error) },
        },
      );
    }
    return "done";
  }

  /** Ends it: out of the queue, or with a cancel to the peer. */
  async cancel(): Promise<void> {
    this.#attempt?.cancel("cancelled by the sender");
    await this.#stop({ state: "cancelled" });
  }

  /** Holds it. False when it does not flow. */
  pause(): boolean {
    return this.#attempt?.setPaused(true) ?? false;
  }

  /** Lets it go on. False when it does not flow. */
  resume(): boolean {
    return this.#attempt?.setPaused(false) ?? false;
  }

  /** The peer can't be reached any more: what has not begun does not wait for it. */
  async interrupt(message: string): Promise<void> {
    await this.#stop({ state: "interrupted", failure: { code: "CONNECTION_LOST", message } });
  }

  async #offer(): Promise<"done" | "again"> {
    const { path, fs, book, session: find } = this.#options;
    this.#source ??= await inspectSource(fs, path, {
      signal: this.#hashing.signal,
      onHashed: (bytes) => book.hashing(this.entry, bytes),
    });
    const session = find();
    // Hashing takes time: the session may have ended, or the peer's offer may have come first.
    if (session?.peer.transfers?.idle !== true) return "again";
    this.#attempt = new Attempt(this.#options, session, this.#source);
    try {
      return await this.#attempt.run();
    } finally {
      this.#attempt = undefined;
    }
  }

  /** What is offered already ends by itself; anything else ends here. */
  async #stop(end: TransferEnd): Promise<void> {
    this.#stopped ??= end;
    this.#hashing.abort();
    if (this.#attempt === undefined) await this.#end(end);
  }

  async #end(end: TransferEnd): Promise<void> {
    if (!this.entry.isFinal) await this.#options.book.change(this.entry, end, "transfer-failed");
  }
}

/** One offer of the file over one session. */
class Attempt {
  readonly #entry: TransferEntry;
  readonly #book: TransferBook;
  readonly #fs: FileSystem;
  readonly #session: SessionTransfers;
  readonly #peer: PeerSession;
  readonly #source: SourceFile;
  readonly #over = Promise.withResolvers<EndedEffect>();
  readonly #stopped = new AbortController();
  #wireId: TransferId | undefined;
  #started = false;
  #ended: EndedEffect | undefined;
  #endedLate: EndedLateEffect | undefined;
  /** Resolved, and replaced, when the pump is to look again whether it may go on. */
  #wake = Promise.withResolvers<void>();
  /** What went wrong with the file on our side, when that ended it. */
  #ownFailure: { readonly code: string; readonly message: string } | undefined;
  #pumping: Promise<void> = Promise.resolve();

  constructor(options: OutgoingTransferOptions, session: SessionTransfers, source: SourceFile) {
    this.#entry = options.entry;
    this.#book = options.book;
    this.#fs = options.fs;
    this.#session = session;
    this.#peer = session.peer;
    this.#source = source;
  }

  async run(): Promise<"done" | "again"> {
    const { status, hash, path } = this.#source;
    const chunkSize = this.#chunkSize;
    this.#peer.act((transfers, now) => {
      const file = { filename: basename(path), size: status.size, fileHash: hash, chunkSize };
      const { transferId, effects } = transfers.offer(file, now);
      this.#wireId = transferId;
      this.#book.change(this.#entry, {
        state: "offered",
        fileHash: hash,
        sessionId: this.#session.sessionId,
        protocolTransferId: transferId,
      }, "transfer-offered");
      this.#session.route(transferId, (news) => this.#onNews(news));
      return effects;
    });
    const ended = await this.#over.promise;
    await this.#pumping;
    return await this.#conclude(ended);
  }

  cancel(message: string): void {
    this.#act((id, transfers) => transfers.cancel(id, message));
  }

  setPaused(paused: boolean): boolean {
    if (!this.#started || this.#ended !== undefined) return false;
    this.#act((id, transfers, now) =>
      paused ? transfers.pause(id, now) : transfers.resume(id, now)
    );
    return true;
  }

  get #chunkSize(): number {
    return this.#session.web ? DEFAULT_CHUNK_BYTES : CHUNK_BYTES;
  }

  #act(
    call: (
      id: TransferId,
      transfers: NonNullable<PeerSession["transfers"]>,
      now: number,
    ) => ReturnType<NonNullable<PeerSession["transfers"]>["cancel"]>,
  ): void {
    const id = this.#wireId;
    if (id === undefined || this.#ended !== undefined) return;
    this.#peer.act((transfers, now) => call(id, transfers, now));
  }

  #onNews(news: TransferNews): void {
    switch (news.type) {
      case "transfer-started":
        this.#started = true;
        this.#book.change(this.#entry, { state: "active" }, "transfer-started");
        this.#pumping = this.#pump();
        break;
      case "transfer-paused":
        this.#book.change(this.#entry, { state: "paused" }, "transfer-paused");
        break;
      case "transfer-resumed":
        if (this.#isHeld()) break;
        this.#book.change(this.#entry, { state: "active" }, "transfer-resumed");
        this.#wakePump();
        break;
      case "transfer-ended":
        this.#ended = news;
        this.#stopped.abort();
        this.#wakePump();
        this.#over.resolve(news);
        break;
      case "transfer-ended-late":
        this.#endedLate ??= news;
        break;
    }
  }

  #wakePump(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }

  /** Whether a side still holds it: the core then asks for no chunk though some are left. */
  #isHeld(): boolean {
    return this.#wireId === undefined ||
      this.#peer.transfers?.nextChunk(this.#wireId) === undefined;
  }

  /** Reads a chunk, sends it, waits until the channel has taken it; then the next. */
  async #pump(): Promise<void> {
    const id = this.#wireId;
    if (id === undefined || this.#ended !== undefined) return;
    try {
      using file = await OutgoingFile.open(this.#fs, this.#source, this.#chunkSize);
      while (this.#ended === undefined) {
        const request = this.#peer.transfers?.nextChunk(id);
        if (request === undefined) {
          await this.#wake.promise;
          continue;
        }
        const chunk = await file.readChunk(request.index);
        this.#act((wireId, transfers, now) => transfers.sendChunk(wireId, chunk, now));
        this.#book.moved(this.#entry, request.offset + request.length);
        await this.#peer.flushed(this.#stopped.signal).catch(() => {}); // it ended: see the loop
      }
    } catch (error) {
      const message = messageOf(error);
      this.#ownFailure = { code: "TRANSFER_FAILED", message };
      this.#act((wireId, transfers) => transfers.fail(wireId, message));
    }
  }

  async #conclude(ended: EndedEffect): Promise<"done" | "again"> {
    const crossed = !this.#started && ended.outcome === "cancelled" && this.#session.hasIncoming;
    if (crossed && this.#peer.transfers !== undefined) {
      // Offers crossed and the peer's goes first: ours is made anew after it.
      await this.#book.change(this.#entry, { state: "queued" }, "transfer-queued");
      return "again";
    }
    if (ended.outcome === "completed") return await this.#concludeSent();
    await this.#book.change(this.#entry, {
      ...endOf(ended, this.#started, this.#session.lost),
      ...(this.#ownFailure === undefined ? {} : { failure: this.#ownFailure }),
    }, "transfer-failed");
    return "done";
  }

  /** All was handed to the channel; what the peer makes of it is still to come. */
  async #concludeSent(): Promise<"done"> {
    const end = await this.#endOfSent();
    if (this.#wireId !== undefined) this.#session.unroute(this.#wireId);
    if (end === undefined) {
      const transferred = this.#entry.facts.size;
      const change = { state: "completed", transferred } as const;
      await this.#book.change(this.#entry, change, "transfer-finished");
    } else await this.#book.change(this.#entry, end, "transfer-failed");
    return "done";
  }

  /**
   * How it ended when the peer has not taken it after all. The protocol has no receipt: it has when
   * its transport has acknowledged all and it answers a ping that came after the last chunk, since
   * a cancel or an error of its would have come before that answer.
   */
  async #endOfSent(): Promise<TransferEnd | undefined> {
    let lost: string | undefined;
    try {
      if (this.#session.web) await this.#peer.drained();
      else if (!await this.#peer.taken() && this.#peer.end?.by === "local") {
        lost = "the session was closed here";
      }
    } catch (error) {
      lost = messageOf(error);
    }
    const late = this.#endedLate;
    if (late !== undefined && late.error === undefined) return { state: "cancelled" };
    const error = late?.error ?? this.#peer.end?.error;
    if (error !== undefined && error.code !== "CONNECTION_LOST") {
      return { state: "failed", failure: { code: error.code, message: error.message } };
    }
    lost = error?.message ?? lost;
    if (lost === undefined) return undefined;
    const message = `all was sent, but the peer did not confirm it before the end (${lost}): ` +
      "ask there whether the file has arrived, or send it again";
    return { state: "interrupted", failure: { code: "CONNECTION_LOST", message } };
  }
}

/** State and failure of a transfer that ended without being completed. */
export function endOf(
  ended: EndedEffect,
  started: boolean,
  lost: boolean,
): TransferEnd {
  const code = ended.error?.code;
  if (code === "CONNECTION_LOST" || (lost && ended.outcome !== "failed")) {
    return {
      state: "interrupted",
      failure: { code: "CONNECTION_LOST", message: ended.message },
    };
  }
  if (ended.outcome === "failed") {
    return {
      state: "failed",
      failure: { code: code ?? "TRANSFER_FAILED", message: ended.message },
    };
  }
  const rejected = !started && ended.by === "remote";
  return { state: rejected ? "rejected" : "cancelled" };
}
