/**
 * The transfers of one open session: news are routed to the transfer that they are about.
 *
 * @module
 */
import type { TransferId } from "../../../protocol/messages/transfer_id.ts";
import type { IncomingFile } from "../../../protocol/transfer/file_receiver.ts";
import type { PeerSession, TransferNews } from "../sessions/peer_session.ts";

/**
 * How long a file that has come whole may take to get on disk before the peer's next message is
 * read all the same, in milliseconds: less than a sender waits for our last word, and far less than
 * the silence after which a peer gives us up.
 */
const KEEPING_MS = 4000;

/** Options of {@linkcode SessionTransfers}. */
export interface SessionTransfersOptions {
  /** The session's id. */
  readonly sessionId: string;
  /** Identity key of the peer, 64 lower-case hex digits. */
  readonly identity: string;
  /** The peer is a web client. */
  readonly web: boolean;
  /** The session at work. */
  readonly peer: PeerSession;
  /** Told of each file that the peer offers. */
  readonly onOffer: (file: IncomingFile, transfers: SessionTransfers) => void;
  /** Told when a transfer has ended, and another may begin. */
  readonly onEnded: () => void;
  /** How long {@linkcode SessionTransfers.keep} holds, in milliseconds. @default {4000} */
  readonly keepingMs?: number;
}

/** See the module's text. */
export class SessionTransfers {
  readonly #options: SessionTransfersOptions;
  readonly #routes = new Map<TransferId, (news: TransferNews) => void>();
  readonly #incoming = new Set<TransferId>();
  #keeping: Promise<void> | undefined;
  #isSending = false;
  #lost = false;

  /** Starts with none. */
  constructor(options: SessionTransfersOptions) {
    this.#options = options;
  }

  /** The session's id. */
  get sessionId(): string {
    return this.#options.sessionId;
  }

  /** Identity key of the peer. */
  get identity(): string {
    return this.#options.identity;
  }

  /** Whether the peer is a web client. */
  get web(): boolean {
    return this.#options.web;
  }

  /** The session at work. */
  get peer(): PeerSession {
    return this.#options.peer;
  }

  /** Whether the peer has an offer or a transfer under way to us. */
  get hasIncoming(): boolean {
    return this.#incoming.size > 0;
  }

  /** Whether a file of ours may be prepared and offered: nothing is on its way, either way. */
  get isFree(): boolean {
    return !this.#isSending && (this.peer.transfers?.idle ?? false);
  }

  /** A file of ours is prepared, offered and sent, one at a time, until what it gives is disposed. */
  beginSending(): Disposable {
    this.#isSending = true;
    return {
      [Symbol.dispose]: () => {
        this.#isSending = false;
      },
    };
  }

  /** Whether the session ended without anybody wanting its transfers to end. */
  get lost(): boolean {
    return this.#lost;
  }

  /** The session ends by itself: what its transfers are told from here on is not their choice. */
  markLost(): void {
    this.#lost = true;
  }

  /**
   * A file has come whole and is being kept: until it is on disk, or that takes too long, what the
   * peer says is not read. So our answer to its next ping says that it is. A web client asks
   * nothing, and may send its next file at once.
   */
  keep(done: Promise<void>): void {
    if (this.web) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#options.keepingMs ?? KEEPING_MS);
    this.#keeping = promise;
    promise.then(() => {
      clearTimeout(timer);
      this.#keeping = undefined;
    });
    done.then(resolve);
  }

  /** What to wait for before more of the peer's messages are read; undefined for nothing. */
  room(): Promise<void> | undefined {
    return this.#keeping;
  }

  /**
   * Says who is told of a transfer: until its end or, when a file was sent whole, until
   * {@linkcode unroute}, as the peer may still say that it did not want it.
   */
  route(id: TransferId, listener: (news: TransferNews) => void): void {
    this.#routes.set(id, listener);
  }

  /** Nobody is told of that transfer any more. */
  unroute(id: TransferId): void {
    this.#routes.delete(id);
  }

  /** Passes news on. */
  deliver(news: TransferNews): void {
    if (news.type === "transfer-offered") {
      this.#incoming.add(news.file.transferId);
      this.#options.onOffer(news.file, this);
      return;
    }
    const listener = this.#routes.get(news.transferId);
    if (news.type === "transfer-ended") {
      const sentWhole = news.direction === "outgoing" && news.outcome === "completed";
      if (!sentWhole) this.unroute(news.transferId);
      this.#incoming.delete(news.transferId);
    }
    listener?.(news);
    if (news.type === "transfer-ended") this.#options.onEnded();
  }
}
