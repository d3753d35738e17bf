/**
 * An exchange with one peer over a registration at the rendezvous server: relays signals to and from
 * that peer. Other exchanges may share the registration.
 *
 * @module
 */
import { abortable } from "../../base/deadline.ts";
import { SignalError } from "../../base/errors.ts";
import type { Log } from "../../log/log.ts";
import { normalizePeerCode, type PeerCodes } from "../../protocol/signal/peer_code.ts";
import { type Pace, REAL_PACE } from "./pace.ts";
import {
  type InboundSignal,
  type Party,
  type RegisteredExchange,
  Registration,
  type Relayed,
} from "./registration.ts";
import { MAX_UNREAD_FRAMES, MAX_WAITING_BYTES } from "./rendezvous_socket.ts";

/** Ignored signals that are logged one by one; more are ignored in silence. */
const MAX_IGNORED_LOGGED = 100;
/** Signals that get their fixed answer: more do not come from an honest peer. */
const MAX_ANSWERED = 100;

/** What {@linkcode RendezvousClient.register} needs. */
export interface RegisterOptions extends Pick<PeerCodes, "self" | "remote"> {
  /** The server's WebSocket URL. */
  readonly url: string;
  /** Shown to others at the server. */
  readonly deviceName: string;
  /** Ends the registration with its reason. */
  readonly signal: AbortSignal;
  /** Told of what was ignored, lost and regained. */
  readonly log: Log;
  /** Timers and randomness. @default {REAL_PACE} */
  readonly pace?: Pace;
}

/** What there may be for us: what the server relays, and a reminder that was asked for. */
export type Inbound = Relayed | { readonly type: "reminder" };

export type { InboundSignal };

/**
 * What to answer to a signal whose answer is known already, such as one that repeats another;
 * undefined for nothing.
 */
export type FixedAnswer = (signal: InboundSignal) => unknown;

/** What an exchange is made of. */
export interface ExchangeOptions extends Party {
  /** Told of what was ignored. */
  readonly log: Log;
  /** Starts reminders. */
  readonly pace: Pace;
  /** Called when it is over. */
  readonly onLeft: () => Promise<void>;
}

/** One exchange. Dispose it to leave. */
export class RendezvousClient implements AsyncDisposable {
  readonly #registration: Registration;
  readonly #options: ExchangeOptions;
  readonly #leave: () => void;
  readonly #answers: FixedAnswer[] = [];
  readonly #unread: { readonly relayed: Relayed; readonly length: number }[] = [];
  #unreadLength = 0;
  #failure: SignalError | undefined;
  #wake = Promise.withResolvers<void>();
  #answered = 0;
  #ignored = 0;
  #isReminded = false;
  #stopReminder = () => {};
  #remoteDeviceName = "";

  private constructor(registration: Registration, options: ExchangeOptions) {
    this.#registration = registration;
    this.#options = options;
    const { remote, topic } = options;
    const exchange: RegisteredExchange = {
      remote,
      ...(topic === undefined ? {} : { topic }),
      take: (relayed, length) => this.#take(relayed, length),
      fail: (error) => this.#fail(error),
    };
    this.#leave = registration.join(exchange);
  }

  /**
   * Connects and registers, at the first attempt or not at all, for this exchange alone.
   *
   * @throws {SignalError} RENDEZVOUS_UNREACHABLE, RENDEZVOUS_REFUSED (a taken code), RENDEZVOUS_CLOSED,
   * RENDEZVOUS_HOSTILE; or the signal's reason.
   */
  static async register(
    { remote, signal, pace = REAL_PACE, ...own }: RegisterOptions,
  ): Promise<RendezvousClient> {
    const registration = new Registration({ ...own, pace });
    const onLeft = () => registration[Symbol.asyncDispose]();
    const options = { remote, log: own.log, pace, onLeft };
    return await RendezvousClient.join(registration, options, signal);
  }

  /**
   * Begins an exchange over a registration, as soon as that is made: what comes at once is for it.
   *
   * @throws {SignalError} As {@linkcode RendezvousClient.register}; or the signal's reason.
   */
  static async join(
    registration: Registration,
    options: ExchangeOptions,
    signal: AbortSignal,
  ): Promise<RendezvousClient> {
    const client = new RendezvousClient(registration, options);
    try {
      await registration.ready(signal);
      return client;
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What the peer calls itself at the server: hostile text, empty when it was never there. */
  get remoteDeviceName(): string {
    const now = this.#registration.deviceNameOf(this.#options.remote);
    if (now !== undefined) this.#remoteDeviceName = now;
    return this.#remoteDeviceName;
  }

  /** Has the server relay a payload to the peer. False when there is no connection, and it is lost. */
  send(payload: unknown): boolean {
    return this.#registration.send(this.#options.remote, payload);
  }

  /** Makes {@linkcode RendezvousClient.receive} give a reminder after that time; without, none. */
  remind(ms?: number): void {
    this.#stopReminder();
    this.#stopReminder = () => {};
    this.#isReminded = false;
    if (ms === undefined) return;
    this.#stopReminder = this.#options.pace.timer(ms, () => {
      this.#isReminded = true;
      this.#wake.resolve();
    });
  }

  /** From now on signals for which there is an answer get it, from whomever, and are not received. */
  answerBy(answer: FixedAnswer): void {
    this.#answers.push(answer);
  }

  /**
   * The next thing for us. A lost connection is made anew for as long as the exchange lasts.
   *
   * @throws {SignalError} RENDEZVOUS_REFUSED, RENDEZVOUS_HOSTILE, and what a {@linkcode FixedAnswer}
   * throws; or the signal's reason.
   */
  async receive(signal: AbortSignal): Promise<Inbound> {
    for (;;) {
      signal.throwIfAborted();
      const next = this.#unread.shift();
      if (next !== undefined) {
        this.#unreadLength -= next.length;
        const { relayed } = next;
        if (relayed.type === "signal" && this.#hasAnswered(relayed)) continue;
        return relayed;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isReminded) {
        this.remind();
        return { type: "reminder" };
      }
      this.#wake = Promise.withResolvers<void>();
      await abortable(this.#wake.promise, signal);
    }
  }

  /** Logs that a received signal is of no use, and what was expected in its place. */
  ignore({ from }: InboundSignal, reason: string, expected?: string): void {
    if (++this.#ignored > MAX_IGNORED_LOGGED) return;
    this.#options.log.info("ignoring signal", { reason, from: from.slice(0, 64), expected });
  }

  #hasAnswered(signal: InboundSignal): boolean {
    const from = normalizePeerCode(signal.from);
    if (this.#answered >= MAX_ANSWERED || from === undefined) return false;
    for (const answer of this.#answers) {
      const payload = answer(signal);
      if (payload === undefined) continue;
      this.#answered++;
      this.#options.log.debug("a signal got its fixed answer", { from: signal.from });
      this.#registration.send(from, payload);
      return true;
    }
    return false;
  }

  #take(relayed: Relayed, length: number): void {
    if (this.#failure !== undefined) return;
    if (
      this.#unread.length >= MAX_UNREAD_FRAMES || this.#unreadLength + length > MAX_WAITING_BYTES
    ) {
      this.#unread.length = 0;
      return this.#fail(
        new SignalError(
          "RENDEZVOUS_HOSTILE",
          "the rendezvous server sends faster than its messages can be read: check --rendezvous-url",
        ),
      );
    }
    // It may be gone when it is asked for.
    if (relayed.type === "peer-joined" || relayed.type === "signal") void this.remoteDeviceName;
    this.#unread.push({ relayed, length });
    this.#unreadLength += length;
    this.#wake.resolve();
  }

  #fail(error: SignalError): void {
    this.#failure ??= error;
    this.#wake.resolve();
  }

  /** Leaves the server, unless others use the registration; what was sent goes first. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.remind();
    this.#leave();
    await this.#options.onLeft();
  }
}
