/**
 * A registered client of the rendezvous server: relays signals to and from one peer, and registers
 * again when the connection is lost.
 *
 * @module
 */
import type { Tagged } from "../../base/tagged.ts";
import { BackOff } from "../../base/back_off.ts";
import { DeadlineError, messageOf, SignalError } from "../../base/errors.ts";
import { sleep } from "../../base/timer.ts";
import {
  RECONNECT,
  REGISTER_MS,
  REGISTER_RETRY,
  STABLE_REGISTRATION_MS,
} from "../../base/timing.ts";
import type { Log } from "../../log/log.ts";
import {
  encodeRegister,
  encodeSignal,
  isPeerAbsent,
  isRateLimited,
  parseServerMessage,
  type ServerMessage,
} from "../../protocol/rendezvous/server_message.ts";
import {
  normalizePeerCode,
  type PeerCode,
  type PeerCodes,
} from "../../protocol/signal/peer_code.ts";
import { Heartbeat } from "./heartbeat.ts";
import { type Pace, REAL_PACE } from "./pace.ts";
import { RendezvousSocket } from "./rendezvous_socket.ts";

/** Failed attempts to register again that are logged one by one; later ones only for debugging. */
const MAX_FAILURES_LOGGED = 10;
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

/** A signal of anybody at the server: hostile. */
export interface InboundSignal extends Tagged<"signal"> {
  /** The sender's code as the server reports it. */
  readonly from: string;
  /** What it sent. */
  readonly payload: unknown;
}

/**
 * What there may be for us: a signal; whether the peer can be reached; that the server
 * dropped what was sent last; a reminder that was asked for; a connection that is a new one, so that
 * what was sent or relayed over the old one may be lost.
 */
export type Inbound =
  | InboundSignal
  | { readonly type: "peer-not-found" }
  | { readonly type: "peer-left" }
  | { readonly type: "peer-joined" }
  | { readonly type: "rate-limited" }
  | { readonly type: "reminder" }
  | { readonly type: "registered-again" };

/**
 * What to answer to a signal whose answer is known already, such as one that repeats another;
 * undefined for nothing.
 */
export type FixedAnswer = (signal: InboundSignal) => unknown;

/** Aborts a wait for the server when a reminder is due. */
const REMINDED = new Error("reminded");

interface Connection {
  readonly socket: RendezvousSocket;
  readonly heartbeat: Heartbeat;
}

/**
 * A registration at the server that outlives its connections. It is kept by whoever waits in
 * {@linkcode RendezvousClient.receive}, one at a time. Dispose it to leave.
 */
export class RendezvousClient implements AsyncDisposable {
  readonly #options: RegisterOptions;
  readonly #pace: Pace;
  readonly #losses: BackOff;
  readonly #answers: FixedAnswer[] = [];
  #answered = 0;
  /** Who got a fixed answer: may be gone since. */
  readonly #answeredPeers = new Set<PeerCode>();
  #ignored = 0;
  #connection: Connection | undefined;
  #steady = false;
  #stopSteady = () => {};
  #reminded = new AbortController();
  #stopReminder = () => {};
  #toldTakeover = false;
  #remoteDeviceName = "";

  private constructor(options: RegisterOptions) {
    this.#options = options;
    this.#pace = options.pace ?? REAL_PACE;
    this.#losses = new BackOff({ ...RECONNECT, random: this.#pace.random });
  }

  /**
   * Connects and registers, at the first attempt or not at all.
   *
   * @throws {SignalError} RENDEZVOUS_UNREACHABLE, RENDEZVOUS_REFUSED (a taken code), RENDEZVOUS_CLOSED,
   * RENDEZVOUS_HOSTILE; or the signal's reason.
   */
  static async register(options: RegisterOptions): Promise<RendezvousClient> {
    const client = new RendezvousClient(options);
    await client.#connect(options.signal);
    return client;
  }

  /** What the peer calls itself at the server: hostile text, empty while it is not registered. */
  get remoteDeviceName(): string {
    return this.#remoteDeviceName;
  }

  /** Has the server relay a payload to the peer. False when there is no connection, and it is lost. */
  send(payload: unknown): boolean {
    const frame = encodeSignal(this.#options.remote, payload);
    return this.#connection?.socket.send(frame) ?? false;
  }

  /** Makes {@linkcode RendezvousClient.receive} give a reminder after that time; without, none. */
  remind(ms?: number): void {
    this.#stopReminder();
    this.#stopReminder = () => {};
    if (this.#reminded.signal.aborted) this.#reminded = new AbortController();
    if (ms === undefined) return;
    this.#stopReminder = this.#pace.timer(ms, () => this.#reminded.abort(REMINDED));
  }

  /** From now on signals for which there is an answer get it, from whomever, and are not received. */
  answerBy(answer: FixedAnswer): void {
    this.#answers.push(answer);
  }

  /**
   * The next thing for us. While it waits, a lost connection is made anew for as long as the signal
   * lets it.
   *
   * @throws {SignalError} RENDEZVOUS_REFUSED, RENDEZVOUS_HOSTILE, and what a {@linkcode FixedAnswer}
   * throws; or the signal's reason.
   */
  async receive(signal: AbortSignal): Promise<Inbound> {
    const { remote } = this.#options;
    for (;;) {
      const message = await this.#next(signal);
      switch (message.type) {
        case "signal":
          if (!this.#hasAnswered(message)) return message;
          break;
        case "peer_joined":
          if (this.#isRemote(message.peer.peerCode)) return { type: "peer-joined" };
          break;
        case "peer_left":
          if (this.#isRemote(message.peerCode)) return { type: "peer-left" };
          break;
        case "error":
          if (isPeerAbsent(message.message, remote)) return { type: "peer-not-found" };
          if (this.#answeredPeers.values().some((code) => isPeerAbsent(message.message, code))) {
            break;
          }
          if (isRateLimited(message.message)) return { type: "rate-limited" };
          throw refused(message.message);
        case "peers":
          break;
        default:
          return message;
      }
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
      this.#answeredPeers.add(from);
      this.#connection?.socket.send(encodeSignal(from, payload));
      return true;
    }
    return false;
  }

  async #next(
    signal: AbortSignal,
  ): Promise<ServerMessage | { readonly type: "reminder" | "registered-again" }> {
    const connection = this.#connection;
    if (connection === undefined) {
      await this.#registerAgain(signal);
      return { type: "registered-again" };
    }
    try {
      return await this.#read(connection, AbortSignal.any([signal, this.#reminded.signal]));
    } catch (error) {
      signal.throwIfAborted();
      if (error === REMINDED) {
        this.remind();
        return { type: "reminder" };
      }
      if (!isClosed(error)) throw error;
      this.#options.log.warn("lost the rendezvous server, registering again", {
        reason: messageOf(error),
      });
    }
    await this.#disconnect();
    await this.#registerAgain(signal);
    return { type: "registered-again" };
  }

  /** The next message that this client knows. */
  async #read({ socket }: Pick<Connection, "socket">, signal: AbortSignal): Promise<ServerMessage> {
    for (;;) {
      const message = parseServerMessage(await socket.receive(signal));
      if (message === undefined) {
        throw new SignalError(
          "RENDEZVOUS_HOSTILE",
          "the rendezvous server sent a malformed message: check --rendezvous-url",
        );
      }
      if (message !== "unknown") {
        this.#notice(message);
        return message;
      }
      this.#options.log.debug("a message of an unknown type was ignored");
    }
  }

  #notice(message: ServerMessage): void {
    const peers = message.type === "peers"
      ? message.peers
      : message.type === "peer_joined"
      ? [message.peer]
      : [];
    for (const { peerCode, deviceName } of peers) {
      if (this.#isRemote(peerCode)) this.#remoteDeviceName = deviceName;
    }
  }

  #isRemote(peerCode: string): boolean {
    return normalizePeerCode(peerCode) === this.#options.remote;
  }

  /** Connects and registers once. */
  async #connect(signal: AbortSignal): Promise<void> {
    const { url, self, deviceName } = this.#options;
    const socket = await RendezvousSocket.open(url, signal);
    try {
      socket.send(encodeRegister(self, deviceName));
      for (;;) {
        const message = await this.#read({ socket }, signal);
        if (message.type === "error") throw refused(message.message);
        if (message.type === "peers") break;
      }
    } catch (error) {
      await socket[Symbol.asyncDispose]();
      throw error;
    }
    const heartbeat = this.#beatOver(socket);
    socket.filter = (frame) => heartbeat.hear(frame);
    this.#connection = { socket, heartbeat };
    this.#steady = false;
    this.#stopSteady = this.#pace.timer(STABLE_REGISTRATION_MS, () => this.#steady = true);
  }

  #beatOver(socket: RendezvousSocket): Heartbeat {
    const { self, log } = this.#options;
    return new Heartbeat(self, this.#pace, {
      send: (frame) => socket.send(frame),
      dead: () => socket.giveUp("the rendezvous server does not answer any more"),
      forgotten: () => socket.giveUp("the rendezvous server does not know our peer code any more"),
      replaced: () => {
        if (this.#toldTakeover) return;
        this.#toldTakeover = true;
        // Registering again would take it back, and two programs would go on so for ever.
        log.warn(
          "another program has registered our peer code at the rendezvous server, and receives what " +
            "is meant for us: stop one of the two, or give each its own peer code (--peer-id, peerId)",
          { peer_id: self },
        );
      },
    });
  }

  /** Tries until it is registered, or the signal ends it. */
  async #registerAgain(signal: AbortSignal): Promise<void> {
    const { self, log } = this.#options;
    const { timer, random } = this.#pace;
    if (this.#steady) this.#losses.reset();
    this.#steady = false;
    let wait = this.#losses.next();
    const attempts = new BackOff({ ...REGISTER_RETRY, random });
    for (let failures = 1;; failures++) {
      await sleep(timer, wait, signal);
      try {
        await this.#attempt(signal);
        log.info("registered again", { peer_id: self });
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (!isRetryable(error)) throw error;
        wait = attempts.next();
        const fields = { reason: messageOf(error), next_ms: wait };
        if (failures <= MAX_FAILURES_LOGGED) log.info("registering again failed", fields);
        else log.debug("registering again failed", fields);
      }
    }
  }

  async #attempt(signal: AbortSignal): Promise<void> {
    const late = new AbortController();
    const stop = this.#pace.timer(REGISTER_MS, () => {
      const secs = REGISTER_MS / 1000;
      late.abort(new DeadlineError(`the rendezvous server has not answered within ${secs} s`));
    });
    try {
      await this.#connect(AbortSignal.any([signal, late.signal]));
    } finally {
      stop();
    }
  }

  async #disconnect(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#stopSteady();
    connection?.heartbeat[Symbol.dispose]();
    await connection?.socket[Symbol.asyncDispose]();
  }

  /** Leaves the server; what was sent goes first. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.remind();
    await this.#disconnect();
  }
}

const isClosed = (error: unknown): boolean =>
  error instanceof SignalError && error.code === "RENDEZVOUS_CLOSED";

/** A code that is taken may still be ours: the server has not noticed yet that we are gone. */
function isRetryable(error: unknown): boolean {
  return error instanceof DeadlineError ||
    error instanceof SignalError && error.code !== "RENDEZVOUS_HOSTILE";
}

function refused(message: string): SignalError {
  const shown = JSON.stringify(message.slice(0, 200));
  return new SignalError("RENDEZVOUS_REFUSED", `the rendezvous server refused: ${shown}`);
}
