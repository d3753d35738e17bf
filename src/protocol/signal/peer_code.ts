/**
 * Peer codes: the names under which peers register at the rendezvous server. They route; they are
 * neither identity nor secret.
 *
 * @module
 */

/** 1 to 16 ASCII letters and digits: a peer code as the server writes it. */
export type PeerCode = string & { readonly peerCode: true };

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
