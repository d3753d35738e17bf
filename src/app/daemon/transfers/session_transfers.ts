/**
 * The transfers of one open session: what happens is routed to the transfer that it is about.
 *
 * @module
 */
import { FILE_SAVE_MS } from "../../../base/timing.ts";
import type { TransferId } from "../../../protocol/messages/transfer_id.ts";
import type { OfferedFile } from "../../../protocol/transfer/file_receiver.ts";
import type { RefusedEffect } from "../../../protocol/transfer/effects.ts";
import type { PeerSession, TransferEvent, TransferHandler } from "../sessions/peer_session.ts";

/**
 * Files of ours that may be sent whole and wait for the peer's last word, or be under way: while one
 * waits the next is sent, and a peer that answers nothing gets no more.
 */
const MAX_UNCONFIRMED = 2;

/**
 * The same with a peer with which a file can go on: what is cut off then is not sent twice. And as
 * many small files of such a peer may wait for the disk before less is read.
 */
export const MAX_PIPELINED = 8;

/** A file up to so many bytes may wait for the disk while the peer's next one comes. */
export const SMALL_FILE_BYTES: number = 16 * 1024;

/** A file of ours that is being sent. Disposing it ends that. */
export interface SendingTurn extends Disposable {
  /** It was sent whole: the next may begin while its peer's last word is awaited. */
  passOn(): void;
}

/** Options of {@linkcode SessionTransfers}. */
export interface SessionTransfersOptions extends
  Pick<
    SessionTransfers,
    "sessionId" | "identity" | "proven" | "acceptsFiles" | "resumes" | "peer"
  > {
  /** Called with each file that the peer offers. */
  readonly onOffer: (file: OfferedFile, transfers: SessionTransfers) => void;
  /** Called with each offer that the protocol's rules refused, and how many there were so far. */
  readonly onRefused: (refused: RefusedEffect, count: number) => void;
  /** Called when a transfer has ended or was sent whole, and another may begin. */
  readonly onEnded: () => void;
  /** Called when the session is about to be closed in order. */
  readonly onClosing: (transfers: SessionTransfers) => void;
  /** What every session waits for before more is read; undefined for nothing. */
  readonly backpressure: () => Promise<void> | undefined;
  /** How long {@linkcode SessionTransfers.keep} holds, in milliseconds. @default {FILE_SAVE_MS} */
  readonly fileSaveMs?: number;
}

/** The transfers of one open session. */
export class SessionTransfers implements TransferHandler {
  /** Id of the session, as in the API. */
  readonly sessionId: string;
  /** Identity key of the peer, 64 lower-case hex digits. */
  readonly identity: string;
  /** Whether the peer has proven that it holds the identity's key. */
  readonly proven: boolean;
  /** Whether it was let in with its files: they are accepted without asking. */
  readonly acceptsFiles: boolean;
  /** Whether files that were lost can go on in it. */
  readonly resumes: boolean;
  /** The session at work. */
  readonly peer: PeerSession;
  readonly #options: SessionTransfersOptions;
  readonly #routes = new Map<TransferId, (event: TransferEvent) => void>();
  readonly #incoming = new Set<TransferId>();
  #keeping: Promise<void> | undefined;
  /** Files that came whole and are not on disk: each resolves when it is. */
  readonly #unsaved = new Set<Promise<void>>();
  /** Of our files that are being sent, whether each is sent whole. */
  readonly #turns = new Set<{ isSent: boolean }>();
  #lost = false;
  #peerIsLeaving = false;
  #isClosing = false;
  #refused = 0;

  /** Starts with none. */
  constructor(options: SessionTransfersOptions) {
    ({ sessionId: this.sessionId, identity: this.identity, proven: this.proven } = options);
    this.acceptsFiles = options.acceptsFiles;
    this.resumes = options.resumes;
    this.peer = options.peer;
    this.#options = options;
  }

  /** Whether the peer has an offer or a transfer under way to us. */
  get hasIncoming(): boolean {
    return this.#incoming.size > 0;
  }

  /**
   * Whether a file of ours may be prepared and offered: nothing is on its way, either way, and the
   * peer has not said that what was under way is to go on in another session.
   */
  get isFree(): boolean {
    const { transfers } = this.peer;
    if (this.#peerIsLeaving || transfers?.idle !== true) return false;
    // A peer that gave way to our last offer has its turn when that file is confirmed.
    if (transfers.peerGaveWay && this.#turns.size > 0) return false;
    const most = this.resumes ? MAX_PIPELINED : MAX_UNCONFIRMED;
    return this.#turns.size < most && [...this.#turns].every(({ isSent }) => isSent);
  }

  /** Keeps other files of ours from beginning until it is passed on or disposed. */
  beginSending(): SendingTurn {
    const turn = { isSent: false };
    this.#turns.add(turn);
    return {
      passOn: () => {
        turn.isSent = true;
        this.#options.onEnded();
      },
      [Symbol.dispose]: () => {
        this.#turns.delete(turn);
      },
    };
  }

  /** Whether the session ended without anybody wanting its transfers to end. */
  get lost(): boolean {
    return this.#lost;
  }

  /** The session ends by itself: how its transfers end from here on is not their choice. */
  markLost(): void {
    this.#lost = true;
  }

  /** Whether the session is being closed in order: no offer is taken any more. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** The session is about to be closed in order. */
  markClosing(): void {
    this.#isClosing = true;
    this.#options.onClosing(this);
  }

  /**
   * A file has come whole and is being kept: until it is on disk, or that takes too long, what the
   * peer says is not read. So our answer to its next ping says that it is, and a peer that asks
   * nothing sends no faster than the disk writes. Where the session can resume, the protocol core
   * keeps that answer back itself: there a few small files may wait, and the disk writes what they
   * have in common once.
   *
   * @param done Resolves when it is on disk, or can't be.
   * @param bytes Its length.
   */
  keep(done: Promise<void>, bytes: number): void {
    this.#unsaved.add(done);
    done.then(() => this.#unsaved.delete(done));
    const mayWait = this.resumes && bytes <= SMALL_FILE_BYTES;
    if (mayWait && this.#unsaved.size < MAX_PIPELINED) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#options.fileSaveMs ?? FILE_SAVE_MS);
    this.#keeping = promise;
    promise.then(() => {
      clearTimeout(timer);
      this.#keeping = undefined;
    });
    (mayWait ? Promise.race(this.#unsaved) : done).then(resolve);
  }

  /** What to wait for before more of the peer's messages are read; undefined for nothing. */
  backpressure(): Promise<void> | undefined {
    return this.#keeping ?? this.#options.backpressure();
  }

  /**
   * Passes a transfer's events to a listener: until its end or, when a file was sent whole, until
   * {@linkcode unroute}, as the peer may still cancel it or report an error.
   */
  route(id: TransferId, listener: (event: TransferEvent) => void): void {
    this.#routes.set(id, listener);
  }

  /** Passes that transfer's events on no longer. */
  unroute(id: TransferId): void {
    this.#routes.delete(id);
  }

  /** Passes an event on to its transfer, or begins one. */
  onTransferEvent(event: TransferEvent): void {
    if (event.type === "transfer-offered") {
      this.#incoming.add(event.file.transferId);
      this.#options.onOffer(event.file, this);
      return;
    }
    if (event.type === "transfer-refused") {
      this.#options.onRefused(event, ++this.#refused);
      return;
    }
    if (event.type === "transfer-ended" || event.type === "transfer-ended-late") {
      const byPeer = event.type === "transfer-ended-late" || event.by === "remote";
      // With an error it is only this file that can't go on for now.
      this.#peerIsLeaving ||= byPeer && event.resumable === true && event.error === undefined;
    }
    const listener = this.#routes.get(event.transferId);
    if (event.type === "transfer-ended") {
      const sentWhole = event.direction === "outgoing" && event.outcome === "completed";
      if (!sentWhole) this.unroute(event.transferId);
      this.#incoming.delete(event.transferId);
    }
    listener?.(event);
    if (event.type === "transfer-ended") this.#options.onEnded();
  }
}
