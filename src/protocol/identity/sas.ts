/**
 * The short authentication string of the published protocol. Nobody is bound to his keys before he
 * knows the others', so whoever relays the signals can have two people read the same: proven sessions
 * have the code of `proven_identity.ts` in its place.
 *
 * @module
 */
import { toHex } from "../crypto/encoding.ts";
import type { EphemeralPublicKey, IdentityPublicKey, PublicKey } from "../crypto/keys.ts";
import type { KeyPairPurpose } from "../crypto/keys.ts";
import { sha256 } from "../crypto/sha256.ts";

/** Length of the string, in characters. */
export const SAS_LENGTH = 6;

/** One side's public keys in one handshake. */
export interface HandshakeKeys {
  /** The identity that the side claims. */
  readonly identity: IdentityPublicKey;
  /** Its half for this connection. */
  readonly ephemeral: EphemeralPublicKey;
}

/** Both keys, the lesser first, so that both sides have the same bytes. */
function sorted<P extends KeyPairPurpose>(a: PublicKey<P>, b: PublicKey<P>): Uint8Array[] {
  return a.compare(b) <= 0 ? [a.bytes, b.bytes] : [b.bytes, a.bytes];
}

/**
 * Six upper-case hex digits of SHA-256 over the sorted identity keys and the sorted
 * ephemeral keys (the wire format, section 7). The same on both sides, whoever is `a`.
 */
export function shortAuthenticationString(a: HandshakeKeys, b: HandshakeKeys): string {
  const parts = [...sorted(a.identity, b.identity), ...sorted(a.ephemeral, b.ephemeral)];
  const input = new Uint8Array(parts.length * 32);
  for (const [i, part] of parts.entries()) input.set(part, i * 32);
  return toHex(sha256(input)).slice(0, SAS_LENGTH).toUpperCase();
}
