/**
 * The wire's {@linkcode Channel}: one ordered, reliable WebRTC data channel.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { RTCDataChannel } from "werift";
import { abortable, Deadline } from "../../base/deadline.ts";
import { TransportError } from "../../base/errors.ts";
import type { Channel, ChannelEnd, ChannelMessage, CloseOptions, WaitOptions } from "../channel.ts";
import { byteLength, Inbox, type InboxOptions } from "../inbox.ts";
import { SendWindow, type SendWindowOptions } from "../send_window.ts";
import type { Association } from "./association.ts";

/** How long a graceful close waits for the peer to confirm that the channel is closed. */
const CLOSE_CONFIRM_MS = 3000;

/** Options of a {@linkcode DataChannel}. */
export interface DataChannelOptions extends InboxOptions, SendWindowOptions {
  /** Largest message that both sides take, in bytes. */
  readonly maxMessageSize: number;
  /** Releases the connection below; called once, when the channel closes. */
  readonly release: () => Promise<void>;
}

/** A data channel that is open. */
export class DataChannel implements Channel {
  readonly label: string;
  readonly maxMessageSize: number;
  readonly closed: Promise<ChannelEnd>;
  readonly #inner: RTCDataChannel;
  readonly #association: Association;
  readonly #inbox: Inbox;
  readonly #window: SendWindow;
  readonly #release: () => Promise<void>;
  /** Sent and not yet acknowledged, in order: the last TSN of each message, and its bytes. */
  readonly #sent: { readonly lastTsn: number; readonly bytes: number }[] = [];
  readonly #ended = Promise.withResolvers<ChannelEnd>();
  readonly #innerClosed = Promise.withResolvers<void>();
  #end: ChannelEnd | undefined;
  #closing: Promise<void> | undefined;

  /** Takes over a channel of the library, before or when it opens: no message is missed. */
  constructor(inner: RTCDataChannel, association: Association, options: DataChannelOptions) {
    this.#inner = inner;
    this.#association = association;
    this.#release = options.release;
    this.label = inner.label;
    this.maxMessageSize = options.maxMessageSize;
    this.#inbox = new Inbox(options);
    this.#window = new SendWindow(options);
    this.closed = this.#ended.promise;
    inner.onMessage.subscribe((message) => this.#receive(message));
    inner.stateChanged.subscribe((state) => {
      if (state !== "closed") return;
      this.#innerClosed.resolve();
      this.end({ by: "remote" });
    });
    association.onAcknowledged = () => this.#acknowledge();
  }

  async send(message: ChannelMessage, options: WaitOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    if (this.#end !== undefined || this.#closing !== undefined) throw closedError(this.#end);
    const bytes = byteLength(message);
    // The library sends an empty message that its own receiver waits for ever behind.
    if (bytes === 0) {
      throw new TransportError("MESSAGE_EMPTY", "an empty message can't be sent over WebRTC");
    }
    if (bytes > this.maxMessageSize) {
      throw new TransportError(
        "MESSAGE_TOO_LARGE",
        `a message of ${bytes} bytes can't be sent: the channel takes ${this.maxMessageSize}`,
      );
    }
    // A copy: the library keeps what it is given until the peer has acknowledged it.
    const lastTsn = typeof message === "string"
      ? this.#association.send(this.#inner, "text", Buffer.from(message, "utf8"))
      : this.#association.send(this.#inner, "binary", Buffer.from(message));
    this.#sent.push({ lastTsn, bytes });
    this.#window.add(bytes);
    await this.#window.writable(options);
  }

  receive(options: WaitOptions = {}): Promise<ChannelMessage | undefined> {
    return this.#inbox.receive(options);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<ChannelMessage> {
    while (true) {
      const message = await this.receive();
      if (message === undefined) return;
      yield message;
    }
  }

  drained(options: WaitOptions = {}): Promise<void> {
    return this.#window.empty(options);
  }

  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close({ graceful: false });
  }

  /** Ends the channel; the first reason stands. */
  end(end: ChannelEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#inbox.end(end);
    this.#window.fail(closedError(end));
    this.#innerClosed.resolve();
    this.#ended.resolve(end);
  }

  #receive(message: string | Buffer): void {
    // A view of the library's buffer would keep a whole packet alive, and is not ours.
    const taken = typeof message === "string" ? message : new Uint8Array(message);
    if (byteLength(taken) === 0 || this.#end !== undefined) return;
    if (this.#inbox.push(taken)) return;
    const error = new TransportError(
      "RECEIVE_OVERFLOW",
      "the peer sent faster than its messages were read and did not stop; the channel is closed",
    );
    this.end({ by: "failure", error });
  }

  #acknowledge(): void {
    while (this.#sent[0] !== undefined && this.#association.isAcknowledged(this.#sent[0].lastTsn)) {
      this.#window.remove(this.#sent.shift()?.bytes ?? 0);
    }
  }

  async #close({ graceful = true, signal }: CloseOptions): Promise<void> {
    try {
      if (graceful && this.#end === undefined) await this.#closeInOrder(signal);
    } finally {
      this.end({ by: "local" });
      await this.#release();
    }
  }

  /** Waits for all acknowledgements, then closes the stream and waits for the peer's word on it. */
  async #closeInOrder(signal: AbortSignal | undefined): Promise<void> {
    const wait = signal === undefined ? {} : { signal };
    try {
      await this.#window.empty(wait);
    } catch (error) {
      if (this.#end === undefined) throw error; // the caller's signal
      return;
    }
    this.#inner.close();
    using deadline = new Deadline(CLOSE_CONFIRM_MS, {
      what: "the peer's confirmation of the close",
      ...(signal === undefined ? {} : { parent: signal }),
    });
    // Everything has arrived: a peer that does not confirm has nothing to lose.
    await abortable(this.#innerClosed.promise, deadline.signal).catch(() => {});
  }
}

function closedError(end: ChannelEnd | undefined): TransportError {
  if (end?.error !== undefined) return end.error;
  const by = end?.by === "remote" ? "the peer" : "this side";
  return new TransportError("CHANNEL_CLOSED", `the channel has been closed by ${by}`);
}
