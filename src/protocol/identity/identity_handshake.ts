/**
 * One side of the proof between two HELLOs: what our HELLO carries, and how the peer's is judged.
 *
 * @module
 */
import { fromBase64 } from "../crypto/encoding.ts";
import type {
  EphemeralKeyPair,
  EphemeralPublicKey,
  IdentityPublicKey,
  SecretKey,
} from "../crypto/keys.ts";
import { PublicValue } from "../crypto/public_value.ts";
import { ProtocolError } from "../errors.ts";
import type { Role } from "../signal/bundle.ts";
import {
  type CertificateDigest,
  type Commitment,
  commitmentTo,
  committedCode,
  type IdentityProof,
  proofKey,
  proofOver,
  PROVEN_IDENTITY,
  revealed,
  type SessionNonce,
  type Transcript,
  transcriptOf,
} from "./proven_identity.ts";

/** The checks of a claimed identity, in the order in which they are made. */
export const REFUSED_STEPS = [
  "extension",
  "encoding",
  "commitment",
  "weak-key",
  "proof",
  "expectation",
  "expected-identity",
] as const;
/** Which check of a claimed identity failed. */
export type RefusedStep = typeof REFUSED_STEPS[number];

/** What the peer is told of every refusal: not which check it failed. */
const TOLD_TO_PEER = "the identity could not be verified";

/**
 * A peer claimed an identity and did not prove it, or it is not the one that is expected. Nobody's
 * key has changed: the identity is claimed only.
 */
export class IdentityRefusedError extends ProtocolError {
  /** The identity that the peer claimed. */
  readonly claimed: IdentityPublicKey;
  /** The check that failed. */
  readonly step: RefusedStep;

  /**
   * Makes a refusal.
   *
   * @param claimed The identity that the peer claimed.
   * @param step The check that failed.
   * @param message For the operator.
   */
  constructor(claimed: IdentityPublicKey, step: RefusedStep, message: string) {
    super("KEY_MISMATCH", message);
    this.claimed = claimed;
    this.step = step;
  }

  /** The same for every step. */
  override get messageForPeer(): string {
    return TOLD_TO_PEER;
  }
}

/** What a session needs to prove who we are, and to check who the peer is. */
export interface ProofOptions {
  /** Whether we wrote the offer or the answer. */
  readonly role: Role;
  /** The secret half of our identity. It stays the caller's. */
  readonly identitySecret: SecretKey<"identity">;
  /** Of the offer or answer that led to this connection; zeroed with the session. */
  readonly nonce: SecretKey<"session-nonce">;
  /** What our offer or answer carried. */
  readonly commitment: Commitment;
  /** What the peer's carried; absent when it carried none. */
  readonly remoteCommitment?: Commitment | undefined;
  /** Of the certificates that both sides showed in this connection's DTLS handshake. */
  readonly certificates: {
    /** Ours. */
    readonly local: CertificateDigest;
    /** The peer's. */
    readonly remote: CertificateDigest;
  };
}

/** The keys that HELLO names and signaling brought. */
export interface HandshakeSides {
  /** Who we are. */
  readonly identity: IdentityPublicKey;
  /** Our keys for this connection. */
  readonly ephemeral: EphemeralKeyPair;
  /** The peer's half for this connection. */
  readonly remoteEphemeral: EphemeralPublicKey;
}

/** What a peer's HELLO claims, opened but not believed. */
export interface HelloClaim {
  /** The identity that it names; not our own. */
  readonly identity: IdentityPublicKey;
  /** What it says that it can do. */
  readonly capabilities: readonly string[];
  /** Its `sessionNonce` as it came. */
  readonly sessionNonce: unknown;
  /** The frame's `payload`. */
  readonly payload: string;
  /** The frame's `identityProof` as it came. */
  readonly identityProof: unknown;
  /** Whether a key stands twice in the frame or the HELLO. */
  readonly repeatsKeys: boolean;
}

/** What follows from the peer's HELLO. */
export type IdentityVerdict =
  | { readonly proven: false }
  | { readonly proven: true; readonly code: string };

/** What one side says of its identity in HELLO, and what it makes of the peer's. One for each connection. */
export class IdentityHandshake {
  readonly #options: ProofOptions;
  readonly #sides: HandshakeSides;
  /** What both sides saw; undefined when the peer sent no commitment. */
  readonly #transcript: Transcript | undefined;

  /**
   * Begins with what signaling and DTLS brought.
   *
   * @throws {ProtocolError} PROTOCOL_VIOLATION when the peer's commitment is our own, sent back.
   */
  constructor(options: ProofOptions, sides: HandshakeSides) {
    const { commitment, remoteCommitment, role, certificates } = options;
    this.#options = options;
    this.#sides = sides;
    if (remoteCommitment === undefined) return;
    if (remoteCommitment.equals(commitment)) {
      throw new ProtocolError("PROTOCOL_VIOLATION", "the peer sent our own commitment back");
    }
    const ours = {
      ephemeral: sides.ephemeral.publicKey,
      certificate: certificates.local,
      commitment,
    };
    const theirs = {
      ephemeral: sides.remoteEphemeral,
      certificate: certificates.remote,
      commitment: remoteCommitment,
    };
    this.#transcript = transcriptOf(byRole(role, ours, theirs));
  }

  /** Whether the peer sent a commitment, so that our HELLO reveals our nonce and carries a proof. */
  get isOffered(): boolean {
    return this.#transcript !== undefined;
  }

  /** What our HELLO reveals; undefined when the peer sent no commitment. */
  get nonce(): SessionNonce | undefined {
    return this.isOffered ? revealed(this.#options.nonce) : undefined;
  }

  /** The proof beside our HELLO's payload; undefined when the peer sent no commitment. */
  prove(payload: string): IdentityProof | undefined {
    const { identitySecret, role } = this.#options;
    if (this.#transcript === undefined) return undefined;
    using key = proofKey(identitySecret, this.#sides.remoteEphemeral, this.#transcript, role);
    // The box key was agreed with that ephemeral key, so it is not of low order.
    return key === undefined ? undefined : proofOver(key, payload);
  }

  /**
   * Judges the peer's HELLO.
   *
   * @throws {IdentityRefusedError} Whatever was not as it must be.
   */
  verify(claim: HelloClaim): IdentityVerdict {
    const { identity, payload } = claim;
    const refuse = (step: RefusedStep, message: string): never => {
      throw new IdentityRefusedError(identity, step, message);
    };
    const transcript = this.#transcript;
    const remote = this.#options.remoteCommitment;
    const lists = claim.capabilities.includes(PROVEN_IDENTITY);
    if (transcript === undefined || remote === undefined) {
      if (!lists) return { proven: false };
      return refuse("extension", "the peer can prove its identity, but its signal was stripped");
    }
    if (!lists) {
      return refuse("extension", "the peer committed to an identity and then proves none");
    }
    const nonce = PublicValue.parse("session-nonce", claim.sessionNonce);
    const proof = PublicValue.parse("identity-proof", claim.identityProof);
    const isCanonical = !claim.repeatsKeys && fromBase64(payload) !== undefined;
    if (nonce === undefined || proof === undefined || !isCanonical) {
      return refuse("encoding", "the peer's proof is absent or malformed");
    }
    if (!commitmentTo(identity, this.#sides.remoteEphemeral, nonce).equals(remote)) {
      return refuse("commitment", "the peer's HELLO is not what it committed to in its signal");
    }
    const { secretKey } = this.#sides.ephemeral;
    using key = proofKey(secretKey, identity, transcript, this.#remoteRole);
    if (key === undefined) return refuse("weak-key", "the peer's identity key proves nothing");
    if (!proofOver(key, payload).equals(proof)) {
      return refuse("proof", "the peer does not hold the key of the identity that it claims");
    }
    const ours = revealed(this.#options.nonce);
    const nonces = byRole(this.#options.role, ours, nonce);
    return { proven: true, code: committedCode(transcript, nonces) };
  }

  get #remoteRole(): Role {
    return this.#options.role === "offerer" ? "answerer" : "offerer";
  }
}

/** What both sides have, by who wrote the offer and who the answer. */
function byRole<T>(role: Role, ours: T, theirs: T): { [role in Role]: T } {
  return role === "offerer"
    ? { offerer: ours, answerer: theirs }
    : { offerer: theirs, answerer: ours };
}
