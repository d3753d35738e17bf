/**
 * Text of peers, made safe to show to people.
 *
 * @module
 */
import { escapeName } from "../../base/text.ts";

/** Longest text of a peer's that is shown, in characters; the rest is cut off with an ellipsis. */
const MAX_PEER_TEXT = 512;

/** Text that a peer chose, with unsafe characters spelled out: made by {@linkcode peerText}. */
export type PeerText = string & {
  /** Not a member: what keeps other strings from being taken for one. */
  readonly [peerTextBrand]: true;
};
/**
 * Brand of PeerText.
 * @internal
 */
export declare const peerTextBrand: unique symbol;

/**
 * A peer's text made safe to show: `\u{202e}` for the character U+202E, blanks that hide what stands
 * behind them spelled out too, and bounded in length.
 */
export function peerText(raw: string): PeerText {
  const cut = raw.length > MAX_PEER_TEXT ? raw.slice(0, MAX_PEER_TEXT) + "…" : raw;
  return escapeName(cut) as PeerText;
}
