/**
 * Who is let in: pins first, then the policies, then the application (trust on first use).
 *
 * A session that is not proven names an identity and shows nothing of it. What it says changes
 * nothing of an identity that must prove itself: no code, no pin, no decision, not what was seen.
 *
 * @module
 */
import { messageOf, StorageError, type StorageErrorCode } from "../../../base/errors.ts";
import type { EventHub } from "../../../ipc/server/event_hub.ts";
import { OperationError } from "../../../ipc/api/problem.ts";
import { peerText } from "../../../ipc/api/peer_text.ts";
import type { TrustRequest } from "../../../ipc/api/schemas.ts";
import type { Log } from "../../../log/log.ts";
import type { WireErrorCode } from "../../../protocol/errors.ts";
import type { SessionEnd } from "../../../protocol/session/effects.ts";
import type { IdentityClaim, RefusedClaim } from "../../../protocol/session/session.ts";
import type { PinnedPeer, SeenPeer, TrustStore } from "../../../storage/trust_store.ts";
import type { PairingPolicy, UnprovenPolicy } from "../../../vocabulary/policies.ts";
import {
  type IdentifiedPeer,
  type PairingOutcome,
  type PairingRequests,
  unprovenRefused,
} from "./pairing_requests.ts";

/** Identities whose last session is remembered, for `trust` by SAS. */
const MAX_MET = 256;

/** What was decided about a peer. */
export type Admission =
  | {
    readonly admitted: true;
    /** Its files are accepted without asking, in this session: people have said so. */
    readonly acceptsFiles?: true;
  }
  | {
    readonly admitted: false;
    /** The error that the peer is sent; absent when the session is closed without one. */
    readonly wireCode?: WireErrorCode;
    /** Stable code for the application. */
    readonly code: "KEY_MISMATCH" | "IDENTITY_REFUSED" | "PEER_DENIED" | "PAIRING_EXPIRED";
    /** What happened and what to do, for people. */
    readonly message: string;
  };

/** Why a session that only claims its identity is refused. */
interface ClaimRefusal {
  readonly step: "expectation" | "peer-code";
  readonly message: string;
  /** The line of the log. */
  readonly logged: string;
}

/** Options of a {@linkcode Gatekeeper}. */
export interface GatekeeperOptions {
  /** The pinned decisions about peers. */
  readonly trust: TrustStore;
  /** Where applications are asked. */
  readonly pairings: PairingRequests;
  /** What happens to an unknown identity. */
  readonly pairingPolicy: PairingPolicy;
  /** What happens to a session that is not proven. */
  readonly unprovenPeers: UnprovenPolicy;
  /** Where key mismatches are published. */
  readonly events: EventHub;
  /** Where decisions are logged. */
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Decides, pins, and remembers who came. */
export class Gatekeeper {
  readonly #options: GatekeeperOptions;
  /** Peers by identity, the last met last. */
  readonly #met = new Map<string, IdentifiedPeer>();
  /** When the last session with an identity ended in this run, in milliseconds since 1970. */
  readonly #leftAt = new Map<string, number>();

  /** Nobody is met yet; what is pinned is known. */
  constructor(options: GatekeeperOptions) {
    this.#options = options;
  }

  /** Who was met in this run, by identity. */
  get met(): ReadonlyMap<string, IdentifiedPeer> {
    return this.#met;
  }

  /** When a session with this identity was last open, as far as that is known. */
  lastSeenAt(identity: string): number | undefined {
    const kept = this.#options.trust.find(identity)?.seenAt ?? 0;
    return Math.max(kept, this.#leftAt.get(identity) ?? 0) || undefined;
  }

  /**
   * Remembers that a session with a peer that was let in is over now; resolves when that is kept of
   * one that is pinned. That it can't be kept changes nothing else.
   */
  async left({ identity, proven }: Pick<IdentifiedPeer, "identity" | "proven">): Promise<void> {
    const { trust, log, now } = this.#options;
    if (!proven && trust.mustProve(identity)) return;
    const leftAt = now();
    this.#leftAt.delete(identity);
    this.#leftAt.set(identity, leftAt);
    const [oldest] = this.#leftAt.keys();
    if (this.#leftAt.size > MAX_MET && oldest !== undefined) this.#leftAt.delete(oldest);
    try {
      await trust.left(identity, leftAt);
    } catch (error) {
      log.warn("when a peer was last seen could not be kept", {
        identity,
        reason: messageOf(error),
      });
    }
  }

  /**
   * Why a claimed identity is not let in whatever people decide; undefined when they may. Once it was
   * proven, it is never believed without proof: an older program has to be untrusted first.
   */
  refuses({ identity, proven }: IdentityClaim): RefusedClaim | undefined {
    const { trust } = this.#options;
    if (proven || !trust.mustProve(identity.hex)) return undefined;
    const why = trust.wasProven(identity.hex)
      ? "has proven itself before"
      : "is trusted by its key, which was typed";
    const reason =
      `a peer claims an identity that ${why}, and proves nothing: it is not that peer, ` +
      "or it went back to an older program (then untrust it first, and pair anew)";
    return { step: "expectation", reason };
  }

  /**
   * Whether this peer code is bound to an identity that must prove itself: then nobody is let in
   * under it by comparing a SAS.
   */
  expectsProof(peerCode: string | undefined): boolean {
    const { trust } = this.#options;
    const owner = peerCode === undefined ? undefined : trust.ownerOf(peerCode);
    return owner !== undefined && trust.mustProve(owner);
  }

  /** Whether this identity has proven itself in this run, or must. */
  isProven(identity: string): boolean {
    return this.#options.trust.mustProve(identity) || this.#met.get(identity)?.proven === true;
  }

  /** What people call this identity. */
  nameOf(identity: string): string | undefined {
    return this.#options.trust.nameOf(identity);
  }

  /**
   * Decides about a peer whose handshake is done.
   *
   * @param peer Who it is.
   * @param ended Resolves when the session has ended, with who ended it.
   * @param isExpected Whether it is the identity that the session was asked for with, proven: so
   * its key was typed for this session, and nobody is asked.
   * @throws {StorageError} When a decision can't be kept.
   */
  async judge(
    peer: IdentifiedPeer,
    ended: Promise<SessionEnd["by"]>,
    isExpected = false,
  ): Promise<Admission> {
    this.#remember(peer);
    // The identity may have proven itself, or been trusted by key, since the HELLO, and again while
    // this is decided and kept.
    if (this.#onlyClaims(peer)) return this.#claimRefused(peer, MUST_PROVE);
    try {
      const admission = await this.#decide(peer, ended, isExpected);
      if (!admission.admitted || !this.#onlyClaims(peer)) return admission;
    } catch (error) {
      if (!this.#onlyClaims(peer)) throw error;
    }
    return this.#claimRefused(peer, MUST_PROVE);
  }

  #onlyClaims({ identity, proven }: IdentifiedPeer): boolean {
    return !proven && this.#options.trust.mustProve(identity);
  }

  async #decide(
    peer: IdentifiedPeer,
    ended: Promise<SessionEnd["by"]>,
    isExpected: boolean,
  ): Promise<Admission> {
    const { trust, pairingPolicy, unprovenPeers, log } = this.#options;
    const { identity, peerCode, proven } = peer;
    if (peerCode !== undefined) {
      const bound = trust.checkCode(peerCode, identity);
      if (bound.verdict === "mismatch") return this.#mismatch(peer, bound.owner);
    }
    const decision = trust.decisionFor(identity);
    if (decision === "deny_always") return denied(PINNED_AS_DENIED);
    if (!proven && unprovenPeers === "refuse") return denied(UNPROVEN_REFUSED);
    const known = trust.find(identity);
    const isForeign = known !== undefined && this.#isForeign(peer, known);
    if (isExpected) {
      if (known !== undefined) await this.#keepSeen(peer, isForeign ? undefined : peerCode);
      return { admitted: true };
    }
    const onlyClaims = !proven && unprovenPeers === "ask";
    if (known !== undefined && !onlyClaims && !isForeign) {
      await this.#keepSeen(peer, peerCode);
      return { admitted: true };
    }
    if (pairingPolicy === "deny") return denied(denial(onlyClaims, isForeign));
    if (pairingPolicy === "allow" && !onlyClaims) {
      await this.#pin(peer);
      const what = isForeign ? "a known identity under a new peer code" : "an unknown identity";
      log.warn(`${what} was let in (--pairing-policy allow)`, { identity, peer_code: peerCode });
      return { admitted: true };
    }
    return await this.#ask(peer, ended, known);
  }

  /**
   * A session ended before anybody had answered about it, though our nonce, half of its SAS, was
   * sent: its peer may have known the SAS before us, and may not have liked it.
   */
  countSilentAttempt(peerCode: string | undefined): void {
    if (this.expectsProof(peerCode)) return;
    this.#options.pairings.countSilentAttempt();
    this.#options.log.warn(
      "a session ended after our half of its SAS was told, and before an answer: it counts as a wrong SAS",
      { peer_code: peerCode },
    );
  }

  /**
   * Pins an identity on an application's word: one that was met in this run, or that is pinned as
   * denied from an earlier one. One that has proven nothing is pinned only where the application says
   * that it knows.
   *
   * @throws {OperationError} PEER_NOT_FOUND, KEY_MISMATCH, POLICY_REFUSED, PEER_NAME_TAKEN
   * @throws {StorageError} When it can't be kept.
   */
  async allow(
    identity: string,
    { name, unproven = false }: Pick<TrustRequest, "name" | "unproven"> = {},
  ): Promise<void> {
    const met = this.#met.get(identity);
    const { trust } = this.#options;
    const peer = met?.proven === false && trust.mustProve(identity) ? undefined : met;
    const { peerCode } = peer ?? {};
    const pinned = trust.decisionFor(identity);
    if (pinned === "allow_always" && name === undefined) return;
    if (peerCode !== undefined && trust.checkCode(peerCode, identity).verdict === "mismatch") {
      throw new OperationError(
        "KEY_MISMATCH",
        `peer code ${peerCode} is pinned to another key: untrust that one, or replace it by SAS`,
      );
    }
    if (peer === undefined && pinned === undefined) {
      throw new OperationError(
        "PEER_NOT_FOUND",
        "that identity is not pinned, and has not connected in this run: " +
          (name === undefined
            ? "trust its key by giving it a name (boltctl trust KEY --name NAME)"
            : "trust its key as it is typed, without `unproven` (boltctl: without --unproven)") +
          ", or pair with it, then decide",
      );
    }
    if (!unproven && !this.isProven(identity)) throw unprovenRefused();
    if (peer !== undefined) await this.#pin(peer, name);
    else await kept(() => trust.allowIdentity(identity, name));
  }

  /**
   * Trusts an identity by its key, which people typed, whether it was met or not: it must prove that
   * it holds it from the start.
   *
   * @param name What people call it.
   * @param replaced A pinned identity whose place it takes.
   * @throws {OperationError} KEY_MISMATCH when the one to be replaced is not pinned; PEER_NAME_TAKEN
   * @throws {StorageError} When it can't be kept.
   */
  async trustByKey(identity: string, name: string, replaced?: string): Promise<void> {
    const { trust } = this.#options;
    if (replaced !== undefined && trust.decisionFor(replaced) === undefined) {
      throw new OperationError(
        "KEY_MISMATCH",
        "the identity that is to be replaced is not pinned: boltctl peers lists those that are; to " +
          "trust a key beside them, leave `replaces` out (boltctl: --replaces)",
      );
    }
    await kept(() => trust.allowByKey(identity, name, replaced));
  }

  /** What an identity has proven in this run counts no more: it was untrusted. */
  forgetProof(identity: string): void {
    const met = this.#met.get(identity);
    if (met !== undefined) this.#met.set(identity, { ...met, proven: false });
  }

  /**
   * Pins an identity in place of the one that its peer code is pinned to, by a SAS that people read
   * in a proven session. Another one takes no pin's place: its SAS is worth nothing.
   *
   * @throws {OperationError} PEER_NOT_FOUND, KEY_MISMATCH, SAS_MISMATCH, SAS_ATTEMPTS_EXHAUSTED,
   * POLICY_REFUSED
   */
  async replace(identity: string, replaced: string, sas: string): Promise<void> {
    const { trust, pairings } = this.#options;
    const peer = this.#met.get(identity);
    if (peer?.peerCode === undefined) {
      throw new OperationError(
        "PEER_NOT_FOUND",
        "that identity has not used a peer code in this run: pair with it first",
      );
    }
    const bound = trust.checkCode(peer.peerCode, identity);
    if (bound.verdict !== "mismatch" || bound.owner !== replaced) {
      throw new OperationError(
        "KEY_MISMATCH",
        `peer code ${peer.peerCode} is not pinned to the identity that is to be replaced`,
      );
    }
    pairings.checkTypedSas(peer.sas, sas);
    if (!peer.proven) {
      throw new OperationError(
        "POLICY_REFUSED",
        "the new key is claimed and not proven, so no SAS can confirm it: type it (boltctl trust " +
          "KEY --name NAME --replaces IDENTITY), or untrust the pinned one and pair anew",
      );
    }
    await trust.replace(this.#seen(peer, peer.peerCode));
  }

  /** A peer that has proven its identity is not forgotten for one that only claims the same. */
  #remember(peer: IdentifiedPeer): void {
    if (!peer.proven && this.#met.get(peer.identity)?.proven === true) return;
    this.#met.delete(peer.identity);
    this.#met.set(peer.identity, peer);
    const [oldest] = this.#met.keys();
    if (this.#met.size > MAX_MET && oldest !== undefined) this.#met.delete(oldest);
  }

  #mismatch(peer: IdentifiedPeer, pinned: string): Admission {
    const { events, log, trust } = this.#options;
    const { sessionId, peerCode, deviceName, proven, identity: presented } = peer;
    if (!proven && trust.mustProve(pinned)) return this.#claimedUnderCode(peer);
    events.publish({
      type: "key-mismatch",
      sessionId,
      deviceName: peerText(deviceName),
      pinned,
      presented,
      proven,
      ...(peerCode === undefined ? {} : { peerCode }),
    });
    log.error("KEY_MISMATCH: a known peer came with another key and was refused", {
      peer_code: peerCode,
      pinned,
      presented,
      proven,
    });
    const message =
      `peer code ${peerCode} is pinned to another identity key, and the session was refused: if the ` +
      "peer has a new key, type that (boltctl trust KEY --name NAME --replaces IDENTITY)";
    return { admitted: false, wireCode: "KEY_MISMATCH", code: "KEY_MISMATCH", message };
  }

  /**
   * A session that proves nothing, under the code of a peer that always proves itself: it is another
   * peer. No key has changed, so this is no key mismatch.
   */
  #claimedUnderCode(peer: IdentifiedPeer): Admission {
    return this.#claimRefused(peer, {
      step: "peer-code",
      message:
        `a peer that proves nothing came under the peer code ${peer.peerCode}, whose owner ` +
        "proves itself: it is somebody else, and was refused",
      logged: "an identity that is claimed and not proven was refused under a known peer code",
    });
  }

  #claimRefused(peer: IdentifiedPeer, { step, message, logged }: ClaimRefusal): Admission {
    const { events, log } = this.#options;
    const { sessionId, peerCode, identity: claimed } = peer;
    const from = peerCode === undefined ? {} : { peerCode };
    events.publish({
      type: "identity-refused",
      ...{ sessionId, claimed, step, message: peerText(message), ...from },
    });
    log.error(logged, { session: sessionId, peer_code: peerCode, claimed, step });
    return { admitted: false, wireCode: "KEY_MISMATCH", code: "IDENTITY_REFUSED", message };
  }

  async #ask(
    peer: IdentifiedPeer,
    ended: Promise<SessionEnd["by"]>,
    known: PinnedPeer | undefined,
  ): Promise<Admission> {
    const { pairings, log } = this.#options;
    const { identity, proven, sas } = peer;
    const knownAs = known === undefined ? undefined : labelOf(known);
    const who = known === undefined ? "an unknown identity" : "a known identity";
    log.info(`${who} asks to be let in`, { identity, proven, sas, known_as: knownAs });
    const { outcome, acceptsFiles } = await pairings.ask(peer, ended, {
      keep: (outcome) => this.#keep(peer, outcome),
      forbids: (decision) => this.#forbids(peer, decision),
      ...(knownAs === undefined ? {} : { knownAs }),
    });
    log.info("pairing decided", { identity, outcome });
    if (outcome === "withdrawn" && proven && await ended !== "local") {
      this.countSilentAttempt(peer.peerCode);
    }
    switch (outcome) {
      case "allow_always":
      case "allow_once":
        return acceptsFiles ? { admitted: true, acceptsFiles } : { admitted: true };
      case "deny_always":
      case "deny_once":
        return denied("the pairing was denied");
      case "expired":
      case "withdrawn": {
        const message = "nobody decided about the pairing in time";
        return { admitted: false, code: "PAIRING_EXPIRED", message };
      }
    }
  }

  async #keep({ proven, ...peer }: IdentifiedPeer, outcome: PairingOutcome): Promise<void> {
    if (outcome === "allow_always") await this.#pin({ ...peer, proven });
    else if (outcome === "deny_always") {
      await kept(() => this.#options.trust.deny(peer.identity, proven ? "proven" : "unproven"));
    }
  }

  /** The identity may have proven itself, or been trusted by key, since the request was made. */
  #forbids({ identity, proven }: IdentifiedPeer, decision: PairingOutcome): string | undefined {
    if (proven || decision === "deny_once" || !this.isProven(identity)) return undefined;
    if (decision === "allow_once" && !this.#options.trust.mustProve(identity)) return undefined;
    return "this session only claims the identity of a peer that proves itself: decide with deny_once";
  }

  /** Whether a pinned peer comes under a code that is new for it, though it has one. */
  #isForeign({ identity, peerCode }: IdentifiedPeer, { codes }: PinnedPeer): boolean {
    if (peerCode === undefined || codes.includes(peerCode)) return false;
    return codes.some((code) => code !== codeFor(identity));
  }

  /**
   * Keeps what a pinned peer calls itself now, and that it has proven itself. That it can't be kept
   * keeps no peer out, but for a new code, which is bound before the peer is let in under it.
   */
  async #keepSeen(peer: IdentifiedPeer, peerCode: string | undefined): Promise<void> {
    const { trust, log } = this.#options;
    const { identity, proven } = peer;
    const known = trust.find(identity);
    // Through files, older peers tell neither code nor name: then only a first proof is worth keeping.
    const isNameless = peerCode === undefined && peer.deviceName === "";
    if (isNameless && (!proven || known?.proven === true)) return;
    const deviceName = isNameless ? known?.deviceName ?? "" : peer.deviceName;
    const code = peerCode ?? known?.codes.at(-1) ?? codeFor(identity);
    const seen = this.#seen({ identity, deviceName, proven }, code);
    try {
      await trust.seen(seen);
    } catch (error) {
      const isKnown = trust.checkCode(seen.code, identity).verdict === "same";
      if (peerCode !== undefined && !isKnown) throw error;
      log.warn("a peer's name could not be kept", { identity, reason: messageOf(error) });
    }
  }

  async #pin(
    peer: Pick<IdentifiedPeer, "identity" | "deviceName" | "peerCode" | "proven">,
    name?: string,
  ): Promise<void> {
    const seen = this.#seen(peer, peer.peerCode ?? codeFor(peer.identity));
    await kept(() => this.#options.trust.allow(seen, name));
  }

  #seen(
    { identity, deviceName, proven }: Pick<IdentifiedPeer, "identity" | "deviceName" | "proven">,
    code: string,
  ): SeenPeer {
    return { identity, code, deviceName, proven, seenAt: this.#options.now() };
  }
}

/**
 * The code under which a peer is pinned that came without one (file signaling): of its key, so that
 * it can't collide with the code of another.
 */
function codeFor(identity: string): string {
  return identity.slice(0, 16);
}

/** Nobody else has our key: it was meant to be the other end's. */
export function ownIdentityRefused(): OperationError {
  return new OperationError(
    "POLICY_REFUSED",
    "that is this daemon's own identity: give the one that boltctl identity prints at the other end",
  );
}

/** Refusals of the pins that are the application's to mend, by the problem that tells it. */
const REFUSALS: Partial<Record<StorageErrorCode, "PEER_NAME_TAKEN" | "POLICY_REFUSED">> = {
  PEER_NAME_TAKEN: "PEER_NAME_TAKEN",
  IDENTITY_UNPROVEN: "POLICY_REFUSED",
};

/** Has a decision kept, and tells the application why the pins refuse it. */
async function kept(keep: () => Promise<void>): Promise<void> {
  try {
    await keep();
  } catch (error) {
    const problem = error instanceof StorageError ? REFUSALS[error.code] : undefined;
    if (problem === undefined) throw error;
    throw new OperationError(problem, messageOf(error), { cause: error });
  }
}

/** What a pinned peer is known as: by the name that people gave it, where it has one. */
function labelOf({ identity, name, deviceName, codes }: PinnedPeer): string {
  return name ?? (deviceName || (codes.at(-1) ?? identity.slice(0, 8)));
}

const MUST_PROVE: ClaimRefusal = {
  step: "expectation",
  message:
    "a peer claims an identity that must prove itself by now, and proves nothing: it is not " +
    "that peer, or it went back to an older program (then untrust it first, and pair anew)",
  logged: "an identity that must prove itself by now was claimed and refused",
};

const PINNED_AS_DENIED = "the identity is pinned as denied: boltctl untrust forgets that";

const UNPROVEN_REFUSED = "the peer does not prove its identity, and such peers are refused " +
  "(--unproven-peers refuse): it needs a program that does";

function denial(onlyClaims: boolean, isForeign: boolean): string {
  const nobody = "and nobody is asked (--pairing-policy deny)";
  if (onlyClaims) return `the peer does not prove its identity, ${nobody}`;
  if (!isForeign) return "unknown identities are refused (--pairing-policy deny)";
  return `the peer is known under other peer codes, ${nobody}: pair with the code that is its own, ` +
    "or name its identity (boltctl pair --identity KEY)";
}

function denied(message: string): Admission {
  return { admitted: false, code: "PEER_DENIED", message };
}
