/**
 * Seals of a session, and what else is computed of keys.
 *
 * @module
 */
import nacl from "tweetnacl";

const NONCE_BYTES = 24;

/** Seals and opens with the two ephemeral keys of a connection. */
export class Seal {
  readonly #key: Uint8Array;

  /** For one connection. */
  constructor(remotePublicKey: Uint8Array, secretKey: Uint8Array) {
    this.#key = nacl.box.before(remotePublicKey, secretKey);
  }

  /** Base64 of nonce and box. */
  seal(bytes: Uint8Array): string {
    const nonce = nacl.randomBytes(NONCE_BYTES);
    const box = nacl.box.after(bytes, nonce, this.#key);
    const sealed = new Uint8Array(NONCE_BYTES + box.length);
    sealed.set(nonce);
    sealed.set(box, NONCE_BYTES);
    return sealed.toBase64();
  }

  /** What was sealed. */
  open(text: string): Uint8Array<ArrayBuffer> {
    const sealed = Uint8Array.fromBase64(text);
    const [nonce, box] = [sealed.subarray(0, NONCE_BYTES), sealed.subarray(NONCE_BYTES)];
    const bytes = nacl.box.open.after(box, nonce, this.#key);
    if (bytes === null) throw new Error("a seal does not open");
    return new Uint8Array(bytes);
  }
}

/** SHA-256, in hex. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** The code that people compare: of both identities and both ephemeral keys. */
export async function sasOf(
  identities: readonly [Uint8Array, Uint8Array],
  ephemerals: readonly [Uint8Array, Uint8Array],
): Promise<string> {
  const sorted = (keys: readonly [Uint8Array, Uint8Array]) =>
    keys.map((key) => key.toHex()).sort().join("");
  const digest = await sha256(Uint8Array.fromHex(sorted(identities) + sorted(ephemerals)));
  return digest.slice(0, 6).toUpperCase();
}
