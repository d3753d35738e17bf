/**
 * From a route to an open channel, for both programs: make the peer connection, exchange offer and
 * answer, wait for the channel.
 *
 * A program that starts before its peer may find what an earlier run has left and take it for the
 * peer's. So while the channel is not open, the peer's half is still watched: when it is replaced,
 * the attempt is given up and the next one is made with what is there now.
 *
 * @module
 */
import type { Channel } from "../../transport/channel.ts";
import type { ConnectOptions, Connector } from "../../transport/connector.ts";
import type { Phases } from "./phases.ts";
import type { ConnectObserver, Exchange, RemoteDescription, Route } from "./route.ts";
import type { Role } from "../../protocol/signal/bundle.ts";

/** What {@linkcode connect} needs. */
export interface ConnectParts<Ours extends Disposable, Theirs> {
  /** Which side makes the offer. */
  readonly role: Role;
  /** How offer and answer travel, and what they say. */
  readonly route: Route<Ours, Theirs>;
  /** Begins waits, each with a deadline. */
  readonly phases: Phases;
  /** Called with what happens. */
  readonly observer: ConnectObserver;
  /**
   * Makes what is ours in a description beside the connection itself, such as keys. Called once for
   * each attempt, so that nothing of it meets two descriptions of the peer.
   */
  readonly fresh: () => Ours;
  /** Makes the peer connection. */
  readonly connector: Connector;
  /** How it is made, and the label of its channel. */
  readonly connection: ConnectOptions & { readonly label: string };
  /** Offerer, where the open channel of a peer may be of no use. @default {none is} */
  readonly trial?: Trial<Ours, Theirs>;
}

/** What is tried on an open channel before it is handed out. */
export interface Trial<Ours extends Disposable, Theirs> {
  /** Attempts in all: the channel of the last is not tried. */
  readonly attempts: number;
  /** What is wrong with a channel that failed, for people: a sentence's beginning. */
  readonly problem: string;
  /**
   * Tries one. Resolves with nothing when it is of use; or else with what is left of the trial: that
   * and the channel stay until the peer has answered the next offer, and gives the channel up itself.
   *
   * @throws What ends all attempts; nothing of the trial is left then.
   */
  run(connected: Connected<Ours, Theirs>, signal: AbortSignal): Promise<AsyncDisposable | void>;
}

/** An open channel, and what was exchanged on the way to it. All of it is the caller's to close. */
export interface Connected<Ours extends Disposable, Theirs>
  extends Omit<RemoteDescription<Theirs>, "bundle"> {
  /** The channel. */
  readonly channel: Channel;
  /** What of ours the peer was sent for this connection and no other. */
  readonly ours: Ours;
}

/**
 * Connects to the peer at the other end of a route.
 *
 * @throws {SignalError | TransportError | DeadlineError} What kept it from happening.
 */
export async function connect<Ours extends Disposable, Theirs>(
  parts: ConnectParts<Ours, Theirs>,
): Promise<Connected<Ours, Theirs>> {
  const { role, route, phases, observer, fresh, trial } = parts;
  const exchangeHalves = role === "offerer" ? offer : answer;
  await using resources = new AsyncDisposableStack();
  const exchange = await route.open({ role, phases, observer, resources });
  /** Of the attempt before, whose channel was of no use. */
  await using left = new Left();
  using waits = new DisposableStack();
  let wait = waits.use(phases.begin(exchange.awaited));
  for (let attempts = 1;; attempts++) {
    using made = new DisposableStack();
    const ours = made.use(fresh());
    await using owned = new AsyncDisposableStack();
    const attempt = await exchangeHalves({ exchange, ours, signal: wait.signal }, parts, owned);
    left.drop();
    if (attempts === 1) {
      observer.connecting?.();
      // One wait for all attempts: a peer that comes again and again does not hold us for ever.
      wait = waits.use(phases.begin("the DataChannel to open"));
    }
    const channel = await unlessReplaced(attempt, exchange, wait.signal);
    if (channel === undefined) {
      observer.warn(REPLACED[role]);
      continue;
    }
    const { bundle: _, ...theirs } = attempt.remote;
    const connected = { channel, ours, ...theirs };
    const failed = trial !== undefined && attempts < trial.attempts
      ? await tried(trial, connected, wait.signal)
      : undefined;
    const held = made.move(); // ours go with the channel
    if (failed === undefined) return connected;
    left.keep(failed, channel, held);
    observer.warn(`${trial?.problem}: offering again`);
  }
}

async function tried<Ours extends Disposable, Theirs>(
  trial: Trial<Ours, Theirs>,
  connected: Connected<Ours, Theirs>,
  signal: AbortSignal,
): Promise<AsyncDisposable | void> {
  try {
    return await trial.run(connected, signal);
  } catch (error) {
    await connected.channel.close({ graceful: false });
    throw error;
  }
}

/** What is left of an attempt whose channel was of no use. */
class Left implements AsyncDisposable {
  #resources = new AsyncDisposableStack();
  #dropped: Promise<unknown> = Promise.resolve();

  /** Holds it, the channel, and what was made for it. */
  keep(trial: AsyncDisposable, channel: Channel, made: Disposable): void {
    this.#resources.use(made);
    this.#resources.defer(() => channel.close({ graceful: false }));
    this.#resources.use(trial);
  }

  /** Lets it go. Nobody waits for it before the end: the peer may be gone, which takes a while. */
  drop(): void {
    const gone = this.#resources.disposeAsync();
    this.#resources = new AsyncDisposableStack();
    this.#dropped = Promise.all([this.#dropped, gone]);
    this.#dropped.catch(() => {}); // told at the end
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.drop();
    await this.#dropped;
  }
}

const REPLACED = {
  offerer: "the answer was replaced before the channel opened: offering again",
  answerer: "the offer was replaced before the channel opened: answering the new one",
} as const;

/** A peer connection whose offer and answer are exchanged. */
interface Attempt<Theirs> {
  readonly remote: RemoteDescription<Theirs>;
  readonly connect: (signal: AbortSignal) => Promise<Channel>;
  readonly addCandidate: (candidate: string) => void;
}

interface Half<Ours, Theirs> {
  readonly exchange: Exchange<Ours, Theirs>;
  readonly ours: Ours;
  readonly signal: AbortSignal;
}

/** @param owned Takes the peer connection, which is released when the attempt is over. */
async function offer<Ours extends Disposable, Theirs>(
  { exchange, ours, signal }: Half<Ours, Theirs>,
  { connector, connection, observer }: ConnectParts<Ours, Theirs>,
  owned: AsyncDisposableStack,
): Promise<Attempt<Theirs>> {
  const peer = owned.use(await connector.offer(connection));
  const remote = await exchange.offer({ bundle: peer.offer, ours }, signal);
  observer.received?.("answer");
  return {
    remote,
    connect: (signal) => peer.connect(remote.bundle, signal),
    addCandidate: (candidate) => peer.addCandidate(candidate),
  };
}

async function answer<Ours extends Disposable, Theirs>(
  { exchange, ours, signal }: Half<Ours, Theirs>,
  { connector, connection, observer }: ConnectParts<Ours, Theirs>,
  owned: AsyncDisposableStack,
): Promise<Attempt<Theirs>> {
  const remote = await exchange.receiveOffer(signal);
  observer.received?.("offer");
  const peer = owned.use(await connector.answer(remote.bundle, connection));
  await exchange.answer({ bundle: peer.answer, ours }, remote, signal);
  return {
    remote,
    connect: (signal) => peer.connect(signal),
    addCandidate: (candidate) => peer.addCandidate(candidate),
  };
}

/** What `connect` brings, or undefined when the peer's half was replaced before. */
async function unlessReplaced<Ours, Theirs>(
  { connect, addCandidate }: Attempt<Theirs>,
  exchange: Exchange<Ours, Theirs>,
  signal: AbortSignal,
): Promise<Channel | undefined> {
  const other = new AbortController();
  const both = AbortSignal.any([signal, other.signal]);
  let failure: { readonly error: unknown } | undefined;
  // Whichever ends first ends the other; only the first failure is the cause.
  const first = <T>(promise: Promise<T>): Promise<T | undefined> =>
    promise.catch((error) => {
      failure ??= { error };
      return undefined;
    }).finally(() => other.abort());
  const replacing = exchange.replaced(addCandidate, both).then(() => true);
  const [channel, replaced] = await Promise.all([first(connect(both)), first(replacing)]);
  if (channel !== undefined || replaced) return channel;
  throw failure?.error;
}
