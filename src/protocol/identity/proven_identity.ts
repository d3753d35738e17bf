/**
 * The values by which two peers prove their identity keys to each other, and the code that people
 * compare: mutual commitments and one proof each way (docs/PROTOCOL.md, "Proven identity").
 *
 * ```text
 * C_s   = SHA-256("P/commitment" || I_s || E_s || N_s)
 * T     = SHA-256("P/transcript" || E_o || E_a || D_o || D_a || C_o || C_a)
 * K_s   = HKDF-SHA256(salt T, ikm X25519(i_s, E_other), info "P/offerer" or "P/answerer")
 * proof = HMAC-SHA256(K_s, payload of the HELLO frame of s)
 * code  = first 6 hex digits of SHA-256("P/code" || T || N_o || N_a)
 * ```
 *
 * I is the identity key, E the ephemeral key, N 32 random bytes, D the SHA-256 of the certificate
 * shown in DTLS; o is who wrote the offer, a who wrote the answer. Every field has 32 bytes.
 *
 * @module
 */
import { toHex, toUtf8 } from "../crypto/encoding.ts";
import { deriveKey } from "../crypto/hkdf.ts";
import { hmacSha256 } from "../crypto/hmac.ts";
import { KEY_BYTES } from "../crypto/key_bytes.ts";
import {
  type EphemeralKeyPair,
  type EphemeralPublicKey,
  type IdentityPublicKey,
  KeyPair,
  readSecret,
  SecretKey,
} from "../crypto/keys.ts";
import { EXTENSIONS } from "../extensions.ts";
import type { Role } from "../signal/bundle.ts";
import { diffieHellman } from "../crypto/dh.ts";
import { PublicValue } from "../crypto/public_value.ts";
import type { RandomSource } from "../crypto/random_source.ts";
import { sha256 } from "../crypto/sha256.ts";
import { SAS_LENGTH } from "./sas.ts";

/** The capability's name, and the prefix of the labels. */
export const PROVEN_IDENTITY: typeof EXTENSIONS["proven-identity"] = EXTENSIONS["proven-identity"];

/** What one side binds itself to before it has seen the other's nonce. */
export type Commitment = PublicValue<"commitment">;
/** The random value of one side, once it has left in HELLO. */
export type SessionNonce = PublicValue<"session-nonce">;
/** SHA-256 of the DER of the certificate that a side showed in this session's DTLS handshake. */
export type CertificateDigest = PublicValue<"certificate-digest">;
/** What both sides saw of the connection. */
export type Transcript = PublicValue<"transcript">;
/** What shows that the sender of a HELLO holds the secret half of the identity it names. */
export type IdentityProof = PublicValue<"identity-proof">;

/**
 * The fresh values of one offer or answer: for one description of the peer and one HELLO, never for
 * another attempt. A nonce used twice is known to who relays, and lets him forge the code.
 */
export class DescriptionSecrets implements Disposable {
  /** Our keys for this connection. */
  readonly ephemeral: EphemeralKeyPair;
  /** Leaves in HELLO, and not before. */
  readonly nonce: SecretKey<"session-nonce">;
  /** Goes into the offer or answer. */
  readonly commitment: Commitment;

  /**
   * Makes all of it anew.
   *
   * @param identity Who we are.
   * @param random A cryptographic generator.
   */
  constructor(identity: IdentityPublicKey, random: RandomSource) {
    this.ephemeral = KeyPair.generate("ephemeral", random);
    this.nonce = new SecretKey("session-nonce", random(KEY_BYTES));
    const nonce = new PublicValue("session-nonce", readSecret(this.nonce));
    this.commitment = commitmentTo(identity, this.ephemeral.publicKey, nonce);
  }

  /** The half of the ephemeral keys that goes into the offer or answer. */
  get publicKey(): EphemeralPublicKey {
    return this.ephemeral.publicKey;
  }

  /** Zeroes what is secret. Idempotent. */
  [Symbol.dispose](): void {
    this.ephemeral[Symbol.dispose]();
    this.nonce[Symbol.dispose]();
  }
}

/** The nonce as it goes into HELLO. */
export function revealed(nonce: SecretKey<"session-nonce">): SessionNonce {
  return new PublicValue("session-nonce", readSecret(nonce));
}

/** C: binds a side to its identity, its ephemeral key and its nonce, and tells nothing of them. */
export function commitmentTo(
  identity: IdentityPublicKey,
  ephemeral: EphemeralPublicKey,
  nonce: SessionNonce,
): Commitment {
  return new PublicValue("commitment", digest("commitment", [identity, ephemeral, nonce]));
}

/** What a side showed before HELLO. */
export interface ShownByOneSide {
  /** Its half of the connection's keys. */
  readonly ephemeral: EphemeralPublicKey;
  /** Of the certificate that it showed in DTLS. */
  readonly certificate: CertificateDigest;
  /** From its offer or answer. */
  readonly commitment: Commitment;
}

/** T: all that both sides saw before HELLO. */
export function transcriptOf(
  { offerer: o, answerer: a }: { readonly [role in Role]: ShownByOneSide },
): Transcript {
  const fields = [o.ephemeral, a.ephemeral, o.certificate, a.certificate, o.commitment];
  return new PublicValue("transcript", digest("transcript", [...fields, a.commitment]));
}

/**
 * K: the key of one side's proof, or undefined when the public key is of low order. The prover gives
 * its identity secret and the other's ephemeral key, the verifier its ephemeral secret and the
 * prover's identity.
 *
 * @param prover The role of the side whose identity is proven.
 */
export function proofKey(
  secret: SecretKey<"identity"> | SecretKey<"ephemeral">,
  publicKey: EphemeralPublicKey | IdentityPublicKey,
  transcript: Transcript,
  prover: Role,
): SecretKey<"identity-proof"> | undefined {
  using shared = diffieHellman(secret, publicKey);
  if (shared === undefined) return undefined;
  return deriveKey("identity-proof", shared, `${PROVEN_IDENTITY}/${prover}`, transcript.bytes);
}

/** The proof over a HELLO frame's `payload`: all fields of the HELLO are covered. */
export function proofOver(key: SecretKey<"identity-proof">, payload: string): IdentityProof {
  return new PublicValue("identity-proof", hmacSha256(key, toUtf8(payload)));
}

/** The code for people: six upper-case hex digits. Both sides were bound before a nonce left. */
export function committedCode(
  transcript: Transcript,
  nonces: { readonly [role in Role]: SessionNonce },
): string {
  const hash = digest("code", [transcript, nonces.offerer, nonces.answerer]);
  return toHex(hash).slice(0, SAS_LENGTH).toUpperCase();
}

function digest(label: string, fields: readonly { readonly bytes: Uint8Array }[]): Uint8Array {
  const prefix = toUtf8(`${PROVEN_IDENTITY}/${label}`);
  const input = new Uint8Array(prefix.length + fields.length * KEY_BYTES);
  input.set(prefix);
  for (const [i, { bytes }] of fields.entries()) input.set(bytes, prefix.length + i * KEY_BYTES);
  return sha256(input);
}
