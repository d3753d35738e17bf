/**
 * The cipher suites that we speak, the preferred one first.
 *
 * ChaCha20-Poly1305 comes before AES-128-GCM: in this runtime it costs half of it or less, at every
 * size of a record.
 *
 * @module
 */
import { ChaChaCipher } from "./chacha_cipher.ts";
import { GcmCipher } from "./gcm_cipher.ts";
import type { DirectionKeys, RecordCipher } from "./record_cipher.ts";

/** A cipher suite; all of these derive keys and verify with SHA-256. */
export interface Suite {
  /** As IANA registered it. */
  readonly id: number;
  /** As IANA registered it. */
  readonly name: string;
  /** What the certificate of the server must be for. */
  readonly signature: "ecdsa" | "rsa";
  /** Length of a write key. */
  readonly keyBytes: number;
  /** Length of the part of a nonce that is derived with the keys. */
  readonly ivBytes: number;
  /** Makes what seals and opens the records of an epoch. */
  cipher(write: DirectionKeys, read: DirectionKeys): RecordCipher;
}

const CHACHA = {
  keyBytes: 32,
  ivBytes: 12,
  cipher: (write: DirectionKeys, read: DirectionKeys) => new ChaChaCipher(write, read),
} as const;
const AES_128_GCM = {
  keyBytes: 16,
  ivBytes: 4,
  cipher: (write: DirectionKeys, read: DirectionKeys) => new GcmCipher(write, read),
} as const;

/** RFC 7905 and RFC 5289. RSA is for servers with such a certificate; ours is never one. */
export const SUITES: readonly Suite[] = [
  {
    id: 0xcca9,
    name: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    signature: "ecdsa",
    ...CHACHA,
  },
  {
    id: 0xc02b,
    name: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    signature: "ecdsa",
    ...AES_128_GCM,
  },
  { id: 0xc02f, name: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", signature: "rsa", ...AES_128_GCM },
];

/** The suite of this number, if we offer it. */
export function suiteOf(id: number): Suite | undefined {
  return SUITES.find((suite) => suite.id === id);
}

/** The one that our server takes of those that a client offers: our order counts. */
export function chooseSuite(offered: readonly number[]): Suite | undefined {
  return SUITES.find(({ id, signature }) => signature === "ecdsa" && offered.includes(id));
}
