/**
 * Runs the library's ICE checks: paced, without its polling, as long as the caller has patience;
 * then watches that the peer is still there.
 *
 * The library's own run gives up, polls every 20 ms, and leaves timers behind; its consent checks
 * (RFC 7675) need 30 s to see that a peer is gone.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { TransportError } from "../../base/errors.ts";
import { insidesOf, type LibraryConnection, type LibraryPair } from "./library.ts";

/** Between two checks that are started (RFC 8445, section 14.2, asks for 5 ms at least). */
const PACE_MS = 20;
/** After all checks have failed: the peer may not have had our description yet. */
const RECHECK_MS = 500;
/** A peer that was not heard of for one to two times this long is asked. */
const QUIET_MS = 1500;
/** Between two questions. */
const PROBE_MS = 500;
/**
 * Questions without an answer after which a peer is gone: at most 9.5 s after its last sign. Counted, not
 * timed: when this process was stopped for a while, the peer gets its chance to answer.
 */
const MAX_PROBES = 13;

/** States of a pair in the library. */
const PAIR = { frozen: 0, waiting: 1, failed: 4 } as const;

interface Check {
  readonly resolve?: () => void;
}

interface AgentInsides {
  readonly checkList: LibraryPair[];
  earlyChecks: [unknown, unknown, unknown][];
  earlyChecksDone: boolean;
  checkListDone: boolean;
  pairRemoteCandidate(candidate: unknown): void;
  sortCheckList(): void;
  unfreezeInitial(): void;
  schedulingChecks(): boolean;
  checkIncoming(...check: [unknown, unknown, unknown]): void;
  checkComplete(pair: LibraryPair): void;
  queryConsent(): void;
  setState(state: "connected"): void;
  buildRequest(parameters: {
    readonly nominate: boolean;
    readonly remoteUsername: string;
    readonly localUsername: string;
    readonly iceControlling: boolean;
    readonly localCandidate: unknown;
  }): Parameters<LibraryPair["protocol"]["request"]>[0];
}

const AGENT_SHAPE = {
  checkList: "object",
  earlyChecks: "object",
  earlyChecksDone: "boolean",
  checkListDone: "boolean",
  pairRemoteCandidate: "function",
  sortCheckList: "function",
  unfreezeInitial: "function",
  schedulingChecks: "function",
  checkIncoming: "function",
  checkComplete: "function",
  queryConsent: "function",
  setState: "function",
  buildRequest: "function",
} as const;

/** Drives one connection's checks. */
export class IceAgent implements Disposable {
  readonly #connection: LibraryConnection;
  readonly #insides: AgentInsides;
  readonly #nominated = Promise.withResolvers<LibraryPair>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #probes = 0;
  #isOver = false;
  #isQuiet = false;

  /** Takes over an agent that has not begun. */
  constructor(connection: LibraryConnection) {
    this.#nominated.promise.catch(() => {});
    this.#connection = connection;
    this.#insides = insidesOf<AgentInsides>(connection, AGENT_SHAPE);
    const checkComplete = this.#insides.checkComplete.bind(connection);
    this.#insides.checkComplete = (pair) => {
      checkComplete(pair);
      this.#onCheckComplete();
    };
  }

  /** Checks all pairs, over and over, until one is nominated. Both descriptions must be known. */
  async connect(): Promise<LibraryPair> {
    const { earlyChecks } = this.#insides;
    for (const candidate of this.#connection.remoteCandidates) {
      this.#insides.pairRemoteCandidate(candidate);
    }
    // All candidates came with the description; without this mark the checks never end.
    this.#connection.remoteCandidatesEnd = true;
    this.#insides.sortCheckList();
    this.#insides.unfreezeInitial();
    this.#insides.earlyChecks = [];
    this.#insides.earlyChecksDone = true;
    for (const check of earlyChecks) this.#insides.checkIncoming(...check);
    this.#startChecks();
    const pair = await this.#nominated.promise;
    // Closed in the meantime: what starts now would outlive the connection.
    if (this.#isOver) throw closedError();
    clearTimeout(this.#timer);
    for (const { handle } of this.#insides.checkList) (handle as Check | undefined)?.resolve?.();
    this.#insides.queryConsent();
    this.#insides.setState("connected");
    return pair;
  }

  /** Checks also a candidate of the peer that came after its description. */
  addRemote(candidate: unknown): void {
    if (this.#isOver) return;
    this.#insides.pairRemoteCandidate(candidate);
    this.#insides.sortCheckList();
    for (const pair of this.#insides.checkList) {
      if (pair.state === PAIR.frozen) pair.updateState(PAIR.waiting);
    }
  }

  /** From now on `onGone` is called, once, when the peer has not answered for 10 s. */
  watch(onGone: () => void): void {
    this.#after(QUIET_MS, () => this.#watchOn(onGone));
  }

  /** An authentic datagram of the peer came in. */
  heard(): void {
    this.#probes = 0;
    this.#isQuiet = false;
  }

  /** Stops checking and watching. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#nominated.reject(closedError());
  }

  #after(ms: number, step: () => void): void {
    clearTimeout(this.#timer);
    if (!this.#isOver) this.#timer = setTimeout(step, ms);
  }

  #startChecks(): void {
    if (this.#connection.nominated !== undefined) return;
    if (this.#insides.schedulingChecks()) this.#after(PACE_MS, () => this.#startChecks());
  }

  #onCheckComplete(): void {
    const { nominated } = this.#connection;
    if (nominated !== undefined) return this.#nominated.resolve(nominated);
    const { checkList } = this.#insides;
    if (checkList.some(({ state }) => state !== PAIR.failed)) return;
    this.#after(RECHECK_MS, () => {
      for (const pair of checkList) pair.updateState(PAIR.waiting);
      this.#startChecks();
    });
  }

  /** Silence is asked into; a sign of the peer, whichever, ends the asking. */
  #watchOn(onGone: () => void): void {
    if (!this.#isQuiet) {
      this.#isQuiet = true;
      this.#after(QUIET_MS, () => this.#watchOn(onGone));
    } else if (this.#probes >= MAX_PROBES) onGone();
    else {
      this.#probes++;
      this.#probe();
      this.#after(PROBE_MS, () => this.#watchOn(onGone));
    }
  }

  #probe(): void {
    const { nominated, localUsername, remoteUsername, remotePassword, iceControlling } =
      this.#connection;
    if (nominated === undefined) return;
    const { localCandidate, protocol, remoteAddr } = nominated;
    const parameters = { nominate: false, localUsername, remoteUsername, iceControlling };
    const request = this.#insides.buildRequest({ ...parameters, localCandidate });
    const key = Buffer.from(remotePassword, "utf8");
    protocol.request(request, remoteAddr, key, { retransmissions: 0, responseTimeout: 1000 })
      .then(() => this.heard(), () => {});
  }
}

function closedError(): TransportError {
  return new TransportError("SETUP_FAILED", "the connection was closed while it was being made");
}
