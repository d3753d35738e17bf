/**
 * Identity keys that nobody can prove to hold.
 *
 * @module
 */
import { diffieHellman } from "../crypto/dh.ts";
import { PublicKey, SecretKey } from "../crypto/keys.ts";

/** Any secret key: with a public key of low order each gives the same secret, all zeroes. */
const ANY_SECRET = new SecretKey<"identity">("identity", new Uint8Array(32).fill(1));

/** Whether somebody can prove an identity, 64 hexadecimal digits: its key is not of low order. */
export function canBeHeld(identity: string): boolean {
  const key = new PublicKey("identity", Uint8Array.fromHex(identity));
  return diffieHellman(ANY_SECRET, key) !== undefined;
}
