/**
 * Two sessions wired back to back, for tests only: what one sends waits in a queue until it is
 * delivered, so that a test decides how messages interleave.
 *
 * @module
 */
import { KeyPair, type PublicKey } from "../crypto/keys.ts";
import { PublicValue } from "../crypto/public_value.ts";
import type { RandomSource } from "../crypto/random_source.ts";
import type { ProofOptions } from "../identity/identity_handshake.ts";
import { DescriptionSecrets } from "../identity/proven_identity.ts";
import type { WireFrame } from "../messages/envelope.ts";
import type { SessionEffect } from "../session/effects.ts";
import { Session, type SessionOptions } from "../session/session.ts";
import type { Transfers } from "../transfer/transfers.ts";
import { ableTo } from "./both_encodings.ts";
import { seededRandom } from "./seeded_random.ts";
import type { Role } from "../signal/bundle.ts";

/** The effects of one type. */
export type EffectOf<T extends SessionEffect["type"]> = Extract<SessionEffect, { type: T }>;

/** One side: its session, what it told, and what it has sent but the other has not received. */
export class TestPeer {
  /** The session of ours. */
  readonly session: Session;
  /** Who this side is. */
  readonly identity: PublicKey<"identity">;
  /** Frames sent and not yet delivered. */
  readonly outbox: WireFrame[] = [];
  /** Every other effect so far. */
  readonly told: SessionEffect[] = [];
  /** The transfers, once approved. */
  transfers: Transfers | undefined;

  /** Makes a session of its options. */
  constructor(options: SessionOptions) {
    this.session = new Session(options);
    this.identity = options.identity;
  }

  /** Carries out effects: frames go to the outbox, the rest is remembered. */
  do(effects: readonly SessionEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "send") this.outbox.push(effect.frame);
      else this.told.push(effect);
    }
  }

  /** Approves the session. */
  approve(now = 0): Transfers {
    const { transfers, effects } = this.session.approve(now);
    this.transfers = transfers;
    this.do(effects);
    return transfers;
  }

  /** What was told of one type so far. */
  all<T extends SessionEffect["type"]>(type: T): EffectOf<T>[] {
    return this.told.filter((effect): effect is EffectOf<T> => effect.type === type);
  }

  /** The last that was told of one type. */
  last<T extends SessionEffect["type"]>(type: T): EffectOf<T> {
    const effect = this.all(type).at(-1);
    if (effect === undefined) throw new Error(`nothing of type ${type} was told`);
    return effect;
  }
}

/** Options of a pair: for both sides, and for each. */
export interface PairOptions {
  /** Seed of all randomness. @default {1} */
  readonly seed?: string | number;
  /** Options of both sides. */
  readonly both?: Partial<SessionOptions>;
  /** Options of side a, over those of both. */
  readonly a?: Partial<SessionOptions>;
  /** Options of side b, over those of both. */
  readonly b?: Partial<SessionOptions>;
}

/** Two peers that know each other's ephemeral keys, not yet started. */
export function newPair(options: PairOptions = {}): { a: TestPeer; b: TestPeer } {
  const random = seededRandom(options.seed ?? 1);
  const keys = (own: Partial<SessionOptions> = {}) => ({
    identity: KeyPair.generate("identity", random).publicKey,
    ephemeral: own.ephemeral ?? KeyPair.generate("ephemeral", random),
    random,
  });
  const [a, b] = [keys(options.a), keys(options.b)];
  const peerOf = (ours: typeof a, theirs: typeof b, own: Partial<SessionOptions> = {}) => {
    const given = { ...options.both, ...own };
    const remoteEphemeral = theirs.ephemeral.publicKey;
    const capabilities = ableTo(given.capabilities);
    return new TestPeer({ ...ours, remoteEphemeral, ...given, capabilities });
  };
  return { a: peerOf(a, b, options.a), b: peerOf(b, a, options.b) };
}

/** What one side brings to a connection. */
export interface Side {
  /** Who it is. */
  readonly identity: KeyPair<"identity">;
  /** Of its offer or answer. */
  readonly secrets: DescriptionSecrets;
  /** Of the certificate that it shows. */
  readonly certificate: PublicValue<"certificate-digest">;
}

/** A side with fresh values; `identity` lets it be somebody again. */
export function newSide(
  random: RandomSource,
  identity: KeyPair<"identity"> = KeyPair.generate("identity", random),
): Side {
  const secrets = new DescriptionSecrets(identity.publicKey, random);
  return { identity, secrets, certificate: new PublicValue("certificate-digest", random(32)) };
}

/** Session options of a side that can prove its identity to another, which committed too. */
export function provingOptions(
  role: Role,
  ours: Side,
  theirs: Side,
  random: RandomSource,
  proof: Partial<ProofOptions> = {},
): SessionOptions & { readonly proof: ProofOptions } {
  return {
    identity: ours.identity.publicKey,
    ephemeral: ours.secrets.ephemeral,
    remoteEphemeral: theirs.secrets.ephemeral.publicKey,
    random,
    proof: {
      role,
      identitySecret: ours.identity.secretKey,
      nonce: ours.secrets.nonce,
      commitment: ours.secrets.commitment,
      remoteCommitment: theirs.secrets.commitment,
      certificates: { local: ours.certificate, remote: theirs.certificate },
      ...proof,
    },
  };
}

/** A frame that may be overwritten, as a channel gives it. */
export const copyOf = (frame: WireFrame): WireFrame =>
  typeof frame === "string" ? frame : new Uint8Array(frame);

/** Delivers one frame. Says whether there was one. */
export function deliver(from: TestPeer, to: TestPeer, now = 0): boolean {
  const frame = from.outbox.shift();
  if (frame === undefined) return false;
  to.do(to.session.receive(copyOf(frame), now));
  return true;
}

/** Delivers until both outboxes are empty. */
export function settle(a: TestPeer, b: TestPeer, now = 0): void {
  while (deliver(a, b, now) || deliver(b, a, now));
}

/** Two peers that have exchanged HELLOs and approved each other. */
export function openPair(
  options: PairOptions = {},
): { a: TestPeer; b: TestPeer; ta: Transfers; tb: Transfers } {
  const { a, b } = newPair(options);
  return opened(a, b);
}

function opened(a: TestPeer, b: TestPeer): ReturnType<typeof openPair> {
  a.do(a.session.start(0));
  b.do(b.session.start(0));
  settle(a, b);
  const [ta, tb] = [a.approve(), b.approve()];
  settle(a, b);
  return { a, b, ta, tb };
}

/** Options of a pair whose sides can prove who they are. */
export interface ProvenPairOptions extends PairOptions {
  /** Whether they do. @default {true} */
  readonly proves?: boolean;
}

/** As {@linkcode openPair}, of sides that have proven who they are; and their keys. */
export function openProvenPair(options: ProvenPairOptions = {}): ReturnType<typeof openPair> & {
  readonly keys: { readonly a: KeyPair<"ephemeral">; readonly b: KeyPair<"ephemeral"> };
} {
  const { seed = 1, both, proves = true } = options;
  const random = seededRandom(seed);
  const [ours, theirs] = [newSide(random), newSide(random)];
  const peerOf = (role: Role, us: Side, them: Side, own: Partial<SessionOptions> = {}) => {
    const { proof, ...published } = provingOptions(role, us, them, random);
    const given = { ...published, ...both, ...own, ...(proves ? { proof } : {}) };
    return new TestPeer({ ...given, capabilities: ableTo(given.capabilities) });
  };
  const a = peerOf("offerer", ours, theirs, options.a);
  const b = peerOf("answerer", theirs, ours, options.b);
  const keys = { a: ours.secrets.ephemeral, b: theirs.secrets.ephemeral };
  return { ...opened(a, b), keys };
}
