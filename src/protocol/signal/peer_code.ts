/**
 * Peer codes: the names under which peers register at the rendezvous server. They route; they are
 * neither identity nor secret.
 *
 * @module
 */
import { randomBelow, type RandomSource } from "../crypto/random_source.ts";

/** The 31 characters that can't be taken for one another: fresh codes are made of them. */
export const PEER_CODE_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789";
/** Length of a fresh code. */
const FRESH_LENGTH = 6;

/** 1 to 16 ASCII letters and digits: a peer code as the server writes it. */
export type PeerCode = string & { readonly peerCode: true };

/** The codes of a session's two ends, which differ: made by {@linkcode distinctCodes} alone. */
export interface PeerCodes {
  /** Our own peer code. */
  readonly self: PeerCode;
  /** The other end's. */
  readonly remote: PeerCode;
  /** Not a member: what keeps other pairs from being taken for one. */
  readonly [peerCodesBrand]: true;
}
/**
 * Brand of PeerCodes.
 * @internal
 */
export declare const peerCodesBrand: unique symbol;

/** Both ends' codes; undefined when they are the same: two peers of one code can't meet. */
export function distinctCodes(self: PeerCode, remote: PeerCode): PeerCodes | undefined {
  return self === remote ? undefined : { self, remote } as PeerCodes;
}

/**
 * Normalises a peer code as the server does: hyphens are removed.
 *
 * @returns The code, or undefined when what is left is not 1 to 16 ASCII letters and digits.
 */
export function normalizePeerCode(text: string): PeerCode | undefined {
  const bare = text.replaceAll("-", "");
  return isPeerCode(bare) ? bare : undefined;
}

function isPeerCode(text: string): text is PeerCode {
  return /^[A-Za-z0-9]{1,16}$/.test(text);
}

/** The default id of the one-shot program: 8 hexadecimal digits out of 4 random bytes. */
export function peerCodeFromBytes(random: Uint8Array): PeerCode {
  const code = normalizePeerCode(random.slice(0, 4).toHex());
  if (code === undefined) throw new RangeError("Cannot make a peer code: 4 bytes are needed");
  return code;
}

/** A fresh code of 6 characters; each is uniform over the alphabet. */
export function generatePeerCode(random: RandomSource): PeerCode {
  const code = normalizePeerCode(
    Array.from(
      { length: FRESH_LENGTH },
      () => PEER_CODE_ALPHABET.charAt(randomBelow(random, PEER_CODE_ALPHABET.length)),
    ).join(""),
  );
  if (code === undefined) throw new RangeError("Cannot make a peer code of this alphabet");
  return code;
}
