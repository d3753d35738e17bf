/**
 * Peer codes out of texts that a test knows to be some.
 *
 * @module
 */
import {
  distinctCodes,
  normalizePeerCode,
  type PeerCode,
  type PeerCodes,
} from "../signal/peer_code.ts";

/** The code of a text. */
export function code(text: string): PeerCode {
  const found = normalizePeerCode(text);
  if (found === undefined) throw new Error(`not a peer code: ${text}`);
  return found;
}

/** The codes of both ends. */
export function codes(self: string, remote: string): PeerCodes {
  const found = distinctCodes(code(self), code(remote));
  if (found === undefined) throw new Error(`both ends are ${self}`);
  return found;
}
