/**
 * The channel between two peers as the rest of the program sees it: ordered, reliable,
 * message-preserving, with backpressure, deadlines, and an end that has a reason.
 *
 * Implementations: `memory_channel.ts` (tests) and `webrtc/` (the wire).
 *
 * @module
 */
import type { TransportError } from "../base/errors.ts";
import type { CertificateDigest } from "../protocol/identity/proven_identity.ts";

/** One message: text frames are strings, binary frames are bytes. Never empty. */
export type ChannelMessage = string | Uint8Array<ArrayBuffer>;

/** Why a channel ended. `error` is absent when it was closed in order. */
export interface ChannelEnd {
  /** Who ended it: this side, the peer, or a failure of the path between. */
  readonly by: "local" | "remote" | "failure";
  /** The failure that ended it; absent after an orderly close. */
  readonly error?: TransportError;
}

/** The certificates that the two sides showed when the connection was made. */
export interface ShownCertificates {
  /** Ours. */
  readonly local: CertificateDigest;
  /** The peer's: it has shown that it holds the certificate's key. */
  readonly remote: CertificateDigest;
}

/** The way that a channel goes by. */
export interface ChannelPath {
  /** What carries it. */
  readonly transport: "udp" | "tcp";
  /** Our end: address and port, an IPv6 address in brackets. */
  readonly local: string;
  /** The peer's end, likewise. */
  readonly remote: string;
}

/** Options of a wait on a channel. */
export interface WaitOptions {
  /** Ends the wait with its reason. */
  readonly signal?: AbortSignal;
}

/** Options of {@linkcode Channel.close}. */
export interface CloseOptions extends WaitOptions {
  /**
   * Wait until all that was sent has been acknowledged by the peer's transport before closing.
   * @default {true}
   */
  readonly graceful?: boolean;
}

/** An ordered, reliable channel of messages to one peer. */
export interface Channel extends AsyncDisposable {
  /** The label that the offerer gave it. */
  readonly label: string;
  /** Largest message, in bytes, that both sides take. */
  readonly maxMessageSize: number;
  /** What a session binds its identities to. They stay the same until the channel ends. */
  readonly certificates: ShownCertificates;
  /** The way that it goes by at the moment; absent after the end, and where there is none. */
  readonly path?: ChannelPath | undefined;
  /**
   * Queues a message. Resolves when the next may follow: at once below the high watermark, else
   * when the queue has fallen to the low one. The caller must not send again before that.
   *
   * @throws {TransportError} CHANNEL_CLOSED or CHANNEL_LOST after the end, MESSAGE_EMPTY,
   * MESSAGE_TOO_LARGE.
   */
  send(message: ChannelMessage, options?: WaitOptions): Promise<void>;
  /**
   * The next inbound message, or undefined when the peer has closed in order and nothing is left.
   * One reader at a time.
   *
   * @throws {TransportError} When the channel failed.
   */
  receive(options?: WaitOptions): Promise<ChannelMessage | undefined>;
  /** Iterates {@linkcode Channel.receive}. */
  [Symbol.asyncIterator](): AsyncIterator<ChannelMessage>;
  /**
   * Resolves when all that was sent has been acknowledged by the peer's transport. What was
   * acknowledged before the channel ended stays acknowledged: it may be asked after the end.
   *
   * @throws {TransportError} When the channel ended with something unacknowledged: whether the peer
   * has it can't be known any more.
   */
  drained(options?: WaitOptions): Promise<void>;
  /**
   * Closes; settles when nothing of the channel is left (sockets, timers). May be called again: a
   * call that is not graceful ends the wait of one that is.
   *
   * @throws The signal's reason when it aborts first; the channel is closed all the same.
   */
  close(options?: CloseOptions): Promise<void>;
  /** Resolves with the reason when the channel has ended; never rejects. */
  readonly closed: Promise<ChannelEnd>;
}
