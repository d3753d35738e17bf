/**
 * One link at work: its machine driven by the registration at the server, by sessions and by a timer.
 *
 * @module
 */
import { DaemonError, messageOf } from "../../../base/errors.ts";
import { LINK_HELLO_MS, LINK_RETRY, LONGEST_TIMER_MS } from "../../../base/timing.ts";
import type { Timer } from "../../../base/timer.ts";
import type { LinkView } from "../../../ipc/api/schemas.ts";
import type { RegistrationNews } from "../../../signaling/rendezvous/registration.ts";
import type { Registrations } from "../../../signaling/rendezvous/registrations.ts";
import type { Link } from "../../../storage/link_file.ts";
import { type LinkFailure, LinkMachine, type LinkState } from "./link_machine.ts";

/** What a link at work needs. */
export interface LinkRunnerOptions {
  /** What it was told. */
  readonly link: Link;
  /** Where it was told. */
  readonly source: LinkView["source"];
  /** Has us registered at its server. */
  readonly registrations: Registrations;
  /** Milliseconds on a clock that never goes back. */
  readonly steady: () => number;
  /** Calls back later. */
  readonly after: Timer;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Takes the turn for an attempt: 0, or milliseconds until it can be taken. */
  readonly turn: () => number;
  /** Begins an attempt; its session's id. Throws when none can be begun. */
  readonly attempt: () => string;
  /** Ends an attempt, of whose session that is the id, because its peer has come anew. */
  readonly abandon: (sessionId: string) => void;
  /** Who came was refused. */
  readonly onRefused: () => void;
  /** It is in another state, or at the server in another way. */
  readonly onChanged: () => void;
}

const TAKEN_OVER: LinkFailure = {
  code: "CODE_TAKEN_OVER",
  message:
    "another program has registered our peer code at the rendezvous server, and receives what is " +
    "meant for us: stop one of the two, or give each its own peer code",
};

/** One link. Dispose it to leave the server. */
export class LinkRunner implements AsyncDisposable {
  /** Where it was told. */
  readonly source: LinkView["source"];
  #link: Link;
  readonly #options: LinkRunnerOptions;
  readonly #machine: LinkMachine;
  #leave: (() => Promise<void>) | undefined;
  #leaving: Promise<void> = Promise.resolve();
  #stopTimer = () => {};
  #shown: string;
  #isStarted = false;
  #attempts = 0;
  #refusals = 0;

  /** Begins without a connection. */
  constructor(options: LinkRunnerOptions) {
    const { link, source, random } = options;
    this.#options = options;
    this.#link = link;
    this.source = source;
    this.#machine = new LinkMachine({
      role: link.role,
      retry: LINK_RETRY,
      helloMs: LINK_HELLO_MS,
      random,
      isPaused: link.paused,
    });
    this.#shown = shownOf(this.state);
  }

  /** What it was told. */
  get link(): Link {
    return this.#link;
  }

  /** How it is. */
  get state(): LinkState {
    return this.#machine.stateAt(this.#options.steady());
  }

  /** Attempts so far. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Those in which who came was refused. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Whether it has no session and wants one. */
  get isWaiting(): boolean {
    const { state } = this.state;
    return state === "trying" || state === "refused";
  }

  /** Goes to the server, and begins. */
  start(): void {
    this.#isStarted = true;
    this.#settle();
  }

  /** It rests from now on, or goes on at once. */
  setPaused(paused: boolean): void {
    this.#link = { ...this.#link, paused };
    this.#machine.setPaused(paused, this.#options.steady());
    this.#settle();
  }

  /** No attempt is made for this reason; without one it goes on. */
  setBlocked(failure: LinkFailure | undefined): void {
    this.#machine.setBlocked(failure, this.#options.steady());
    this.#settle();
  }

  /** A session with its peer is open, in which that has proven who it is. */
  opened(sessionId: string): void {
    this.#machine.opened(sessionId, this.#options.steady());
    this.#settle();
  }

  /** A session has ended: its own or another. */
  ended(sessionId: string, failure: LinkFailure | undefined, refused: boolean): void {
    const isOwn = this.#machine.attempt === sessionId;
    const parts = failure === undefined ? { refused } : { refused, failure };
    this.#machine.ended(sessionId, parts, this.#options.steady());
    if (isOwn && refused) {
      this.#refusals++;
      this.#options.onRefused();
    }
    this.#settle();
  }

  /** This machine's addresses have changed. */
  addressesChanged(): void {
    this.#machine.addressesChanged(this.#options.steady());
    this.#settle();
  }

  #onNews(news: RegistrationNews): void {
    const now = this.#options.steady();
    switch (news.type) {
      case "registered":
        this.#machine.registered(now);
        break;
      case "unreachable": {
        const { error, nextMs } = news;
        this.#machine.unreachable({ code: error.code, message: messageOf(error) }, now + nextMs);
        break;
      }
      case "taken-over":
        this.#machine.takenOver(TAKEN_OVER);
        break;
      case "peer-joined":
        this.#machine.peerJoined(now);
        break;
      case "peer-left":
        this.#machine.peerLeft();
        break;
      case "hello":
        this.#machine.hello(now);
        break;
      case "hello-anew":
        this.#machine.helloAnew(now);
    }
    this.#settle();
  }

  /** Does what is due, and sees to it that what comes later is done. */
  #settle(): void {
    if (!this.#isStarted) return;
    this.#stopTimer();
    this.#stopTimer = () => {};
    this.#register();
    const superseded = this.#machine.takeSuperseded();
    if (superseded !== undefined) this.#options.abandon(superseded);
    const isDue = this.#machine.isDue(this.#options.steady());
    const turnMs = isDue ? this.#options.turn() : 0;
    if (isDue && turnMs === 0) this.#attempt();
    this.#tell();
    const now = this.#options.steady();
    const due = turnMs > 0 ? now + turnMs : this.#machine.nextDue(now);
    if (due === undefined) return;
    const ms = Math.min(Math.ceil(due - now), LONGEST_TIMER_MS);
    this.#stopTimer(); // what was told on the way may have armed one
    this.#stopTimer = this.#options.after(ms, () => this.#settle());
  }

  /** Is at the server, but for a link that rests. */
  #register(): void {
    if (this.#link.paused) {
      if (this.#leave !== undefined) this.#leaving = this.#leave();
      this.#leave = undefined;
    } else if (this.#leave === undefined) {
      const { rendezvousUrl: url, codes: { self, remote }, room, session } = this.#link;
      // What is known is told before it returns.
      this.#leave = () => Promise.resolve();
      this.#leave = this.#options.registrations.watch({ url, self }, {
        remote,
        topic: { room, session },
        onNews: (news) => this.#onNews(news),
      });
    }
  }

  #attempt(): void {
    this.#attempts++;
    try {
      this.#machine.began(this.#options.attempt());
    } catch (error) {
      const code = error instanceof DaemonError ? error.code : "SESSION_FAILED";
      this.#machine.notBegun({ code, message: messageOf(error) }, this.#options.steady());
    }
  }

  /** Tells of what people want to know of; not of each attempt. */
  #tell(): void {
    const shown = shownOf(this.state);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#options.onChanged();
  }

  /** Leaves the server. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStarted = false;
    this.#stopTimer();
    await this.#leaving;
    await this.#leave?.();
  }
}

/** What differs between two states that are told apart. */
function shownOf({ state, server, failure, sessionId }: LinkState): string {
  const session = state === "connected" ? sessionId : undefined;
  return JSON.stringify([state, server, failure?.code, session]);
}
