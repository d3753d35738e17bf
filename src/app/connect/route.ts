/**
 * How an offer and an answer travel between two programs. Each way is a {@linkcode Route} in a file
 * of its own; `connect.ts` makes the connection over any of them.
 *
 * @module
 */
import type { Role, SdpType, SignalBundle } from "../../protocol/signal/bundle.ts";
import type { PeerCode } from "../../protocol/signal/peer_code.ts";
import type { Phases } from "./phases.ts";

/** Our offer or answer. */
export interface LocalDescription<Ours> {
  /** What the connection is made of, candidates gathered. */
  readonly bundle: SignalBundle;
  /** What was made for this attempt alone, e.g. its keys; the route knows what of it is sent. */
  readonly ours: Ours;
}

/** The peer's offer or answer, parsed. */
export interface RemoteDescription<Theirs> {
  /** What the connection is made of, with the candidates known so far. */
  readonly bundle: SignalBundle;
  /** What the peer sends beside that, e.g. its keys. */
  readonly theirs: Theirs;
  /** The code that the peer has at the rendezvous server; absent where there is none. */
  readonly peerCode?: PeerCode;
  /** What the peer calls itself: hostile text, empty when it does not say. */
  readonly deviceName: string;
}

/** Told what happens while two programs connect; what is logged of it is the caller's choice. */
export interface ConnectObserver {
  /** What the operator should know, in a sentence. */
  warn(message: string): void;
  /** We are registered at the rendezvous server. */
  registered?(): void;
  /** Our half is where the peer can read it. */
  published?(half: SdpType): void;
  /** The peer's half has come and is what it should be. */
  received?(half: SdpType): void;
  /** Both halves are exchanged for the first time: the connection is being made. */
  connecting?(): void;
}

/** What a route is given to open an exchange with. */
export interface ExchangeParts {
  /** Which side we are. */
  readonly role: Role;
  /** Begins the waits that come before the first offer. */
  readonly phases: Phases;
  /** Called with what happens. */
  readonly observer: ConnectObserver;
  /** Takes what has to be released when the exchange is over. */
  readonly resources: AsyncDisposableStack;
}

/** One way for offers and answers. It keeps nothing: an exchange can be opened again and again. */
export interface Route<Ours, Theirs> {
  /**
   * Does all that comes before the first offer: judges the files, or registers at the rendezvous
   * server and agrees with the peer that an offer is welcome.
   *
   * @throws {SignalError | DeadlineError} What kept it from happening.
   */
  open(parts: ExchangeParts): Promise<Exchange<Ours, Theirs>>;
}

/** The exchange of descriptions with one peer, over as many attempts as it takes. */
export interface Exchange<Ours, Theirs> {
  /** The peer's half as waits name it, e.g. `the answer at /tmp/answer.json`. */
  readonly awaited: string;
  /** Offerer: hands an offer over, and resolves with the peer's answer to this one. */
  offer(local: LocalDescription<Ours>, signal: AbortSignal): Promise<RemoteDescription<Theirs>>;
  /** Answerer: the peer's offer, or the one that has replaced it. */
  receiveOffer(signal: AbortSignal): Promise<RemoteDescription<Theirs>>;
  /** Answerer: hands the answer to an offer over. */
  answer(
    local: LocalDescription<Ours>,
    offer: RemoteDescription<Theirs>,
    signal: AbortSignal,
  ): Promise<void> | void;
  /**
   * Goes on while the channel is being made: passes candidates on that come late, sends again what
   * was lost. Resolves when the peer's half was replaced, so that this attempt leads nowhere.
   *
   * @throws The signal's reason, when that ends it; or the error after which no channel can come.
   */
  replaced(addCandidate: (candidate: string) => void, signal: AbortSignal): Promise<void>;
}
