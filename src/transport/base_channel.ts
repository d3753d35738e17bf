/**
 * What every {@linkcode Channel} does the same way: bounds, waits and its end.
 *
 * @module
 */
import { TransportError } from "../base/errors.ts";
import type {
  Channel,
  ChannelEnd,
  ChannelMessage,
  CloseOptions,
  ShownCertificates,
  WaitOptions,
} from "./channel.ts";
import { byteLength, ReceiveBuffer, type ReceiveBufferOptions } from "./receive_buffer.ts";
import { SendWindow, type SendWindowOptions } from "./send_window.ts";

/** Options of a {@linkcode BaseChannel}. */
export interface BaseChannelOptions extends ReceiveBufferOptions, SendWindowOptions {
  /** The label that the offerer gave it. */
  readonly label: string;
  /** Largest message that both sides take, in bytes. */
  readonly maxMessageSize: number;
  /** What both sides showed when the connection was made. */
  readonly certificates: ShownCertificates;
}

/** A channel but for its way to the peer. */
export abstract class BaseChannel implements Channel {
  /** See {@linkcode Channel.label}. */
  readonly label: string;
  /** See {@linkcode Channel.maxMessageSize}. */
  readonly maxMessageSize: number;
  /** See {@linkcode Channel.certificates}. */
  readonly certificates: ShownCertificates;
  /** See {@linkcode Channel.closed}. */
  readonly closed: Promise<ChannelEnd>;
  readonly #buffer: ReceiveBuffer;
  readonly #window: SendWindow;
  readonly #ended = Promise.withResolvers<ChannelEnd>();
  #end: ChannelEnd | undefined;
  #closing: Promise<void> | undefined;

  /** Opens it; nothing is sent by this. */
  constructor(options: BaseChannelOptions) {
    this.label = options.label;
    this.maxMessageSize = options.maxMessageSize;
    this.certificates = options.certificates;
    this.#buffer = new ReceiveBuffer(options);
    this.#window = new SendWindow(options);
    this.closed = this.#ended.promise;
  }

  /** Sends a copy of a message that is within the bounds; `acknowledged` follows. */
  protected abstract transmit(message: ChannelMessage, bytes: number): void;
  /** Tells the peer that all has been sent and the channel ends; all has been acknowledged. */
  protected abstract finish(signal: AbortSignal | undefined): Promise<void>;
  /** Frees what is below; called once, after the end. */
  protected abstract release(): Promise<void>;

  /** Whether this side is closing or the channel has ended. */
  protected get isClosing(): boolean {
    return this.#closing !== undefined || this.#end !== undefined;
  }

  /** See {@linkcode Channel.send}. */
  send(message: ChannelMessage, options: WaitOptions = {}): Promise<void> {
    // Two steps, so that whoever waits for room does not keep the message.
    try {
      options.signal?.throwIfAborted();
      this.#handOver(message);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#window.writable(options);
  }

  #handOver(message: ChannelMessage): void {
    if (this.isClosing) throw closedError(this.#end);
    const bytes = byteLength(message);
    if (bytes === 0) {
      throw new TransportError("MESSAGE_EMPTY", "an empty message can't be sent over WebRTC");
    }
    if (bytes > this.maxMessageSize) {
      throw new TransportError(
        "MESSAGE_TOO_LARGE",
        `a message of ${bytes} bytes can't be sent: the channel takes ${this.maxMessageSize}`,
      );
    }
    this.#window.add(bytes);
    this.transmit(message, bytes);
  }

  /** See {@linkcode Channel.receive}. */
  receive(options: WaitOptions = {}): Promise<ChannelMessage | undefined> {
    return this.#buffer.receive(options);
  }

  /** Iterates {@linkcode receive}. */
  async *[Symbol.asyncIterator](): AsyncIterator<ChannelMessage> {
    while (true) {
      const message = await this.receive();
      if (message === undefined) return;
      yield message;
    }
  }

  /** See {@linkcode Channel.drained}. */
  drained(options: WaitOptions = {}): Promise<void> {
    return this.#window.empty(options);
  }

  /** See {@linkcode Channel.close}. */
  async close(options: CloseOptions = {}): Promise<void> {
    const first = this.#closing;
    if (first === undefined) return await (this.#closing = this.#close(options));
    // Who does not want to wait ends the wait of who came before.
    if (options.graceful === false) this.end({ by: "local" });
    // Whoever gave it up knows that already: nothing is left of the channel.
    await first.catch(() => {});
  }

  /** Closes at once, without waiting for what was sent. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close({ graceful: false });
  }

  /** Ends the channel; the first reason stands. */
  end(end: ChannelEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#buffer.end(end);
    this.#window.fail(closedError(end));
    this.#ended.resolve(end);
  }

  /** A message of the peer's came in; one that finds no room ends the channel. */
  protected deliver(message: ChannelMessage): void {
    if (this.#end !== undefined || message.length === 0 || this.#buffer.push(message)) return;
    const error = new TransportError(
      "RECEIVE_OVERFLOW",
      "the peer sent faster than its messages were read and did not stop; the channel is closed",
    );
    this.end({ by: "failure", error });
  }

  /** The peer's transport has this many more bytes; what comes after the end counts no more. */
  protected acknowledged(bytes: number): void {
    if (this.#end === undefined) this.#window.remove(bytes);
  }

  /** What the path delivers in a round trip, in bytes: the bound of what is under way follows. */
  protected fitWindow(delivered: number): void {
    this.#window.fit(delivered);
  }

  async #close({ graceful = true, signal }: CloseOptions): Promise<void> {
    try {
      if (graceful && this.#end === undefined) {
        await this.#window.empty(signal === undefined ? {} : { signal });
        await this.finish(signal);
      }
    } catch (error) {
      // The channel ended while it waited: there is nothing left to wait for.
      if (this.#end === undefined) throw error;
    } finally {
      this.end({ by: "local" });
      await this.release();
    }
  }
}

function closedError(end: ChannelEnd | undefined): TransportError {
  if (end?.error !== undefined) return end.error;
  const by = end?.by === "remote" ? "the peer" : "this side";
  return new TransportError("CHANNEL_CLOSED", `the channel has been closed by ${by}`);
}
