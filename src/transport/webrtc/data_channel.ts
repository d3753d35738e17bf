/**
 * The wire's channel: one ordered, reliable WebRTC data channel.
 *
 * @module
 */
import { abortable, Deadline } from "../../base/deadline.ts";
import { CHANNEL_CLOSE_MS } from "../../base/timing.ts";
import { BaseChannel, type BaseChannelOptions } from "../base_channel.ts";
import type { ChannelMessage, ChannelPath, WaitOptions } from "../channel.ts";
import { MessageBuffers } from "./message_buffers.ts";
import type { Association } from "./sctp/association.ts";
import type { ChannelContent } from "./sctp/channel_stream.ts";
import { Deque } from "./sctp/deque.ts";
import { MAX_HELD, RECEIVE_WINDOW } from "./sctp/receive_window.ts";

/** Options of a {@linkcode DataChannel}. */
export interface DataChannelOptions extends BaseChannelOptions {
  /** The way that it goes by at the moment. */
  readonly path: () => ChannelPath | undefined;
  /** Releases the connection below; called once, when the channel closes. */
  readonly release: () => Promise<void>;
}

/**
 * Bounds of what waits to be read. The association's window stops the peer before they are reached:
 * what it lets in beyond itself is one message.
 */
const UNREAD_BOUNDS = { maxMessages: MAX_HELD + 1, maxBytes: 2 * RECEIVE_WINDOW.most };

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A data channel that is open. */
export class DataChannel extends BaseChannel {
  readonly #association: Association;
  readonly #path: () => ChannelPath | undefined;
  readonly #release: () => Promise<void>;
  readonly #buffers = new MessageBuffers();
  /** Bytes of each message that waits to be read, as they came. */
  readonly #unread = new Deque<number>();
  #isFinishing = false;
  readonly #confirmed = Promise.withResolvers<void>();

  /** Stands on an association whose channel has opened. */
  constructor(association: Association, options: DataChannelOptions) {
    super({ ...UNREAD_BOUNDS, ...options });
    this.#association = association;
    this.#path = options.path;
    this.#release = options.release;
    this.closed.then(() => this.#confirmed.resolve());
  }

  /** See {@linkcode Channel.path}. */
  get path(): ChannelPath | undefined {
    return this.#path();
  }

  /** See {@linkcode BaseChannel.receive}: what has been read makes room for more of the peer's. */
  override async receive(options: WaitOptions = {}): Promise<ChannelMessage | undefined> {
    const message = await super.receive(options);
    const bytes = message === undefined ? undefined : this.#unread.shift();
    if (bytes !== undefined) this.#association.consumed(bytes);
    return message;
  }

  /** A message has come: a view that is valid until this returns. */
  take({ isText, bytes }: ChannelContent): void {
    if (this.#isFinishing) return this.#association.consumed(bytes.length);
    this.#unread.push(bytes.length);
    this.deliver(isText ? decoder.decode(bytes) : bytes.slice());
  }

  /** The peer has closed the channel, or has confirmed that we did. */
  onPeerClosed(): void {
    // All of ours has arrived by then, and we closed first: whatever the peer says, it knows.
    if (this.#isFinishing) this.#confirmed.resolve();
    else this.end({ by: "remote" });
  }

  /** Hands a copy to the association. */
  protected transmit(message: ChannelMessage, bytes: number): void {
    // A copy: it is kept until the peer has acknowledged it.
    const memory = this.#buffers.take(bytes);
    const isText = typeof message === "string";
    if (isText) encoder.encodeInto(message, memory);
    else memory.set(message);
    this.#association.send({ isText, bytes: memory }, () => {
      this.#buffers.give(memory);
      this.fitWindow(this.#association.deliveredBytes);
      this.acknowledged(bytes);
    });
  }

  /** Resets the stream, waits for the peer to confirm it, and ends the association in order. */
  protected async finish(signal: AbortSignal | undefined): Promise<void> {
    this.#isFinishing = true;
    this.#association.closeChannel();
    // A peer ends its side when it has sent what it had begun: nobody may read that here any more.
    for (let bytes = this.#unread.shift(); bytes !== undefined; bytes = this.#unread.shift()) {
      this.#association.consumed(bytes);
    }
    using deadline = new Deadline(CHANNEL_CLOSE_MS, {
      what: "the peer's confirmation of the close",
      ...(signal === undefined ? {} : { parent: signal }),
    });
    const closing = this.#confirmed.promise.then(() => this.#association.shutdown());
    // Everything has arrived: a peer that does not confirm has nothing to lose.
    await abortable(closing, deadline.signal).catch(() => {});
  }

  /** Releases the connection. */
  protected release(): Promise<void> {
    return this.#release();
  }
}
