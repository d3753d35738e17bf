/**
 * When a link makes an attempt to connect, and what it shows meanwhile. Pure: time and randomness are
 * passed in, and what it wants done is asked of it.
 *
 * The offerer makes attempts while its peer is at the rendezvous server; the answerer when its peer
 * says hello there. So while the peer is away, for days if need be, nothing is attempted: the
 * registration tells when it comes. A failed attempt is followed by a wait, each longer than the one
 * before. A sign of life ends a wait early. After a peer was refused the sign may be the wrong peer's:
 * then only a peer that joins does, and only a few times, which come back slowly.
 *
 * A peer that comes anew while an attempt is under way knows nothing of it: the attempt is ended for
 * another one, as few times. The offerer sees its peer come to the server again; to the answerer, which
 * answers a repeated hello, it is the hello of a peer that has made its offer already.
 *
 * @module
 */
import { BackOff } from "../../../base/back_off.ts";
import type { Role } from "../../../protocol/signal/bundle.ts";

/** Why something failed: a stable code and what to do. */
export interface LinkFailure {
  /** Stable upper-case code. */
  readonly code: string;
  /** What happened and what to do, for people; parts may be a peer's. */
  readonly message: string;
}

/** How a link is at a moment. */
export interface LinkState {
  /**
   * `connected`: a session is open. `trying`: it is waited for, or an attempt is under way. `refused`:
   * who came is not who is expected, or nobody is let in; it is tried again. `paused`: it rests.
   */
  readonly state: "connected" | "trying" | "refused" | "paused";
  /** Whether we are registered at the server. */
  readonly server: "registering" | "registered" | "unreachable" | "taken-over";
  /** Whether the peer is at the server, as far as that is known. */
  readonly isPeerThere: boolean;
  /** The open session, or the attempt at one. */
  readonly sessionId?: string;
  /** When the next attempt is made, or the server is tried, at the latest; a moment. */
  readonly nextTry?: number;
  /** Why the last attempt failed, or why none is made. */
  readonly failure?: LinkFailure;
}

/** Options of a {@linkcode LinkMachine}. */
export interface LinkMachineOptions {
  /** Which side makes the offer. */
  readonly role: Role;
  /**
   * Waits between attempts, in milliseconds, of which chance takes up to half. No attempt comes sooner
   * after the last than half of the first.
   */
  readonly retry: { readonly firstMs: number; readonly longestMs: number };
  /** For how long a hello shows that its peer still waits for the answer, in milliseconds. */
  readonly helloMs: number;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Whether it rests at first. */
  readonly isPaused: boolean;
}

/**
 * Most waits after a refusal, and attempts, that a peer which comes ends early; one comes back a longest
 * wait.
 */
const EARLY_TRIES = 3;

/** One link. Moments are milliseconds on a clock that never goes back. */
export class LinkMachine {
  readonly #options: LinkMachineOptions;
  readonly #backOff: BackOff;
  #isPaused: boolean;
  #server: LinkState["server"] = "registering";
  #isPeerThere = false;
  #helloUntil = -Infinity;
  #attempt: string | undefined;
  /** The peer has left the server since the attempt began. */
  #hasLeft = false;
  /** Whether the attempt is one with a peer that has come anew: it is to be ended, or that was asked. */
  #superseded: "no" | "wanted" | "asked" = "no";
  #open: { readonly sessionId: string; readonly since: number } | undefined;
  /** No attempt before. */
  #notBefore = -Infinity;
  #lastEnd = -Infinity;
  /** When the server is tried next. */
  #serverTry: number | undefined;
  #serverFailure: LinkFailure | undefined;
  #failure: LinkFailure | undefined;
  #isRefused = false;
  /** What may be ended early, as of a moment; what has come back is no whole. */
  #early = { left: EARLY_TRIES, at: -Infinity };
  /** Why no attempt is made at all, until that is taken back. */
  #blocked: LinkFailure | undefined;

  /** Begins without a connection. */
  constructor(options: LinkMachineOptions) {
    const { retry, random, isPaused } = options;
    this.#options = options;
    this.#backOff = new BackOff({ ...retry, random });
    this.#isPaused = isPaused;
  }

  /** The attempt that is under way. */
  get attempt(): string | undefined {
    return this.#attempt;
  }

  /** It rests from now on, or goes on at once. */
  setPaused(isPaused: boolean, now: number): void {
    this.#isPaused = isPaused;
    this.#startAnew(now);
  }

  /** No attempt is made for this reason; without one it goes on at once. */
  setBlocked(failure: LinkFailure | undefined, now: number): void {
    if (failure === undefined && this.#blocked !== undefined) this.#startAnew(now);
    this.#blocked = failure;
  }

  /** We are registered at the server. */
  registered(now: number): void {
    const wasAway = this.#server !== "registered";
    this.#server = "registered";
    this.#isPeerThere = false; // who is there is told next
    this.#serverTry = undefined;
    this.#serverFailure = undefined;
    if (wasAway) this.#signOfLife(now);
  }

  /** We are not registered at the server, and try again at that moment. */
  unreachable(failure: LinkFailure, nextTry: number): void {
    this.#server = "unreachable";
    this.#isPeerThere = false;
    this.#serverTry = nextTry;
    this.#serverFailure = failure;
    this.#helloUntil = -Infinity;
  }

  /** Another program has our code: what is sent to us does not come. */
  takenOver(failure: LinkFailure): void {
    this.#server = "taken-over";
    this.#serverFailure = failure;
    this.#helloUntil = -Infinity;
  }

  /** The peer is at the server, or has come back to it. */
  peerJoined(now: number): void {
    // Who was there and joins has registered anew. After we have, it may have been there all the time.
    const isAnew = this.#hasLeft || this.#isPeerThere;
    this.#isPeerThere = true;
    if (!this.#isRefused) this.#signOfLife(now);
    else if (this.#attempt === undefined) this.#tryEarly(now);
    if (isAnew && this.#options.role === "offerer") this.#supersede(now);
  }

  /** The peer has left the server. */
  peerLeft(): void {
    this.#isPeerThere = false;
    this.#hasLeft = true;
    this.#helloUntil = -Infinity;
  }

  /** The peer asks for an answer. */
  hello(now: number): void {
    this.#helloUntil = now + this.#options.helloMs;
    if (!this.#isRefused) this.#mayTryFrom(this.#lastEnd + this.#leastMs);
  }

  /** The peer asks for an answer, though it has made its offer in the attempt that is under way. */
  helloAnew(now: number): void {
    if (this.#options.role !== "answerer") return;
    this.#helloUntil = now + this.#options.helloMs;
    this.#supersede(now);
  }

  /** The attempt that is to be ended, because its peer has come anew; told once. */
  takeSuperseded(): string | undefined {
    if (this.#superseded !== "wanted") return undefined;
    this.#superseded = "asked";
    return this.#attempt;
  }

  /** This machine's addresses have changed. */
  addressesChanged(now: number): void {
    this.#signOfLife(now);
  }

  /** Whether an attempt is to be begun now. */
  isDue(now: number): boolean {
    return this.#isWanted(now) && now >= this.#notBefore;
  }

  /** The later moment at which an attempt will be due if nothing else happens; undefined for none. */
  nextDue(now: number): number | undefined {
    const isLater = this.#notBefore > now && this.#isWanted(this.#notBefore);
    return isLater ? this.#notBefore : undefined;
  }

  /** An attempt has begun. */
  began(sessionId: string): void {
    this.#attempt = sessionId;
    this.#hasLeft = false;
    this.#superseded = "no";
    this.#helloUntil = -Infinity;
  }

  /** No attempt could be begun. */
  notBegun(failure: LinkFailure, now: number): void {
    this.#helloUntil = -Infinity;
    this.#failed(failure, false, now);
  }

  /** A session with the peer is open: that of the attempt, or another one. */
  opened(sessionId: string, now: number): void {
    if (this.#attempt === sessionId) this.#attempt = undefined;
    this.#open = { sessionId, since: now };
    this.#failure = undefined;
    this.#isRefused = false;
  }

  /**
   * A session, or the attempt at one, has ended. Others than this link's are of no account.
   *
   * @param refused Whether the peer was not let in.
   */
  ended(
    sessionId: string,
    { failure, refused }: { readonly failure?: LinkFailure; readonly refused: boolean },
    now: number,
  ): void {
    if (this.#open?.sessionId === sessionId) {
      // One that ends at once, again and again, is tried ever more slowly.
      if (now - this.#open.since >= this.#options.retry.longestMs) this.#backOff.reset();
      this.#open = undefined;
      this.#failed(failure, refused, now);
    } else if (this.#attempt === sessionId) {
      this.#attempt = undefined;
      if (this.#superseded === "no" || refused) return this.#failed(failure, refused, now);
      // It has not failed: what is known of the attempts before holds.
      this.#lastEnd = now;
      this.#notBefore = now + this.#leastMs;
    }
  }

  /** How it is. */
  stateAt(now: number): LinkState {
    const sessionId = this.#open?.sessionId ?? this.#attempt;
    const failure = this.#blocked ?? this.#serverFailure ?? this.#failure;
    const next = this.nextDue(now) ?? this.#serverTry;
    const isResting = this.#isPaused || this.#open !== undefined;
    return {
      state: this.#stateName(),
      server: this.#server,
      isPeerThere: this.#isPeerThere,
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(failure === undefined || isResting ? {} : { failure }),
      ...(next === undefined || isResting || this.#attempt !== undefined
        ? {}
        : { nextTry: Math.max(next, now) }),
    };
  }

  get #leastMs(): number {
    return this.#options.retry.firstMs / 2;
  }

  #stateName(): LinkState["state"] {
    if (this.#isPaused) return "paused";
    if (this.#open !== undefined) return "connected";
    return this.#isRefused || this.#blocked !== undefined ? "refused" : "trying";
  }

  /** Whether an attempt is wanted at that moment, were it not for the wait. */
  #isWanted(at: number): boolean {
    const isFree = !this.#isPaused && this.#blocked === undefined && this.#attempt === undefined;
    if (!isFree || this.#server !== "registered") return false;
    // A peer that says hello has no session with us any more, whatever we believe.
    if (this.#options.role === "answerer") return at < this.#helloUntil;
    return this.#isPeerThere && this.#open === undefined;
  }

  #failed(failure: LinkFailure | undefined, refused: boolean, now: number): void {
    this.#failure = failure;
    this.#isRefused = refused;
    this.#lastEnd = now;
    this.#notBefore = now + this.#backOff.next();
  }

  #signOfLife(now: number): void {
    if (this.#isRefused) return;
    this.#backOff.reset();
    this.#mayTryFrom(Math.max(now, this.#lastEnd + this.#leastMs));
  }

  /** The right peer may have come: tried at once, as long as that did not happen too often. */
  #tryEarly(now: number): void {
    const moment = Math.max(now, this.#lastEnd + this.#leastMs);
    if (moment >= this.#notBefore) return;
    if (this.#takeEarly(now)) this.#mayTryFrom(moment);
  }

  /** The attempt is one with a peer that knows nothing of it, as long as that did not happen too often. */
  #supersede(now: number): void {
    if (this.#attempt === undefined || this.#superseded !== "no") return;
    if (this.#takeEarly(now)) this.#superseded = "wanted";
  }

  #takeEarly(now: number): boolean {
    const { left, at } = this.#early;
    const back = (now - at) / this.#options.retry.longestMs;
    const there = Math.min(EARLY_TRIES, left + back);
    if (there < 1) return false;
    this.#early = { left: there - 1, at: now };
    return true;
  }

  #mayTryFrom(moment: number): void {
    this.#notBefore = Math.min(this.#notBefore, moment);
  }

  #startAnew(now: number): void {
    this.#backOff.reset();
    this.#failure = undefined;
    this.#isRefused = false;
    this.#notBefore = now;
  }
}
