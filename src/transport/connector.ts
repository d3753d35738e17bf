/**
 * How two peers come to a channel: one offers, the other answers, each hands its bundle to
 * signaling, which this module knows nothing of.
 *
 * @module
 */
import type { SignalBundle } from "../protocol/signal/bundle.ts";
import type { JudgedCandidate } from "../protocol/network_scope/candidate.ts";
import type { NetworkScope } from "../protocol/network_scope/scope.ts";
import type { Channel } from "./channel.ts";

/** What may carry a connection: just one of them, or whichever both sides have and turns out best. */
export type TransportChoice = "auto" | "udp" | "tcp";

/** What both roles need. */
export interface ConnectOptions {
  /** Which addresses may be gathered, offered, accepted and spoken to. */
  readonly scope: NetworkScope;
  /** Ends everything that has no channel yet, at any time, with its reason. */
  readonly signal: AbortSignal;
  /** What may carry the connection. @default {"udp"} */
  readonly transport?: TransportChoice;
  /** Told of each candidate that the scope filter judged, local and remote. */
  readonly onCandidate?: (verdict: CandidateVerdict) => void;
}

/** What the scope filter said of a candidate. */
export interface CandidateVerdict extends Omit<JudgedCandidate, "candidate"> {
  /** Whose candidate it is. */
  readonly side: "local" | "remote";
}

/** A connection being made. Disposing it releases whatever has no channel yet. */
export interface ConnectingPeer extends AsyncDisposable {
  /**
   * Takes a candidate of the peer that came after its description (trickle ICE), once `connect` has
   * been called. Judged by the scope as the others are.
   */
  addCandidate(candidate: string): void;
}

/** A connection being made by the offerer. */
export interface OfferingPeer extends ConnectingPeer {
  /** Our offer, candidates gathered to completion. */
  readonly offer: SignalBundle;
  /**
   * Applies the answer; resolves with the open channel, which from then on is the caller's. On
   * failure, or when `signal` aborts first, nothing is left open.
   */
  connect(answer: SignalBundle, signal: AbortSignal): Promise<Channel>;
}

/** A connection being made by the answerer. */
export interface AnsweringPeer extends ConnectingPeer {
  /** Our answer, candidates gathered to completion. */
  readonly answer: SignalBundle;
  /**
   * Resolves with the channel that the offerer opens, which from then on is the caller's. On
   * failure, or when `signal` aborts first, nothing is left open.
   */
  connect(signal: AbortSignal): Promise<Channel>;
}

/** Makes peer connections. The WebRTC one is `webrtc/connector.ts`, loaded lazily. */
export interface Connector {
  /** Gathers candidates and makes an offer. `label` names the channel (`bolt` by default). */
  offer(options: ConnectOptions & { readonly label?: string }): Promise<OfferingPeer>;
  /** Applies an offer, gathers candidates and makes an answer. */
  answer(offer: SignalBundle, options: ConnectOptions): Promise<AnsweringPeer>;
}
