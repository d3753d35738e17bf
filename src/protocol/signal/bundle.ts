/**
 * The signal bundle: one offer or answer with its candidates, as a JSON object.
 *
 * @module
 */

/** Which half of the exchange a description is. */
export type SdpType = "offer" | "answer";

/** A candidate and the media section it belongs to. */
export interface BundleCandidate {
  /** The candidate attribute, `candidate:` first, without `a=`. */
  readonly candidate: string;
  /** The media section's id. */
  readonly mid: string;
}

/** An offer or answer with its candidates (gathered to completion, no trickle). */
export interface SignalBundle {
  readonly description: { readonly sdpType: SdpType; readonly sdp: string };
  readonly candidates: readonly BundleCandidate[];
}
