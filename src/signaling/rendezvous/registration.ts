/**
 * One registration of a peer code at a rendezvous server, which outlives its connections and serves
 * every exchange and every watcher of that code there: a server knows a code once.
 *
 * What the server relays goes to the exchange that it is for, as it comes: nothing waits here. The
 * bounds of what an exchange has not read are its own (`rendezvous_client.ts`).
 *
 * @module
 */
import { BackOff } from "../../base/back_off.ts";
import { abortable } from "../../base/deadline.ts";
import { DeadlineError, messageOf, SignalError } from "../../base/errors.ts";
import type { Tagged } from "../../base/tagged.ts";
import { sleep } from "../../base/timer.ts";
import {
  LINK_RETRY,
  RECONNECT,
  REGISTER_MS,
  REGISTER_RETRY,
  RESEND_MS,
  STABLE_REGISTRATION_MS,
} from "../../base/timing.ts";
import type { Log } from "../../log/log.ts";
import { isJsonObject } from "../../protocol/json.ts";
import {
  encodeRegister,
  encodeSignal,
  isPeerAbsent,
  isRateLimited,
  parseServerMessage,
  type ServerMessage,
} from "../../protocol/rendezvous/server_message.ts";
import { normalizePeerCode, type PeerCode } from "../../protocol/signal/peer_code.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Pace } from "./pace.ts";
import { RendezvousSocket } from "./rendezvous_socket.ts";

/** Failed attempts to register again that are logged one by one; later ones only for debugging. */
const MAX_FAILURES_LOGGED = 10;
/** Peers at the server that are remembered, beside those that somebody asks about. */
export const MAX_PEERS = 64;
/** Longest hello that is kept for an exchange that has not begun, in characters of its frame. */
export const MAX_KEPT_HELLO = 4096;

/** A signal of anybody at the server: hostile. */
export interface InboundSignal extends Tagged<"signal"> {
  /** The sender's code as the server reports it. */
  readonly from: string;
  /** What it sent. */
  readonly payload: unknown;
}

/**
 * What there may be for an exchange: a signal; whether the peer can be reached; that the server
 * dropped what was sent last; a connection that is a new one, so that what was sent or relayed over
 * the old one may be lost.
 */
export type Relayed =
  | InboundSignal
  | { readonly type: "peer-not-found" }
  | { readonly type: "peer-left" }
  | { readonly type: "peer-joined" }
  | { readonly type: "rate-limited" }
  | { readonly type: "registered-again" };

/** Whom an exchange is with, and about what. */
export interface Party {
  /** The peer's code. */
  readonly remote: PeerCode;
  /** Room and session of the daemons that meet; absent: those of its signals are not looked at. */
  readonly topic?: Topic;
}

/** Room and session, the same at both ends. */
export interface Topic {
  /** The room discriminator. */
  readonly room: string;
  /** The session discriminator. */
  readonly session: string;
}

/** One exchange over a registration. */
export interface RegisteredExchange extends Party {
  /** Takes what is for it; `length` is that of the frame, in characters. */
  take(relayed: Relayed, length: number): void;
  /** The registration has failed for good, or for what this exchange has to do with it. */
  fail(error: SignalError): void;
}

/** What a watcher is told of a registration and of the peer that it watches. */
export type RegistrationNews =
  /** We are registered, for the first time or again. */
  | { readonly type: "registered" }
  /** The server can't be reached, has refused us, or was lost; it is tried again. */
  | {
    readonly type: "unreachable";
    /** Why. */
    readonly error: SignalError | DeadlineError;
    /** Milliseconds until the next attempt. */
    readonly nextMs: number;
  }
  /** Another program has registered our code: what is meant for us goes to it. */
  | { readonly type: "taken-over" }
  /** The peer is at the server: it was listed, or has just come. */
  | { readonly type: "peer-joined" }
  /** The peer has left the server. */
  | { readonly type: "peer-left" }
  /** The peer asks for an exchange, and none is under way. */
  | { readonly type: "hello" }
  /** The peer asks for an exchange though it has made its offer in the one under way: it begins anew. */
  | { readonly type: "hello-anew" };

/** Told of one peer at a registration, for as long as it likes. */
export interface Watcher extends Party {
  /** Something has happened. */
  onNews(news: RegistrationNews): void;
}

/** What a registration is made of. */
export interface RegistrationOptions {
  /** The server's WebSocket URL. */
  readonly url: string;
  /** Our code there. */
  readonly self: PeerCode;
  /** Shown to others at the server. */
  readonly deviceName: string;
  /** Told of what was ignored, lost and regained. */
  readonly log: Log;
  /** Timers and randomness. */
  readonly pace: Pace;
  /** Settles when our code is free: an earlier registration of it has left. */
  readonly after?: Promise<unknown>;
}

interface Connection {
  readonly socket: RendezvousSocket;
  readonly heartbeat: Heartbeat;
}

interface Watching {
  readonly watcher: Watcher;
  /** What the peer asked with, for the exchange that begins by it; dropped after a while. */
  hello?: { readonly signal: InboundSignal; readonly forget: () => void };
}

/** A registration. It is kept, through lost connections, until it is disposed. */
export class Registration implements AsyncDisposable {
  readonly #options: RegistrationOptions;
  readonly #exchanges = new Set<RegisteredExchange>();
  readonly #watching = new Set<Watching>();
  /** By code, what each calls itself: hostile text. */
  readonly #peers = new Map<PeerCode, string>();
  /** The exchange in which each peer was greeted last: signals that name no session are its. */
  readonly #greeted = new Map<PeerCode, RegisteredExchange>();
  /** The exchanges in which the peer has made its offer: it has no more reason to say hello there. */
  readonly #offered = new WeakSet<RegisteredExchange>();
  readonly #stop = new AbortController();
  readonly #losses: BackOff;
  readonly #running: Promise<void>;
  #connection: Connection | undefined;
  #outcome = Promise.withResolvers<void>();
  #hurry = new AbortController();
  #wasRegistered = false;
  #fatal: SignalError | undefined;
  #steady = false;
  #stopSteady = () => {};
  #toldTakeover = false;

  /** Begins to register. */
  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#losses = new BackOff({ ...RECONNECT, random: options.pace.random });
    this.#outcome.promise.catch(() => {}); // not everybody waits for it
    this.#running = this.#run();
  }

  /** Whether somebody uses it. */
  get isUsed(): boolean {
    return this.#exchanges.size > 0 || this.#watching.size > 0;
  }

  /** Whether it has failed, and no attempt follows: another has to be begun. */
  get hasFailed(): boolean {
    return this.#fatal !== undefined;
  }

  /** Whether we are registered now. */
  get isRegistered(): boolean {
    return this.#connection !== undefined;
  }

  /** What that peer calls itself at the server: hostile text; undefined when it is not there. */
  deviceNameOf(peer: PeerCode): string | undefined {
    return this.#peers.get(peer);
  }

  /**
   * Resolves when we are registered; the attempt under way, or one that is made now, decides.
   *
   * @throws {SignalError | DeadlineError} Why that attempt failed; or the signal's reason.
   */
  async ready(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#fatal !== undefined) throw this.#fatal;
    if (this.isRegistered) return;
    const { promise } = this.#outcome;
    this.hurry();
    await abortable(promise, signal);
  }

  /** Tries now, where the next attempt to register is waited for. */
  hurry(): void {
    this.#hurry.abort();
  }

  /** Adds an exchange. What is returned takes it off. */
  join(exchange: RegisteredExchange): () => void {
    this.#exchanges.add(exchange);
    for (const watching of this.#watching) {
      if (watching.hello === undefined || !isSameParty(watching.watcher, exchange)) continue;
      this.#greeted.set(exchange.remote, exchange);
      exchange.take(watching.hello.signal, MAX_KEPT_HELLO);
      this.#forgetHello(watching);
    }
    return () => {
      this.#exchanges.delete(exchange);
      if (this.#greeted.get(exchange.remote) === exchange) this.#greeted.delete(exchange.remote);
    };
  }

  /** Adds a watcher, and tells it what is known. What is returned takes it off. */
  watch(watcher: Watcher): () => void {
    const watching: Watching = { watcher };
    this.#watching.add(watching);
    if (this.isRegistered) {
      watcher.onNews({ type: "registered" });
      if (this.#toldTakeover) watcher.onNews({ type: "taken-over" });
      if (this.#mayBeThere(watcher.remote)) watcher.onNews({ type: "peer-joined" });
    }
    return () => {
      this.#watching.delete(watching);
      this.#forgetHello(watching);
    };
  }

  /** Has the server relay a payload. False when there is no connection, and it is lost. */
  send(to: PeerCode, payload: unknown): boolean {
    return this.#connection?.socket.send(encodeSignal(to, payload)) ?? false;
  }

  /** Registers, and registers again, until it is disposed. */
  async #run(): Promise<void> {
    const { log, pace, after } = this.#options;
    await after?.catch(() => {});
    const attempts = new BackOff({ ...REGISTER_RETRY, random: pace.random });
    const rests = new BackOff({ ...LINK_RETRY, random: pace.random });
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      this.#hurry = new AbortController();
      const ended = await this.#attempt();
      if (ended instanceof Error) {
        if (this.#stop.signal.aborted) return;
        if (this.#watching.size === 0 && !this.#wasRegistered) return this.#giveUp(ended);
        if (isHostile(ended)) this.#failExchanges(ended);
        if (this.#watching.size === 0 && isHostile(ended)) return this.#giveUp(ended);
        // Where nobody waits, a server that is away for days is asked once a minute.
        const rest = rests.next();
        const next = attempts.next();
        const wait = this.#exchanges.size > 0 ? next : rest;
        this.#tellWatchers({ type: "unreachable", error: ended, nextMs: wait });
        const fields = { reason: messageOf(ended), next_ms: wait };
        const message = this.#wasRegistered ? "registering again failed" : "registering failed";
        if (++failures <= MAX_FAILURES_LOGGED) log.info(message, fields);
        else log.debug(message, fields);
        await this.#pause(wait);
        continue;
      }
      failures = 0;
      attempts.reset();
      rests.reset();
      const lost = await this.#untilLost(ended);
      await this.#disconnect();
      if (this.#stop.signal.aborted) return;
      if (isHostile(lost)) {
        this.#failExchanges(lost);
        if (this.#watching.size === 0) return this.#giveUp(lost);
      }
      log.warn("lost the rendezvous server, registering again", { reason: messageOf(lost) });
      if (this.#steady) this.#losses.reset();
      this.#steady = false;
      const wait = this.#losses.next();
      this.#tellWatchers({ type: "unreachable", error: lost, nextMs: wait });
      await this.#pause(wait);
    }
  }

  #onRegistered(): void {
    const again = this.#wasRegistered;
    this.#hurry = new AbortController(); // whoever was in a hurry has what it wanted
    this.#wasRegistered = true;
    this.#outcome.resolve();
    if (again) {
      this.#options.log.info("registered again", { peer_id: this.#options.self });
      for (const exchange of this.#exchanges) exchange.take({ type: "registered-again" }, 0);
    }
    for (const { watcher } of [...this.#watching]) {
      watcher.onNews({ type: "registered" });
      if (this.#mayBeThere(watcher.remote)) watcher.onNews({ type: "peer-joined" });
    }
  }

  /** No attempt follows: whoever waits is told. */
  #giveUp(error: SignalError | DeadlineError): void {
    this.#fatal = error instanceof SignalError
      ? error
      : new SignalError("RENDEZVOUS_UNREACHABLE", error.message);
    this.#failExchanges(this.#fatal);
  }

  #failExchanges(error: SignalError): void {
    for (const exchange of [...this.#exchanges]) exchange.fail(error);
  }

  async #pause(ms: number): Promise<void> {
    const either = AbortSignal.any([this.#stop.signal, this.#hurry.signal]);
    await sleep(this.#options.pace.timer, ms, either).catch(() => {}); // an end, or a hurry
  }

  /** Connects and registers once. The connection, or why there is none. */
  async #attempt(): Promise<Connection | SignalError | DeadlineError> {
    const late = new AbortController();
    // Whoever asks for a first registration bounds it.
    const isBounded = this.#wasRegistered || this.#watching.size > 0;
    const stop = !isBounded ? () => {} : this.#options.pace.timer(REGISTER_MS, () => {
      const secs = REGISTER_MS / 1000;
      late.abort(new DeadlineError(`the rendezvous server has not answered within ${secs} s`));
    });
    try {
      return await this.#connect(AbortSignal.any([this.#stop.signal, late.signal]));
    } catch (error) {
      const known = error instanceof SignalError || error instanceof DeadlineError
        ? error
        : new SignalError("RENDEZVOUS_UNREACHABLE", messageOf(error));
      const { reject } = this.#outcome;
      this.#outcome = Promise.withResolvers<void>();
      this.#outcome.promise.catch(() => {});
      reject(known);
      return known;
    } finally {
      stop();
    }
  }

  async #connect(signal: AbortSignal): Promise<Connection> {
    const { url, self, deviceName, log, pace } = this.#options;
    const done = new AbortController();
    const either = AbortSignal.any([signal, done.signal]);
    const registered = Promise.withResolvers<void>();
    registered.promise.catch(() => {}); // the connection's end may come first
    let connection: Connection | undefined;
    const socket = await RendezvousSocket.open(url, signal);
    socket.filter = (frame) => {
      if (connection !== undefined && connection.heartbeat.hear(frame)) return true;
      const message = parseServerMessage(frame);
      if (message === undefined) socket.giveUp(MALFORMED, "RENDEZVOUS_HOSTILE");
      else if (message === "unknown") log.debug("a message of an unknown type was ignored");
      else if (connection !== undefined) this.#dispatch(message, frame.length);
      else if (message.type === "error") registered.reject(refused(message.message));
      else {
        this.#notice(message);
        if (message.type !== "peers") return true;
        connection = { socket, heartbeat: this.#beatOver(socket) };
        this.#connection = connection;
        registered.resolve();
        this.#onRegistered(); // before anything else comes over the connection
      }
      return true;
    };
    try {
      socket.send(encodeRegister(self, deviceName));
      // No frame is ever left to be read: this is the connection's end.
      await Promise.race([registered.promise, socket.receive(either)]);
      if (connection === undefined) throw refused("");
      this.#steady = false;
      this.#stopSteady = pace.timer(STABLE_REGISTRATION_MS, () => this.#steady = true);
      return connection;
    } catch (error) {
      connection?.heartbeat[Symbol.dispose]();
      this.#connection = undefined;
      await socket[Symbol.asyncDispose]();
      throw error;
    } finally {
      done.abort(); // ends the wait that has lost
    }
  }

  /** Resolves with why the connection ended. */
  async #untilLost({ socket }: Connection): Promise<SignalError> {
    try {
      for (;;) await socket.receive(this.#stop.signal);
    } catch (error) {
      return error instanceof SignalError
        ? error
        : new SignalError("RENDEZVOUS_CLOSED", messageOf(error));
    }
  }

  #beatOver(socket: RendezvousSocket): Heartbeat {
    const { self, log, pace } = this.#options;
    return new Heartbeat(self, pace, {
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
        this.#tellWatchers({ type: "taken-over" });
      },
    });
  }

  #dispatch(message: ServerMessage, length: number): void {
    const watched = [...this.#watching].map(({ watcher }) => watcher);
    const there = watched.filter(({ remote }) => this.#mayBeThere(remote));
    this.#notice(message);
    switch (message.type) {
      case "signal":
        return this.#route(message, length);
      case "peer_joined":
      case "peer_left": {
        const type = message.type === "peer_joined" ? "peer-joined" : "peer-left";
        const code = message.type === "peer_joined" ? message.peer.peerCode : message.peerCode;
        const peer = normalizePeerCode(code);
        for (const exchange of this.#with(peer)) exchange.take({ type }, 0);
        for (const watcher of watched) if (watcher.remote === peer) watcher.onNews({ type });
        return;
      }
      case "error":
        return this.#onError(message.message);
      case "peers":
        // A new list, on a connection that stands: what differs is news.
        for (const watcher of watched) {
          const isThere = this.#mayBeThere(watcher.remote);
          if (isThere === there.includes(watcher)) continue;
          watcher.onNews({ type: isThere ? "peer-joined" : "peer-left" });
        }
    }
  }

  #onError(message: string): void {
    for (const exchange of [...this.#exchanges]) {
      if (isPeerAbsent(message, exchange.remote)) exchange.take({ type: "peer-not-found" }, 0);
      else if (isRateLimited(message)) exchange.take({ type: "rate-limited" }, 0);
      // Of a peer that another exchange is with, or was.
      else if (!/^peer '/.test(message)) exchange.fail(refused(message));
    }
  }

  /**
   * To the exchange that the signal is for: by its sender, then by its room and session. One that
   * names neither is of the exchange in which its sender was greeted. What is of no use goes to an
   * exchange too, which says so.
   */
  #route(signal: InboundSignal, length: number): void {
    const from = normalizePeerCode(signal.from);
    const topic = topicOf(signal.payload);
    const exchanges = this.#with(from);
    const [longest] = exchanges.length > 0 ? exchanges : this.#exchanges;
    if (from === undefined || topic === undefined) {
      const greeted = from === undefined ? undefined : this.#greeted.get(from);
      if (greeted !== undefined && isBareOffer(signal.payload)) this.#offered.add(greeted);
      return (greeted ?? exchanges.at(-1) ?? longest)?.take(signal, length);
    }
    const meant = exchanges.find((one) => one.topic !== undefined && isSame(one.topic, topic));
    if (meant !== undefined) this.#greeted.set(from, meant);
    if (meant !== undefined && topic.type === "offer") this.#offered.add(meant);
    const watching = [...this.#watching].find(({ watcher }) =>
      watcher.remote === from && watcher.topic !== undefined && isSame(watcher.topic, topic)
    );
    // Whoever says hello after its offer knows nothing of the exchange that has the offer.
    const isOfExchange = meant !== undefined && !this.#offered.has(meant);
    const isHello = topic.type === "hello" && length <= MAX_KEPT_HELLO;
    if (isOfExchange || watching === undefined || !isHello) {
      return (meant ?? longest)?.take(signal, length);
    }
    this.#forgetHello(watching);
    // The peer says it again after a while; an older one is nobody's who still waits.
    const forget = this.#options.pace.timer(2 * RESEND_MS, () => this.#forgetHello(watching));
    watching.hello = { signal, forget };
    watching.watcher.onNews({ type: meant === undefined ? "hello" : "hello-anew" });
  }

  #forgetHello(watching: Watching): void {
    watching.hello?.forget();
    delete watching.hello;
  }

  #with(peer: PeerCode | undefined): RegisteredExchange[] {
    return [...this.#exchanges].filter(({ remote }) => remote === peer);
  }

  #tellWatchers(news: RegistrationNews): void {
    for (const { watcher } of [...this.#watching]) watcher.onNews(news);
  }

  /** Remembers who is there. */
  #notice(message: ServerMessage): void {
    if (message.type === "peer_left") {
      const left = normalizePeerCode(message.peerCode);
      if (left !== undefined) this.#peers.delete(left);
      return;
    }
    if (message.type === "peers") this.#peers.clear();
    const peers = message.type === "peers"
      ? message.peers
      : message.type === "peer_joined"
      ? [message.peer]
      : [];
    for (const { peerCode, deviceName } of peers) {
      const code = normalizePeerCode(peerCode);
      if (code === undefined) continue;
      if (this.#peers.size < MAX_PEERS || this.#isAskedAbout(code)) {
        this.#peers.set(code, deviceName);
      }
    }
  }

  #isAskedAbout(code: PeerCode): boolean {
    return this.#with(code).length > 0 ||
      [...this.#watching].some(({ watcher }) => watcher.remote === code);
  }

  /** Whether a peer is at the server; also where there are more than are remembered. */
  #mayBeThere(peer: PeerCode): boolean {
    return this.#peers.has(peer) || this.#peers.size >= MAX_PEERS;
  }

  async #disconnect(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#outcome = Promise.withResolvers<void>();
    this.#outcome.promise.catch(() => {});
    this.#peers.clear();
    this.#toldTakeover = false;
    this.#stopSteady();
    connection?.heartbeat[Symbol.dispose]();
    await connection?.socket[Symbol.asyncDispose]();
  }

  /** Leaves the server; what was sent goes first. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(
      new SignalError("RENDEZVOUS_CLOSED", "the registration was left by this side"),
    );
    for (const watching of this.#watching) this.#forgetHello(watching);
    await this.#running;
    await this.#disconnect();
  }
}

const MALFORMED = "the rendezvous server sent a malformed message: check --rendezvous-url";

const isSame = (one: Topic, other: Topic): boolean =>
  one.room === other.room && one.session === other.session;

const isSameParty = (one: Party, other: Party): boolean =>
  one.remote === other.remote && one.topic !== undefined && other.topic !== undefined &&
  isSame(one.topic, other.topic);

/** Room and session that a payload names, and its type; undefined when it names none. */
function topicOf(payload: unknown): Topic & { readonly type: unknown } | undefined {
  if (!isJsonObject(payload)) return undefined;
  const { room, session, msg_type: type } = payload;
  if (typeof room !== "string" || typeof session !== "string") return undefined;
  return { room, session, type };
}

/** Whether a payload is an offer that names neither room nor session, as those of sessions are. */
const isBareOffer = (payload: unknown): boolean =>
  isJsonObject(payload) && payload["type"] === "offer";

const isHostile = (error: unknown): error is SignalError =>
  error instanceof SignalError && error.code === "RENDEZVOUS_HOSTILE";

function refused(message: string): SignalError {
  const shown = JSON.stringify(message.slice(0, 200));
  return new SignalError("RENDEZVOUS_REFUSED", `the rendezvous server refused: ${shown}`);
}
