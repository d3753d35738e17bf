/**
 * The bounded receive side of a channel: messages wait here until they are read.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { abortable } from "../base/deadline.ts";
import type { ChannelEnd, ChannelMessage, WaitOptions } from "./channel.ts";

/** Most bytes of a channel's messages that wait to be read, unless said otherwise. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;

/** Bounds of an {@linkcode ReceiveBuffer}. */
export interface ReceiveBufferOptions {
  /** Most messages that wait. @default {1024} */
  readonly maxMessages?: number;
  /** Most bytes that wait; a message that would pass it is refused. @default {8388608} */
  readonly maxBytes?: number;
}

/** Bytes of a message: its own for binary, its UTF-8 form for text. */
export function byteLength(message: ChannelMessage): number {
  return typeof message === "string" ? Buffer.byteLength(message, "utf8") : message.byteLength;
}

/** A queue of inbound messages with one reader, a bound, and an end. */
export class ReceiveBuffer {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #queue: { readonly message: ChannelMessage; readonly bytes: number }[] = [];
  #bytes = 0;
  #end: ChannelEnd | undefined;
  #wake = Promise.withResolvers<void>();

  /** Makes an empty one. */
  constructor(options: ReceiveBufferOptions = {}) {
    this.#maxMessages = options.maxMessages ?? 1024;
    this.#maxBytes = options.maxBytes ?? MAX_UNREAD_BYTES;
  }

  /** Bytes that wait to be read. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a message; false when there is no room for it or the buffer has ended. */
  push(message: ChannelMessage): boolean {
    const bytes = byteLength(message);
    if (this.#end !== undefined) return false;
    if (this.#queue.length >= this.#maxMessages || this.#bytes + bytes > this.#maxBytes) {
      return false;
    }
    this.#queue.push({ message, bytes });
    this.#bytes += bytes;
    this.#wake.resolve();
    return true;
  }

  /** Nothing comes any more. What waits can still be read. */
  end(end: ChannelEnd): void {
    this.#end ??= end;
    this.#wake.resolve();
  }

  /** See {@linkcode Channel.receive}. */
  async receive(options: WaitOptions = {}): Promise<ChannelMessage | undefined> {
    options.signal?.throwIfAborted();
    while (true) {
      const next = this.#queue.shift();
      if (next !== undefined) {
        this.#bytes -= next.bytes;
        return next.message;
      }
      if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return undefined;
      }
      this.#wake = Promise.withResolvers();
      const { promise } = this.#wake;
      await (options.signal === undefined ? promise : abortable(promise, options.signal));
    }
  }
}
