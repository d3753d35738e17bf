/**
 * Who is let in: pins first, then the policy, then the application (trust on first use).
 *
 * @module
 */
import { messageOf } from "../../../base/errors.ts";
import type { EventHub } from "../../../ipc/server/event_hub.ts";
import { OperationError } from "../../../ipc/api/problem.ts";
import { peerText } from "../../../ipc/api/schemas.ts";
import type { Log } from "../../../log/log.ts";
import type { WireErrorCode } from "../../../protocol/errors.ts";
import type { IdentityClaim } from "../../../protocol/session/session.ts";
import type { SeenPeer, TrustStore } from "../../../storage/trust_store.ts";
import type { PairingPolicy } from "../../../vocabulary/policies.ts";
import type { IdentifiedPeer, PairingOutcome, PairingRequests } from "./pairing_requests.ts";

/** Identities whose last session is remembered, for `trust` by SAS. */
const MAX_MET = 256;

/** What was decided about a peer. */
export type Admission =
  | { readonly admitted: true }
  | {
    readonly admitted: false;
    /** The error that the peer is sent; absent when the session is closed without one. */
    readonly wireCode?: WireErrorCode;
    /** Stable code for the application. */
    readonly code: "KEY_MISMATCH" | "PEER_DENIED" | "PAIRING_EXPIRED";
    /** What happened and what to do, for people. */
    readonly message: string;
  };

/** Options of a {@linkcode Gatekeeper}. */
export interface GatekeeperOptions {
  /** The pinned decisions about peers. */
  readonly trust: TrustStore;
  /** Where applications are asked. */
  readonly pairings: PairingRequests;
  /** What happens to an unknown identity. */
  readonly policy: PairingPolicy;
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

  /** Starts knowing the pins. */
  constructor(options: GatekeeperOptions) {
    this.#options = options;
  }

  /** Who was met in this run, by identity. */
  get met(): ReadonlyMap<string, IdentifiedPeer> {
    return this.#met;
  }

  /**
   * Why a claimed identity is not let in whatever people decide; undefined when they may. Once it was
   * proven, it is never believed without proof: an older program has to be untrusted first.
   */
  refuses({ identity, proven }: IdentityClaim): string | undefined {
    if (proven || !this.#options.trust.wasProven(identity.hex)) return undefined;
    return "a peer claims an identity that has proven itself before, and proves nothing: it is not " +
      "that peer, or an older program (then untrust it first, and pair anew)";
  }

  /**
   * Decides about a peer whose handshake is done.
   *
   * @param peer Who it is.
   * @param ended Resolves when the session has ended.
   * @throws {StorageError} When a decision can't be kept.
   */
  async judge(peer: IdentifiedPeer, ended: Promise<unknown>): Promise<Admission> {
    const { trust, policy, log } = this.#options;
    const { identity, peerCode } = peer;
    this.#remember(peer);
    if (peerCode !== undefined) {
      const known = trust.checkCode(peerCode, identity);
      if (known.verdict === "mismatch") return this.#mismatch(peer, known.known.identity);
    }
    const pinned = trust.decisionFor(identity);
    if (pinned === "allow_always") {
      await this.#keepSeen(peer);
      return { admitted: true };
    }
    if (pinned === "deny_always") return denied("the identity is pinned as denied");
    if (policy === "deny") return denied("unknown identities are refused (--pairing-policy deny)");
    if (policy === "allow") {
      await this.#pin(peer);
      log.warn("an unknown identity was let in (--pairing-policy allow)", { identity });
      return { admitted: true };
    }
    return await this.#ask(peer, ended);
  }

  /**
   * Pins an identity on an application's word: one that was met in this run, or that is pinned as
   * denied from an earlier one.
   *
   * @throws {OperationError} PEER_NOT_FOUND, KEY_MISMATCH
   * @throws {StorageError} When it can't be kept.
   */
  async allow(identity: string): Promise<void> {
    const peer = this.#met.get(identity);
    const { trust } = this.#options;
    const { peerCode } = peer ?? {};
    if (trust.decisionFor(identity) === "allow_always") return;
    if (peerCode !== undefined && trust.checkCode(peerCode, identity).verdict === "mismatch") {
      throw new OperationError(
        "KEY_MISMATCH",
        `peer code ${peerCode} is pinned to another key: untrust that one, or replace it by SAS`,
      );
    }
    if (peer !== undefined) return await this.#pin(peer);
    if (trust.decisionFor(identity) === undefined) {
      throw new OperationError(
        "PEER_NOT_FOUND",
        "that identity is not pinned, and has not connected in this run: pair with it, then decide",
      );
    }
    await this.#pin({ identity, deviceName: "", proven: false });
  }

  /**
   * Pins an identity in place of the one that its peer code is pinned to, by a SAS that people read.
   *
   * @throws {OperationError} PEER_NOT_FOUND, KEY_MISMATCH, SAS_MISMATCH, SAS_ATTEMPTS_EXHAUSTED
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
    const known = trust.checkCode(peer.peerCode, identity);
    if (known.verdict !== "mismatch" || known.known.identity !== replaced) {
      throw new OperationError(
        "KEY_MISMATCH",
        `peer code ${peer.peerCode} is not pinned to the identity that is to be replaced`,
      );
    }
    pairings.checkTypedSas(peer.sas, sas);
    await trust.replace(this.#seen(peer, peer.peerCode));
  }

  #remember(peer: IdentifiedPeer): void {
    this.#met.delete(peer.identity);
    this.#met.set(peer.identity, peer);
    const [oldest] = this.#met.keys();
    if (this.#met.size > MAX_MET && oldest !== undefined) this.#met.delete(oldest);
  }

  #mismatch(peer: IdentifiedPeer, pinned: string): Admission {
    const { events, log } = this.#options;
    const { sessionId, peerCode, deviceName, identity: presented } = peer;
    events.publish({
      type: "key-mismatch",
      sessionId,
      deviceName: peerText(deviceName),
      pinned,
      presented,
      ...(peerCode === undefined ? {} : { peerCode }),
    });
    log.error("KEY_MISMATCH: a known peer came with another key and was refused", {
      peer_code: peerCode,
      pinned,
      presented,
    });
    const message =
      `peer code ${peerCode} is pinned to another identity key: the session was refused`;
    return { admitted: false, wireCode: "KEY_MISMATCH", code: "KEY_MISMATCH", message };
  }

  async #ask(peer: IdentifiedPeer, ended: Promise<unknown>): Promise<Admission> {
    const { pairings, log } = this.#options;
    const { identity } = peer;
    log.info("an unknown identity asks to be let in", { identity, sas: peer.sas });
    const outcome = await pairings.ask(peer, ended, (outcome) => this.#keep(peer, outcome));
    log.info("pairing decided", { identity, outcome });
    switch (outcome) {
      case "allow_always":
      case "allow_once":
        return { admitted: true };
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

  async #keep(peer: IdentifiedPeer, outcome: PairingOutcome): Promise<void> {
    if (outcome === "allow_always") await this.#pin(peer);
    else if (outcome === "deny_always") await this.#options.trust.deny(peer.identity);
  }

  /**
   * Keeps what a pinned peer calls itself now, and that it has proven itself. That it can't be kept keeps no peer out, but for a
   * new code, which is bound before the peer is let in under it.
   */
  async #keepSeen(peer: IdentifiedPeer): Promise<void> {
    const { trust, log } = this.#options;
    const { identity, peerCode, proven } = peer;
    const known = trust.list().find((pinned) => pinned.identity === identity);
    // Through files an older peer tells no name: only a first proof is worth keeping then.
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
  ): Promise<void> {
    const { trust } = this.#options;
    await trust.allow(this.#seen(peer, peer.peerCode ?? codeFor(peer.identity)));
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

function denied(message: string): Admission {
  return { admitted: false, code: "PEER_DENIED", message };
}
