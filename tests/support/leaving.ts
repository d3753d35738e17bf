/**
 * Peers that leave without a word, or with the wrong one.
 *
 * @module
 */
import type { PeerParts } from "../../src/transport/webrtc/peer.ts";

/** Has this peer tell, as only it can, that it closes DTLS (RFC 5246, section 7.2.1). */
export function closeNotify({ dtls }: PeerParts): void {
  dtls()?.close();
}
