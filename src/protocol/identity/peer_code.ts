/**
 * Peer codes: short names that route at a rendezvous server. They are neither identity nor secret.
 *
 * @module
 */
import { randomBelow, type RandomSource } from "../crypto/random_source.ts";

/** The 31 characters that can't be taken for one another. */
export const PEER_CODE_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789";
/** Length of a generated code. */
export const PEER_CODE_LENGTH = 6;

/** A fresh code; each character is uniform over the alphabet. */
export function generatePeerCode(random: RandomSource): string {
  return Array.from(
    { length: PEER_CODE_LENGTH },
    () => PEER_CODE_ALPHABET.charAt(randomBelow(random, PEER_CODE_ALPHABET.length)),
  ).join("");
}
