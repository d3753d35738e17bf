/**
 * A Bolt session at work: the protocol core's state machine driven by a channel, the clock and one
 * timer.
 *
 * @module
 */
import { abortable, Deadline } from "../../../base/deadline.ts";
import { DeadlineError, messageOf, TransportError } from "../../../base/errors.ts";
import { READ_CONFIRM_MS, SESSION_CLOSE_MS } from "../../../base/timing.ts";
import type { WireErrorCode } from "../../../protocol/errors.ts";
import type { PeerFacts, SessionEffect, SessionEnd } from "../../../protocol/session/effects.ts";
import type { Session } from "../../../protocol/session/session.ts";
import type { Dialect } from "../../../protocol/transfer/dialect.ts";
import type { SendEffect, TransferEffect } from "../../../protocol/transfer/effects.ts";
import type { Transfers } from "../../../protocol/transfer/transfers.ts";
import type { Channel, ChannelMessage } from "../../../transport/channel.ts";
import { Outbox } from "./outbox.ts";

/** What happens to transfers: the effects of the core, without the frames to send. */
export type TransferEvent = Exclude<TransferEffect, SendEffect>;

/** Who carries on the transfers of a session, from its approval on. */
export interface TransferHandler {
  /** Something happened to a transfer. */
  onTransferEvent(event: TransferEvent): void;
  /** What to wait for before more of the peer's messages are read; undefined for nothing. */
  backpressure(): Promise<void> | undefined;
}

/**
 * What shows that a peer has what it was sent: its `answer` to a ping that was sent last, sealed by
 * it; or, of a peer that answers no pings, the `acknowledgement` of its transport, which whoever ends
 * DTLS on the way can give as well.
 */
export type Receipt = "answer" | "acknowledgement";

/** Who waits for the answer to a ping. */
interface Asking {
  /** The ping's moment. */
  readonly askedMs: number;
  readonly answered: () => void;
  /** It will not come any more. */
  readonly failed: (error: Error) => void;
}

/** Called with what happens in a session. */
export interface PeerSessionListener {
  /** Both HELLOs are done: a decision on trust is due. */
  established(peer: PeerFacts): void;
  /** The session is over; called before what that does to its transfers. */
  ending(end: SessionEnd): void;
}

/** Options of a {@linkcode PeerSession}. */
export interface PeerSessionOptions {
  /** The state machine, not yet started. */
  readonly session: Session;
  /** The open channel; closed in the end. */
  readonly channel: Channel;
  /** Called with what happens. */
  readonly listener: PeerSessionListener;
  /** Milliseconds on a clock that never goes back. @default {milliseconds since 1970, steady} */
  readonly now?: () => number;
  /**
   * Milliseconds for the answer in {@linkcode PeerSession.confirmed}. @default {READ_CONFIRM_MS}
   */
  readonly confirmMs?: number;
}

/** A session over a channel. */
export class PeerSession implements AsyncDisposable {
  readonly #session: Session;
  readonly #channel: Channel;
  readonly #listener: PeerSessionListener;
  readonly #now: () => number;
  readonly #confirmMs: number;
  readonly #asking = new Set<Asking>();
  readonly #outbox: Outbox;
  readonly #end = Promise.withResolvers<SessionEnd>();
  #timer: { readonly id: ReturnType<typeof setTimeout>; readonly due: number } | undefined;
  #transfers: Transfers | undefined;
  #handler: TransferHandler | undefined;
  #closing: Promise<void> | undefined;
  #closedBy: SessionEnd | undefined;

  /** Takes the session and the channel over. */
  constructor(
    {
      session,
      channel,
      listener,
      now = () => performance.timeOrigin + performance.now(),
      confirmMs = READ_CONFIRM_MS,
    }: PeerSessionOptions,
  ) {
    this.#session = session;
    this.#channel = channel;
    this.#listener = listener;
    this.#now = now;
    this.#confirmMs = confirmMs;
    this.#outbox = new Outbox(channel, (error) => {
      // Closed in order: whoever reads gets what was said before, then the end.
      if (!isClosedInOrder(error)) this.#disconnected(messageOf(error));
    });
  }

  /** Says HELLO and begins to listen. */
  start(): void {
    this.#perform(this.#session.start(this.#now()));
    this.#listen();
  }

  /** The transfers; undefined before approval and after the end. */
  get transfers(): Transfers | undefined {
    return this.#session.phase === "open" ? this.#transfers : undefined;
  }

  /** How the peer speaks of transfers. */
  get dialect(): Dialect {
    return this.#session.dialect;
  }

  /** How the session ended; undefined before. */
  get end(): SessionEnd | undefined {
    return this.#closedBy;
  }

  /** Resolves with how the session ended, when the channel is closed and nothing is left. */
  get ended(): Promise<SessionEnd> {
    return this.#end.promise;
  }

  /** The peer is trusted: its transfers begin, and go to the handler. */
  approve(handler: TransferHandler): void {
    this.#handler = handler;
    const { transfers, effects } = this.#session.approve(this.#now());
    this.#transfers = transfers;
    this.#perform(effects);
  }

  /** Ends the session for a reason that the peer is sent. */
  fail(code: WireErrorCode, message: string): void {
    this.#perform(this.#session.fail(code, message));
  }

  /**
   * Ends the session in order; what is in transfer is cancelled first.
   *
   * @param resumable Whether it is to go on in another session, where this one can resume.
   */
  close(message?: string, resumable = false): void {
    this.#perform(this.#session.close(message, resumable));
  }

  /** Calls the transfers and carries out what they want done. */
  act(call: (transfers: Transfers, now: number) => readonly TransferEffect[]): void {
    const transfers = this.transfers;
    if (transfers !== undefined) this.#perform(call(transfers, this.#now()));
  }

  /** Resolves when the channel has taken all frames, so that the next chunk may follow. */
  flushed(signal: AbortSignal): Promise<void> {
    return this.#outbox.flushed(signal);
  }

  /**
   * Resolves when the peer's transport has acknowledged all that was sent.
   *
   * @param signal Ends the wait with its reason. None: it lasts until the channel ends.
   * @throws {TransportError} When the channel ended before.
   */
  async drained(signal: AbortSignal = new AbortController().signal): Promise<void> {
    await this.#outbox.flushed(signal);
    await this.#channel.drained({ signal });
  }

  /**
   * Cancels what is in transfer; the session stays open. Resolves when the peer has received it:
   * its transport has acknowledged all that was sent, or it ended the session, and so its
   * transfers, in order itself.
   *
   * @param signal Ends the wait with its reason.
   * @param resumable Whether it is to go on in another session, where this one can resume.
   * @throws {TransportError} When the channel ended before, in another way.
   */
  async cancelTransfers(message: string, signal: AbortSignal, resumable = false): Promise<void> {
    this.#perform(this.#session.cancelTransfers(message, resumable));
    try {
      await this.drained(signal);
    } catch (error) {
      if (isClosedInOrder(error)) await abortable(this.ended, signal);
      if (this.#closedBy?.by !== "remote") throw error;
    }
    const { error } = this.#closedBy ?? {};
    // Frames that waited for a channel that failed were dropped.
    if (error?.code === "CONNECTION_LOST") throw new TransportError("CHANNEL_LOST", error.message);
  }

  /**
   * Resolves when the peer has read all that was sent and sent all its answers, with what shows it.
   * Neither an acknowledgement by the transport of a peer that ought to answer, nor an orderly close,
   * is taken for its answer: both can be made on the way, without the session's keys. A peer with
   * which files can go on answers when all that came whole has its name, however long that takes, and
   * is heard by its pings meanwhile.
   *
   * @throws {TransportError} When session or channel ended before.
   * @throws {DeadlineError} When the transport has taken all and no answer came.
   */
  async confirmed(): Promise<Receipt> {
    if (!this.dialect.answersPings) return await this.drained().then(() => "acknowledgement");
    if (this.#session.phase !== "open") throw endedBefore(this.#closedBy);
    const { askedMs, effects } = this.#session.ping(this.#now());
    const { promise: answer, resolve: answered, reject: failed } = Promise.withResolvers<void>();
    const asking = { askedMs, answered, failed };
    this.#asking.add(asking);
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      this.#perform(effects);
      // Closed in order: the answer may have come before, and is read yet.
      const taken = this.drained().catch((error) => {
        if (!isClosedInOrder(error)) throw error;
      });
      await Promise.race([answer, taken]);
      const silence = new DeadlineError(
        `its transport has taken all, but it has not answered for ${this.#confirmMs / 1000} s`,
      );
      if (this.#session.peer?.resumes !== true) {
        timer = setTimeout(failed, this.#confirmMs, silence);
      }
      await answer;
      return "answer";
    } finally {
      clearTimeout(timer);
      this.#asking.delete(asking);
    }
  }

  /** Ends at once; use {@linkcode PeerSession.close} to end in order. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#outbox.stop();
    this.#disconnected("the session was given up");
    await this.#channel.close({ graceful: false });
    await this.#closing;
  }

  async #listen(): Promise<void> {
    try {
      do {
        await this.#handler?.backpressure();
      } while (this.#onMessage(await this.#channel.receive()));
      this.#perform(this.#session.disconnected());
    } catch (error) {
      this.#disconnected(messageOf(error));
    }
  }

  /** Not asynchronous: a message is not kept until the next one comes. False at the end. */
  #onMessage(message: ChannelMessage | undefined): boolean {
    if (message === undefined) return false;
    this.#perform(this.#session.receive(message, this.#now()));
    return true;
  }

  #disconnected(problem: string): void {
    this.#perform(this.#session.disconnected(problem));
  }

  #perform(effects: readonly SessionEffect[]): void {
    const closed = effects.find((effect) => effect.type === "closed");
    if (closed !== undefined) {
      this.#closedBy = closed.end;
      this.#listener.ending(closed.end);
      for (const { failed } of this.#asking) failed(endedBefore(closed.end));
    }
    for (const effect of effects) {
      switch (effect.type) {
        case "send":
          if (!this.#outbox.push(effect.frame)) {
            this.#outbox.stop();
            this.#disconnected("the peer sends requests and does not read the answers");
          }
          break;
        case "established":
          this.#listener.established(effect.peer);
          break;
        case "closed":
          this.#closing ??= this.#closeChannel(effect.end);
          break;
        case "round-trip":
          for (const { askedMs, answered } of this.#asking) {
            if (effect.askedMs >= askedMs) answered();
          }
          break;
        case "app-message":
          break; // nobody asked for them
        default:
          this.#handler?.onTransferEvent(effect);
      }
    }
    this.#arm();
  }

  /** One timer, set anew only for what is due before it. */
  #arm(): void {
    const due = this.#session.nextDeadline;
    if (due === undefined) {
      clearTimeout(this.#timer?.id);
      this.#timer = undefined;
      return;
    }
    if (this.#timer !== undefined && this.#timer.due <= due) return;
    clearTimeout(this.#timer?.id);
    const id = setTimeout(() => {
      this.#timer = undefined;
      try {
        this.#perform(this.#session.tick(this.#now()));
      } catch (error) {
        this.#disconnected(messageOf(error));
      }
    }, Math.max(0, due - this.#now()));
    this.#timer = { id, due };
  }

  /** Lets the last frames go, unless the peer is gone, then closes the channel. */
  async #closeChannel(end: SessionEnd): Promise<void> {
    using deadline = new Deadline(SESSION_CLOSE_MS, {
      what: "the peer to receive the last messages",
    });
    try {
      if (end.error?.code === "CONNECTION_LOST") {
        return await this.#channel.close({ graceful: false });
      }
      await this.#outbox.flushed(deadline.signal);
      await this.#channel.close({ signal: deadline.signal });
    } catch {
      // The peer takes nothing any more: what was said last is lost, the end stands.
      await this.#channel.close({ graceful: false });
    } finally {
      this.#outbox.stop();
      this.#end.resolve(end);
    }
  }
}

/** The session ended before the peer answered. */
function endedBefore(end: SessionEnd | undefined): TransportError {
  if (end?.error !== undefined) return new TransportError("CHANNEL_LOST", end.error.message);
  const who = end?.by === "remote" ? "the peer closed the session" : "the session was closed here";
  return new TransportError("CHANNEL_CLOSED", who);
}

function isClosedInOrder(error: unknown): boolean {
  return error instanceof TransportError && error.code === "CHANNEL_CLOSED";
}
