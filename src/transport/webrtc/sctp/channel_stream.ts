/**
 * The one data channel of an association: how it opens (RFC 8832), what comes on it, and how it
 * closes by resets of its stream in both directions (RFC 8831, section 6.7). Pure.
 *
 * @module
 */
import { TransportError } from "../../../base/errors.ts";
import { Ppid, readControlMessage, writeAck, writeOpen } from "./dcep.ts";
import type { ReceivedMessage } from "./receiver.ts";

/** A message as it came: a view that is valid until the call returns. */
export interface ChannelContent {
  /** Whether the bytes are UTF-8 text. */
  readonly isText: boolean;
  /** Its content. */
  readonly bytes: Uint8Array;
}

/** Options of a {@linkcode ChannelStream}. */
export interface ChannelStreamOptions {
  /** Whether the peer opens the channel; if not, it may open none. */
  readonly peerOpens: boolean;
  /** Sends an ordered message on a stream. */
  readonly send: (stream: number, ppid: number, bytes: Uint8Array, onAcked?: () => void) => void;
  /** Asks for a reset of our direction of a stream. */
  readonly reset: (stream: number) => void;
  /** The channel is open. */
  readonly onOpen: (label: string) => void;
  /** A message has come. */
  readonly onMessage: (content: ChannelContent) => void;
  /** The peer has closed its direction of the channel, before or after we did. */
  readonly onClosed: () => void;
  /** The peer does what no peer may. */
  readonly onBreach: (error: TransportError) => void;
}

interface Stream {
  readonly id: number;
  readonly label: string;
  isOpen: boolean;
}

/** The channel, from its opening to its end. */
export class ChannelStream {
  readonly #options: ChannelStreamOptions;
  #stream: Stream | undefined;
  #isReset = false;
  #isResetByPeer = false;

  /** There is none yet. */
  constructor(options: ChannelStreamOptions) {
    this.#options = options;
  }

  /** Whether the peer knows of the channel's end, because it has ended its direction itself. */
  get isResetByPeer(): boolean {
    return this.#isResetByPeer;
  }

  /**
   * Opens the channel: it is open when the peer has said so.
   *
   * @param id Even for the DTLS client, odd for the server (RFC 8832, section 6).
   */
  open(id: number, label: string): void {
    this.#stream = { id, label, isOpen: false };
    this.#options.send(id, Ppid.CONTROL, writeOpen(label));
  }

  /** Sends a message on it; what is sent on one that is closed is dropped. */
  send({ isText, bytes }: ChannelContent, onAcknowledged: () => void): void {
    if (this.#stream === undefined || this.#isReset) return;
    const ppid = isText ? Ppid.TEXT : Ppid.BINARY;
    this.#options.send(this.#stream.id, ppid, bytes, onAcknowledged);
  }

  /** Closes our direction. */
  close(): void {
    if (this.#stream === undefined || this.#isReset) return;
    this.#isReset = true;
    this.#options.reset(this.#stream.id);
  }

  /** A message has come, on whichever stream. */
  onMessage({ streamId, ppid, bytes }: ReceivedMessage): void {
    if (ppid === Ppid.CONTROL) return this.#onControl(streamId, bytes);
    const kind = KINDS.get(ppid);
    if (kind === undefined) return this.#options.onBreach(breach("a message of an unknown kind"));
    const stream = this.#stream;
    // Of a channel that was not agreed on.
    if (stream?.id !== streamId) return;
    // A peer that sends has the channel open, whatever became of its word.
    this.#opened(stream);
    // An empty message is marked by its kind, around one byte (RFC 8831, section 6.6). Channels of
    // this program have none.
    if (!kind.isEmpty) this.#options.onMessage({ isText: kind.isText, bytes });
  }

  /** The peer sends nothing more on these streams; none means all. */
  onReset(streams: readonly number[]): void {
    const stream = this.#stream;
    if (stream === undefined || this.#isResetByPeer) return;
    if (streams.length > 0 && !streams.includes(stream.id)) return;
    this.#isResetByPeer = true;
    this.close();
    this.#options.onClosed();
  }

  #onControl(streamId: number, bytes: Uint8Array): void {
    const message = readControlMessage(bytes);
    const { peerOpens, onBreach, onOpen } = this.#options;
    if (message === undefined) return onBreach(breach("a channel message that is none"));
    const stream = this.#stream;
    if (message.kind === "ack") {
      if (stream?.id === streamId) return this.#opened(stream);
      return onBreach(breach("an acknowledgement of a channel that is none"));
    }
    // One channel is agreed on; a peer that opens more gets no answer.
    if (stream !== undefined || !peerOpens) return;
    if (!message.isOrderedReliable) return onBreach(unreliableError());
    this.#stream = { id: streamId, label: message.label, isOpen: true };
    this.#options.send(streamId, Ppid.CONTROL, writeAck());
    onOpen(message.label);
  }

  #opened(stream: Stream): void {
    if (stream.isOpen) return;
    stream.isOpen = true;
    this.#options.onOpen(stream.label);
  }
}

const KINDS: ReadonlyMap<number, { readonly isText: boolean; readonly isEmpty: boolean }> = new Map(
  [
    [Ppid.TEXT, { isText: true, isEmpty: false }],
    [Ppid.TEXT_EMPTY, { isText: true, isEmpty: true }],
    [Ppid.BINARY, { isText: false, isEmpty: false }],
    [Ppid.BINARY_EMPTY, { isText: false, isEmpty: true }],
  ],
);

function breach(what: string): TransportError {
  return new TransportError("CHANNEL_LOST", `the peer broke the protocol: it sent ${what}`);
}

function unreliableError(): TransportError {
  return new TransportError(
    "SETUP_FAILED",
    "the peer opened a channel that is not ordered and reliable",
  );
}
