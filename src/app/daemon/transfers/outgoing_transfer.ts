/**
 * Sending one file: hashed, offered, then read and sent chunk by chunk as the channel takes them.
 * Only the last needs a slot: however long the peer decides or pauses, nobody else waits for it.
 *
 * @module
 */
import { basename } from "node:path";
import { abortable } from "../../../base/deadline.ts";
import { DaemonError, messageOf } from "../../../base/errors.ts";
import type { TransferId } from "../../../protocol/messages/transfer_id.ts";
import type { EndedEffect, EndedLateEffect } from "../../../protocol/transfer/effects.ts";
import { DEFAULT_CHUNK_BYTES } from "../../../protocol/transfer/limits.ts";
import type { FileSystem } from "../../../storage/file_system.ts";
import { inspectSource, OutgoingFile, type SourceFile } from "../../../storage/outgoing_file.ts";
import type { PeerSession, TransferNews } from "../sessions/peer_session.ts";
import { Flow, type FlowNews } from "./flow.ts";
import type { ScheduledWork } from "./scheduler.ts";
import type { SessionTransfers } from "./session_transfers.ts";
import type { Slots } from "./slots.ts";
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
  /** Who may send and receive now. */
  readonly slots: Slots;
  /** Who may read a file for its hash now: our disk's work, which no peer can hold up. */
  readonly hashSlots: Slots;
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
  /** Ends the waits before the offer. */
  readonly #waiting = new AbortController();
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
    return this.#options.session()?.isFree ?? false;
  }

  /** Offers the file and sends it to the end; `again` when the peer's own offer goes first. */
  async run(): Promise<"done" | "again"> {
    const session = this.#options.session();
    if (session === undefined) return "again";
    using _turn = session.beginSending();
    try {
      const outcome = await this.#offer(session);
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

  async #offer(session: SessionTransfers): Promise<"done" | "again"> {
    const source = await this.#inspect();
    using flow = new Flow({
      slots: this.#options.slots,
      peer: this.entry.facts.identity,
      priority: this.priority,
      sayPaused: (paused) => this.#attempt?.sayPaused(paused),
      onChange: (news) => this.#attempt?.onFlowChange(news),
    });
    // Neither an offer nor a pause can precede a web client's first chunk: its turn comes before.
    if (session.web) {
      this.entry.update({ waitingFor: "slot" });
      await flow.slotFirst(this.#waiting.signal);
    }
    // That took time: the session may have ended, or the peer's offer may have come first.
    if (session !== this.#options.session() || session.peer.transfers?.idle !== true) {
      this.entry.update({ waitingFor: "session" });
      return "again";
    }
    this.#attempt = new Attempt(this.#options, session, source, flow);
    try {
      return await this.#attempt.run();
    } finally {
      this.#attempt = undefined;
    }
  }

  /** Reads the file for its hash, once, in its turn. */
  async #inspect(): Promise<SourceFile> {
    if (this.#source !== undefined) return this.#source;
    const { path, fs, book, hashSlots } = this.#options;
    const { signal } = this.#waiting;
    this.entry.update({ waitingFor: "hash" });
    const { promise: granted, resolve } = Promise.withResolvers<void>();
    using slot = hashSlots.claim({
      peer: this.entry.facts.identity,
      priority: this.priority,
      onGranted: resolve,
    });
    if (!slot.held) await abortable(granted, signal);
    this.#source = await inspectSource(fs, path, {
      signal,
      onHashed: (bytes) => book.hashing(this.entry, bytes),
    });
    return this.#source;
  }

  /** What is offered already ends by itself; anything else ends here. */
  async #stop(end: TransferEnd): Promise<void> {
    this.#stopped ??= end;
    this.#waiting.abort();
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
  readonly #flow: Flow;
  readonly #over = Promise.withResolvers<EndedEffect>();
  readonly #stopped = new AbortController();
  #wireId: TransferId | undefined;
  #started = false;
  #ended: EndedEffect | undefined;
  /** Whether the session was lost when it ended: a cancel that came before that is a cancel. */
  #wasLost = false;
  #endedLate: EndedLateEffect | undefined;
  /** Resolved, and replaced, when the pump is to look again whether it may go on. */
  #wake = Promise.withResolvers<void>();
  /** What went wrong with the file on our side, when that ended it. */
  #ownFailure: { readonly code: string; readonly message: string } | undefined;
  #pumping: Promise<void> = Promise.resolve();

  constructor(
    options: OutgoingTransferOptions,
    session: SessionTransfers,
    source: SourceFile,
    flow: Flow,
  ) {
    this.#entry = options.entry;
    this.#book = options.book;
    this.#fs = options.fs;
    this.#session = session;
    this.#peer = session.peer;
    this.#source = source;
    this.#flow = flow;
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

  /** An application holds it, or lets go. False when both sides have not agreed on it. */
  setPaused(paused: boolean): boolean {
    if (!this.#flow.isLive) return false;
    this.#flow.hold("user", paused);
    return true;
  }

  /** Tells the peer that we hold it, or no longer. */
  sayPaused(paused: boolean): void {
    this.#act((id, transfers, now) =>
      paused ? transfers.pause(id, now) : transfers.resume(id, now)
    );
  }

  /** Tells of what it waits for now, and goes on when that is nothing. */
  onFlowChange({ state, waitingFor, event }: FlowNews): void {
    this.#book.change(this.#entry, { state, waitingFor }, event);
    this.#wakePump();
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
        this.#flow.start();
        this.#pumping = this.#pump();
        break;
      case "transfer-paused":
      case "transfer-resumed":
        if (news.by === "remote") this.#flow.hold("peer", news.type === "transfer-paused");
        break;
      case "transfer-ended":
        this.#ended = news;
        this.#wasLost = this.#session.lost;
        this.#flow[Symbol.dispose]();
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
        this.#flow.sent(request.length);
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
      const queued = { state: "queued", waitingFor: "session" } as const;
      await this.#book.change(this.#entry, queued, "transfer-queued");
      return "again";
    }
    if (ended.outcome === "completed") return await this.#concludeSent();
    await this.#book.change(this.#entry, {
      ...endOf("outgoing", ended, this.#started, this.#wasLost),
      ...(this.#ownFailure === undefined ? {} : { failure: this.#ownFailure }),
    }, "transfer-failed");
    return "done";
  }

  /** All was handed to the channel; what the peer makes of it is still to come. */
  async #concludeSent(): Promise<"done"> {
    this.#entry.update({ waitingFor: "confirmation" });
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
    if (late !== undefined && late.error === undefined) {
      return { state: "cancelled", failure: CANCELLED_BY_RECEIVER };
    }
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

/** What a cancel can mean, which carries no reason on the wire. */
const REJECTED = {
  code: "TRANSFER_REJECTED",
  message: "the peer cancelled the offer and gave no reason: it was declined there, or the " +
    "file's name can't be used, or there is no space for it",
};
const CANCELLED_BY_RECEIVER = {
  code: "CANCELLED_BY_PEER",
  message: "the peer cancelled and gave no reason: it was told to, or it can't keep the file " +
    "(disk, space, name)",
};
const CANCELLED_BY_SENDER = {
  code: "CANCELLED_BY_PEER",
  message: "the sender cancelled and gave no reason: it was told to, or it can't read the file " +
    "any more, or the file has changed",
};
const CODES = { unanswered: "OFFER_EXPIRED", crossed: "OFFERS_CROSSED" } as const;

/** State and failure of a transfer that ended without being completed, and not by our word. */
export function endOf(
  direction: "outgoing" | "incoming",
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
  if (ended.by === "remote") {
    if (direction === "incoming") return { state: "cancelled", failure: CANCELLED_BY_SENDER };
    return started
      ? { state: "cancelled", failure: CANCELLED_BY_RECEIVER }
      : { state: "rejected", failure: REJECTED };
  }
  if (ended.reason === undefined) return { state: "cancelled" };
  const failure = { code: CODES[ended.reason], message: ended.message };
  return { state: "cancelled", failure };
}
