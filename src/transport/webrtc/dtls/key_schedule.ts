/**
 * From the master secret to the keys of the records (RFC 5246, sections 5 and 6.3).
 *
 * @module
 */
import { createHmac } from "node:crypto";
import type { Suite } from "./cipher_suites.ts";
import type { RecordCipher } from "./record_cipher.ts";

/** What the keys of a connection are made of. */
export interface KeyMaterial {
  /** A secret of both sides. */
  readonly masterSecret: Uint8Array;
  /** The server's random number. */
  readonly serverRandom: Uint8Array;
  /** The client's random number. */
  readonly clientRandom: Uint8Array;
}

/** Derives the keys, in the place of one side. */
export function deriveCipher(
  suite: Suite,
  role: "client" | "server",
  { masterSecret, serverRandom, clientRandom }: KeyMaterial,
): RecordCipher {
  const { keyBytes, ivBytes } = suite;
  const label = new TextEncoder().encode("key expansion");
  const block = prf(masterSecret, [label, serverRandom, clientRandom], 2 * (keyBytes + ivBytes));
  let at = 0;
  const take = (bytes: number) => block.slice(at, at += bytes);
  const [clientKey, serverKey] = [take(keyBytes), take(keyBytes)];
  const client = { key: clientKey, iv: take(ivBytes) };
  const server = { key: serverKey, iv: take(ivBytes) };
  block.fill(0);
  return role === "client" ? suite.cipher(client, server) : suite.cipher(server, client);
}

/** P_SHA256 (RFC 5246, section 5). */
export function prf(
  secret: Uint8Array,
  seed: readonly Uint8Array[],
  length: number,
): Uint8Array<ArrayBuffer> {
  const hmac = (parts: readonly Uint8Array[]): Uint8Array => {
    const mac = createHmac("sha256", secret);
    for (const part of parts) mac.update(part);
    return new Uint8Array(mac.digest());
  };
  const out = new Uint8Array(length);
  let a = hmac(seed);
  for (let at = 0; at < length;) {
    const block = hmac([a, ...seed]).subarray(0, length - at);
    out.set(block, at);
    at += block.length;
    a = hmac([a]);
  }
  return out;
}
