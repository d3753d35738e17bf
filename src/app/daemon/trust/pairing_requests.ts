/**
 * Pairing requests: unknown identities that wait for the application's decision.
 *
 * @module
 */
import { systemTimer, type Timer } from "../../../base/timer.ts";
import { PAIRING_DECISION_MS } from "../../../base/timing.ts";
import type { EventHub } from "../../../ipc/server/event_hub.ts";
import { OperationError } from "../../../ipc/api/problem.ts";
import { peerText } from "../../../ipc/api/peer_text.ts";
import type { Pairing, PairingDecision } from "../../../ipc/api/schemas.ts";
import { equalText } from "./equal_text.ts";
import { MAX_WRONG_PER_REQUEST, SasAttempts } from "./sas_attempts.ts";

/** Ended requests that can still be looked up. */
const MAX_KEPT = 64;

/** The peer of a session whose handshake is done, as trust is decided on. */
export interface IdentifiedPeer {
  /** The session it came by. */
  readonly sessionId: string;
  /** Identity key, 64 lower-case hex digits. */
  readonly identity: string;
  /** What it calls itself: hostile text. */
  readonly deviceName: string;
  /** The peer code it came under, if there is one. */
  readonly peerCode?: string;
  /** Whether it has proven that it holds the identity's key. */
  readonly proven: boolean;
  /** The short authentication string that both people read, six upper-case hex digits. */
  readonly sas: string;
}

/** What was decided: by the application, or `expired` by the clock, or `withdrawn` by the end. */
export type PairingOutcome = PairingDecision["decision"] | "expired" | "withdrawn";

/** What came of a request. */
export interface PairingVerdict {
  /** The decision, or what took its place. */
  readonly outcome: PairingOutcome;
  /** Whether the peer's files are accepted without asking, in this session. */
  readonly acceptsFiles: boolean;
}

interface Request {
  pairing: Pairing;
  wrongSas: number;
  readonly forbids: NonNullable<AskOptions["forbids"]>;
  readonly decided: PromiseWithResolvers<PairingVerdict>;
  /** Resolved when the decision is on disk, or need not be. */
  readonly kept: PromiseWithResolvers<void>;
}

/** Options of a {@linkcode PairingRequests}. */
export interface PairingRequestsOptions {
  /** Where requests and decisions are published. */
  readonly events: EventHub;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Ends requests that nobody decides. @default {systemTimer} */
  readonly after?: Timer;
}

/** How an application is asked. */
export interface AskOptions {
  /**
   * Writes the outcome to disk where it is one that lasts. It is reported after that; what is thrown
   * here, {@linkcode PairingRequests.ask} and {@linkcode PairingRequests.decide} throw.
   */
  readonly keep: (outcome: PairingOutcome) => Promise<void>;
  /** Why a decision may not be made, for people; undefined when it may. @default {all may} */
  readonly forbids?: (decision: PairingDecision["decision"]) => string | undefined;
  /** What the peer is known as already, where it is. */
  readonly knownAs?: string;
}

/** Pairing requests and their decisions. */
export class PairingRequests {
  readonly #options: PairingRequestsOptions;
  readonly #requests = new Map<string, Request>();
  readonly #attempts = new SasAttempts();

  /** None at first. */
  constructor(options: PairingRequestsOptions) {
    this.#options = options;
  }

  /**
   * Asks the application. Resolves with its answer, or `expired` after
   * {@linkcode PAIRING_DECISION_MS}, or `withdrawn` when `ended` resolves first.
   *
   * @param peer Whose identity is unknown.
   * @param ended Resolves when there is no session any more.
   */
  async ask(
    peer: IdentifiedPeer,
    ended: Promise<unknown>,
    { keep, forbids = () => undefined, knownAs }: AskOptions,
  ): Promise<PairingVerdict> {
    const { events, now: clock, after = systemTimer } = this.#options;
    const now = clock();
    const { deviceName, ...rest } = peer;
    const pairing: Pairing = {
      ...rest,
      pairingId: crypto.randomUUID(),
      state: "pending",
      deviceName: peerText(deviceName),
      ...(knownAs === undefined ? {} : { knownAs: peerText(knownAs) }),
      requestedAt: new Date(now).toISOString(),
      expiresAt: new Date(now + PAIRING_DECISION_MS).toISOString(),
    };
    const decided = Promise.withResolvers<PairingVerdict>();
    const end = (outcome: PairingOutcome) => decided.resolve({ outcome, acceptsFiles: false });
    const stopClock = after(PAIRING_DECISION_MS, () => end("expired"));
    const kept = Promise.withResolvers<void>();
    kept.promise.catch(() => {}); // nobody may have asked; it is thrown below
    const request: Request = { pairing, wrongSas: 0, forbids, decided, kept };
    this.#requests.set(pairing.pairingId, request);
    events.publish({ type: "pairing-requested", pairing });
    ended.then(() => end("withdrawn"));
    try {
      const answer = await decided.promise;
      const { outcome } = answer;
      const denied = outcome.startsWith("deny");
      const state = outcome.startsWith("allow") ? "allowed" : denied ? "denied" : "expired";
      request.pairing = { ...pairing, state };
      await keep(outcome);
      kept.resolve();
      events.publish({ type: "pairing-decided", pairing: request.pairing });
      return answer;
    } catch (error) {
      request.pairing = { ...pairing, state: "denied" };
      kept.reject(error);
      throw error;
    } finally {
      stopClock();
      this.#forgetOld();
    }
  }

  /** Requests that wait for a decision. */
  pending(): Pairing[] {
    return [...this.#requests.values()].map(({ pairing }) => pairing)
      .filter(({ state }) => state === "pending");
  }

  /** One request, decided ones too. @throws {OperationError} PAIRING_NOT_FOUND */
  get(pairingId: string): Pairing {
    return this.#find(pairingId).pairing;
  }

  /**
   * Takes a decision, and resolves when it is kept. With a SAS it counts only when that is the
   * request's. A peer that proves nothing is let in, and the identity that it claims denied for ever,
   * only where the decision says that it is unproven: its SAS is worth nothing.
   *
   * @throws {OperationError} PAIRING_NOT_FOUND, INVALID_STATE, SAS_MISMATCH,
   * SAS_ATTEMPTS_EXHAUSTED, POLICY_REFUSED
   * @throws {StorageError} When it can't be kept.
   */
  async decide(
    pairingId: string,
    { decision, sas, unproven, acceptFiles: acceptsFiles = false }: PairingDecision,
  ): Promise<Pairing> {
    const request = this.#find(pairingId);
    if (request.pairing.state !== "pending") {
      const message = `the pairing request is ${request.pairing.state} already`;
      throw new OperationError("INVALID_STATE", message);
    }
    if (sas !== undefined) this.#checkSas(request, sas);
    const allows = decision.startsWith("allow");
    if (!request.pairing.proven && unproven !== true) {
      if (allows) throw unprovenRefused();
      if (decision === "deny_always") throw claimDenialRefused();
    }
    const forbidden = request.forbids(decision);
    if (forbidden !== undefined) throw new OperationError("POLICY_REFUSED", forbidden);
    const state = allows ? "allowed" : "denied";
    request.pairing = { ...request.pairing, state };
    request.decided.resolve({ outcome: decision, acceptsFiles });
    await request.kept.promise;
    return request.pairing;
  }

  /**
   * A session ended after we had told our half of its SAS, and before anybody had answered. Somebody
   * in between may have seen that the SAS would not match, and try again unnoticed.
   */
  countSilentAttempt(): void {
    this.#attempts.count(this.#options.now());
  }

  /**
   * Checks a SAS that somebody typed, counting wrong ones over all requests.
   *
   * @param expected The session's.
   * @param typed What was typed, in the normal form of its kind: the API parses it.
   * @throws {OperationError} SAS_MISMATCH, SAS_ATTEMPTS_EXHAUSTED
   */
  checkTypedSas(expected: string, typed: string): void {
    const now = this.#options.now();
    if (this.#attempts.isExhausted(now)) {
      throw new OperationError(
        "SAS_ATTEMPTS_EXHAUSTED",
        "too many wrong SAS, or sessions that broke off before theirs was compared, in the last hour: no " +
          "SAS is checked until an hour has passed (a peer whose key you type needs none)",
      );
    }
    if (equalText(expected, typed)) return;
    this.#attempts.count(now);
    throw new OperationError(
      "SAS_MISMATCH",
      "that is not the SAS of this session: do not let the peer in unless both people read the same",
    );
  }

  #checkSas(request: Request, sas: string): void {
    try {
      this.checkTypedSas(request.pairing.sas, sas);
    } catch (error) {
      if (++request.wrongSas >= MAX_WRONG_PER_REQUEST) {
        request.decided.resolve({ outcome: "deny_once", acceptsFiles: false });
      }
      throw error;
    }
  }

  #find(pairingId: string): Request {
    const request = this.#requests.get(pairingId);
    if (request !== undefined) return request;
    throw new OperationError("PAIRING_NOT_FOUND", "no such pairing request in this run");
  }

  #forgetOld(): void {
    for (const [id, { pairing }] of this.#requests) {
      if (this.#requests.size <= MAX_KEPT) return;
      if (pairing.state !== "pending") this.#requests.delete(id);
    }
  }
}

/** A peer that has proven nothing is let in only by a decision that says `unproven`: not by mistake. */
export function unprovenRefused(): OperationError {
  return new OperationError(
    "POLICY_REFUSED",
    "the peer has not proven its identity: whoever relays the signals may stand in its place, and " +
      "the SAS does not show that. Let it in all the same with `unproven` (boltctl: --unproven), or " +
      "trust its key by typing it (boltctl trust KEY --name NAME)",
  );
}

/** Whoever claims an identity could else get it denied before its owner comes. */
function claimDenialRefused(): OperationError {
  return new OperationError(
    "POLICY_REFUSED",
    "the peer only claims that identity, and to deny it for ever denies whoever it really is: decide " +
      "with deny_once, or say `unproven` to deny it all the same",
  );
}
