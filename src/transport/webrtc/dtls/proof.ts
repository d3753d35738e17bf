/**
 * Proofs that the peer owns the key of the certificate it shows.
 *
 * The library compares the certificate's fingerprint and then believes whoever showed it: it checks
 * neither the ServerKeyExchange nor the CertificateVerify signature, nor either Finished. These
 * functions do (RFC 5246, sections 7.4.3, 7.4.8 and 7.4.9; RFC 8422, section 5.4).
 *
 * @module
 */
import { constants, createHash, createVerify, X509Certificate } from "node:crypto";
import { timingSafeEqual } from "node:crypto";
import type { Fingerprint } from "../../../protocol/network_scope/sdp.ts";
import { prf } from "./key_schedule.ts";

const SIGNATURE_HASHES: ReadonlyMap<number, string> = new Map([
  [4, "sha256"],
  [5, "sha384"],
  [6, "sha512"],
]);
const RSA = 1;
const ECDSA = 3;
/** First byte of the rsa_pss_rsae schemes, whose second byte is the hash (RFC 8446, 4.2.3). */
const RSA_PSS = 8;
const NAMED_CURVE = 3;
/** secp256r1 and x25519, which the library offers. */
const CURVES: readonly number[] = [23, 29];
const VERIFY_DATA_LENGTH = 12;

/**
 * Whether a certificate is one that the peer's description announced, by the strongest hash that
 * the description uses (RFC 8122, section 5).
 */
export function matchesFingerprint(
  certificate: Uint8Array,
  fingerprints: readonly Fingerprint[],
): boolean {
  const strongest = (["sha-512", "sha-384", "sha-256"] as const)
    .find((hash) => fingerprints.some((fingerprint) => fingerprint.hash === hash));
  if (strongest === undefined) return false;
  const digest = createHash(strongest.replace("-", "")).update(certificate).digest("hex");
  return fingerprints.some((fingerprint) =>
    fingerprint.hash === strongest &&
    fingerprint.digest.replaceAll(":", "").toLowerCase() === digest
  );
}

/** Whether a ServerKeyExchange is signed with the certificate's key, for this handshake. */
export function isServerKeyExchangeProven(
  certificate: Uint8Array,
  body: Uint8Array,
  clientRandom: Uint8Array,
  serverRandom: Uint8Array,
): boolean {
  const params = body.subarray(0, 4 + (body[3] ?? 0));
  const curve = ((body[1] ?? 0) << 8) | (body[2] ?? 0);
  if (body[0] !== NAMED_CURVE || !CURVES.includes(curve)) return false;
  return isSigned(certificate, body.subarray(params.length), [clientRandom, serverRandom, params]);
}

/** Whether a CertificateVerify is a signature of the transcript with the certificate's key. */
export function isCertificateVerifyProven(
  certificate: Uint8Array,
  body: Uint8Array,
  transcript: readonly Uint8Array[],
): boolean {
  return isSigned(certificate, body, transcript);
}

/** Whether a Finished is the one that this transcript and master secret must have. */
export function isFinishedProven(
  sender: "client" | "server",
  body: Uint8Array,
  transcript: readonly Uint8Array[],
  masterSecret: Uint8Array,
): boolean {
  const hash = createHash("sha256");
  for (const part of transcript) hash.update(part);
  const label = new TextEncoder().encode(`${sender} finished`);
  const expected = prf(masterSecret, [label, hash.digest()], VERIFY_DATA_LENGTH);
  return body.length === VERIFY_DATA_LENGTH && timingSafeEqual(expected, body);
}

/** Checks a `SignatureAndHashAlgorithm, opaque signature<0..2^16-1>` (RFC 5246, section 4.7). */
function isSigned(
  certificate: Uint8Array,
  signed: Uint8Array,
  content: readonly Uint8Array[],
): boolean {
  const [first = 0, second = 0, high = 0, low = 0] = signed;
  const signature = signed.subarray(4);
  if (signature.length === 0 || signature.length !== ((high << 8) | low)) return false;
  const isPss = first === RSA_PSS;
  const algorithm = isPss ? RSA : second;
  const hash = SIGNATURE_HASHES.get(isPss ? second : first);
  if (hash === undefined) return false;
  try {
    const key = new X509Certificate(certificate).publicKey;
    const type = key.asymmetricKeyType;
    if (!(algorithm === ECDSA && type === "ec") && !(algorithm === RSA && type === "rsa")) {
      return false;
    }
    const verify = createVerify(hash);
    for (const part of content) verify.update(part);
    return verify.verify(
      isPss ? { key, padding: constants.RSA_PKCS1_PSS_PADDING } : key,
      signature,
    );
  } catch {
    // A certificate or a signature that can't be read proves nothing.
    return false;
  }
}
