/**
 * Frames on their way into a channel: in order, one at a time, bounded.
 *
 * @module
 */
import { abortable } from "../../../base/deadline.ts";
import type { Channel, ChannelMessage } from "../../../transport/channel.ts";

/** Most frames that may wait. A chunk waits alone; the rest are short answers to the peer. */
export const MAX_WAITING_FRAMES = 256;
/** Most bytes of frames that may wait; a text frame is ASCII. */
export const MAX_OUTBOX_BYTES = 4 * 1024 * 1024;

/** Sends frames in order, waiting for the channel to take each. */
export class Outbox {
  readonly #channel: Channel;
  readonly #onFailure: (error: unknown) => void;
  readonly #frames: ChannelMessage[] = [];
  #bytes = 0;
  #sending: Promise<void> | undefined;
  #stopped = false;

  /**
   * Sends into a channel.
   *
   * @param channel Where frames go.
   * @param onFailure Told once when a frame can't be sent; nothing is sent after that.
   */
  constructor(channel: Channel, onFailure: (error: unknown) => void) {
    this.#channel = channel;
    this.#onFailure = onFailure;
  }

  /**
   * Queues a frame.
   *
   * @returns False when there is no room: the peer asks for answers that it does not take.
   */
  push(frame: ChannelMessage): boolean {
    if (this.#stopped) return true;
    if (
      this.#frames.length >= MAX_WAITING_FRAMES || this.#bytes + frame.length > MAX_OUTBOX_BYTES
    ) return false;
    this.#frames.push(frame);
    this.#bytes += frame.length;
    this.#sending ??= this.#send();
    return true;
  }

  /** Resolves when the channel has taken everything, or nothing can be sent any more. */
  async flushed(signal: AbortSignal): Promise<void> {
    while (this.#sending !== undefined) await abortable(this.#sending, signal);
  }

  /** Drops what waits. */
  stop(): void {
    this.#stopped = true;
    this.#frames.length = 0;
    this.#bytes = 0;
  }

  /** Not asynchronous: a frame of a chunk must not be kept for as long as the channel is full. */
  #sendNext(): Promise<void> {
    const frame = this.#frames.shift() ?? "";
    this.#bytes -= frame.length;
    return this.#channel.send(frame);
  }

  async #send(): Promise<void> {
    try {
      while (this.#frames.length > 0) await this.#sendNext();
    } catch (error) {
      this.stop();
      this.#onFailure(error);
    } finally {
      this.#sending = undefined;
    }
  }
}
