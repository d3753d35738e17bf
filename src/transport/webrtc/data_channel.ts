/**
 * The wire's channel: one ordered, reliable WebRTC data channel.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { RTCDataChannel } from "werift";
import { abortable, Deadline } from "../../base/deadline.ts";
import { CHANNEL_CLOSE_MS } from "../../base/timing.ts";
import { BaseChannel, type BaseChannelOptions } from "../base_channel.ts";
import type { ChannelMessage } from "../channel.ts";
import type { Association } from "./association.ts";
import { MessageBuffers } from "./message_buffers.ts";

/** Options of a {@linkcode DataChannel}. */
export interface DataChannelOptions extends Omit<BaseChannelOptions, "label"> {
  /** Releases the connection below; called once, when the channel closes. */
  readonly release: () => Promise<void>;
}

/** A message under way. */
interface SentMessage {
  /** Of its last fragment. */
  readonly lastTsn: number;
  /** Lent until it is acknowledged. */
  readonly memory: Buffer<ArrayBuffer>;
}

const encoder = new TextEncoder();

/** A data channel that is open. */
export class DataChannel extends BaseChannel {
  readonly #inner: RTCDataChannel;
  readonly #association: Association;
  readonly #release: () => Promise<void>;
  /** Sent and not yet acknowledged, in order. */
  readonly #sent: SentMessage[] = [];
  readonly #buffers = new MessageBuffers();
  readonly #innerClosed = Promise.withResolvers<void>();

  /** Takes over a channel of the library's, before or when it opens: no message is missed. */
  constructor(inner: RTCDataChannel, association: Association, options: DataChannelOptions) {
    super({ ...options, label: inner.label });
    this.#inner = inner;
    this.#association = association;
    this.#release = options.release;
    inner.onMessage.subscribe((message) =>
      // A view of the library's buffer would keep a whole packet alive.
      this.deliver(typeof message === "string" ? message : new Uint8Array(message))
    );
    inner.stateChanged.subscribe((state) => {
      if (state !== "closed") return;
      this.#innerClosed.resolve();
      if (!this.isClosing) this.end({ by: "remote" });
    });
    this.closed.then(() => this.#innerClosed.resolve());
    association.onAcknowledged = () => this.#onAcknowledged();
  }

  /** Hands a copy to the association. */
  protected transmit(message: ChannelMessage, bytes: number): void {
    // A copy: the library keeps what it is given until the peer has acknowledged it.
    const memory = this.#buffers.take(bytes);
    if (typeof message === "string") encoder.encodeInto(message, memory);
    else memory.set(message);
    const kind = typeof message === "string" ? "text" : "binary";
    const lastTsn = this.#association.send(this.#inner, kind, memory);
    this.#sent.push({ lastTsn, memory });
  }

  /** Resets the stream, and waits for the peer to confirm it. */
  protected async finish(signal: AbortSignal | undefined): Promise<void> {
    this.#inner.close();
    using deadline = new Deadline(CHANNEL_CLOSE_MS, {
      what: "the peer's confirmation of the close",
      ...(signal === undefined ? {} : { parent: signal }),
    });
    // Everything has arrived: a peer that does not confirm has nothing to lose.
    await abortable(this.#innerClosed.promise, deadline.signal).catch(() => {});
  }

  /** Releases the connection. */
  protected release(): Promise<void> {
    return this.#release();
  }

  #onAcknowledged(): void {
    for (let head = this.#sent[0]; head !== undefined; head = this.#sent[0]) {
      if (!this.#association.isAcknowledged(head.lastTsn)) return;
      this.#sent.shift();
      this.#buffers.give(head.memory);
      this.acknowledged(head.memory.length);
    }
  }
}
