/**
 * Runs the library's ICE checks: paced, without its polling, as long as the caller has patience;
 * then watches that the peer is still there, and follows it to another path (`path_watch.ts`).
 *
 * The library's own run gives up, polls every 20 ms, and leaves timers behind; its consent checks
 * (RFC 7675) need 30 s to see that a peer is gone, and it never leaves the pair that was nominated
 * first.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Candidate as IceCandidate, StunProtocol } from "werift";
import { TransportError } from "../../../base/errors.ts";
import {
  ICE_CHECK_MS,
  ICE_PACE_MS,
  ICE_RECHECK_MS,
  NOMINATION_FRESH_MS,
} from "../../../base/timing.ts";
import { logFor } from "../../../log/log.ts";
import { judgeAddress, type NetworkScope } from "../../../protocol/network_scope/scope.ts";
import { insidesOf, type LibraryConnection, type LibraryPair } from "../library.ts";
import { LinkWatch } from "./link_watch.ts";
import { chooseNomination, type NominationPair } from "./nomination.ts";
import { bestPairings, MAX_CANDIDATE_PAIRS, MAX_PAIRS } from "./pairing.ts";
import { PathWatch, type PathWatchOptions } from "./path_watch.ts";
import { RequestMemory } from "./request_memory.ts";

/** States of a pair in the library. */
const PAIR = { frozen: 0, waiting: 1, inProgress: 2, succeeded: 3, failed: 4 } as const;

interface Check {
  readonly awaitable?: Promise<void>;
  readonly resolve?: () => void;
}

/** A request of the peer, parsed by the library. */
interface LibraryRequest {
  readonly transactionIdHex: string;
  readonly attributesKeys: readonly string[];
}

/** A request, the address that it came from, and the socket that it came in by. */
type IncomingCheck = [LibraryRequest, readonly [string, number], LibraryPair["protocol"]];

interface AgentInsides {
  readonly protocols: readonly StunProtocol[];
  readonly checkList: LibraryPair[];
  earlyChecks: IncomingCheck[];
  earlyChecksDone: boolean;
  checkListDone: boolean;
  tryPair(protocol: StunProtocol, candidate: IceCandidate): void;
  sortCheckList(): void;
  unfreezeInitial(): void;
  schedulingChecks(): boolean;
  checkIncoming(...check: IncomingCheck): void;
  checkStart(pair: LibraryPair): Check;
  checkComplete(pair: LibraryPair): void;
  queryConsent: () => void;
  nominating: boolean;
  isTcpPair: (pair: LibraryPair) => boolean;
  checkRequestOptions: (pair: LibraryPair) => { readonly retransmissions: number };
  nominateTcpPairIfReady: () => void;
  nominateTcpPair(pair: LibraryPair): void;
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
  protocols: "object",
  tryPair: "function",
  sortCheckList: "function",
  unfreezeInitial: "function",
  schedulingChecks: "function",
  checkIncoming: "function",
  checkStart: "function",
  checkComplete: "function",
  queryConsent: "function",
  nominating: "boolean",
  isTcpPair: "function",
  checkRequestOptions: "function",
  nominateTcpPairIfReady: "function",
  nominateTcpPair: "function",
  buildRequest: "function",
} as const;

/** As the library sends a check again that goes by UDP; over TCP none is. */
const UDP_CHECK = { retransmissions: 4 } as const;
const TCP_CHECK = { retransmissions: 0, responseTimeout: ICE_CHECK_MS } as const;

/** A connection that a pair stands on. */
type Connected = ConstructorParameters<typeof LinkWatch>[0];

/** Drives one connection's checks. */
export class IceAgent implements Disposable {
  readonly #connection: LibraryConnection;
  readonly #insides: AgentInsides;
  readonly #scope: NetworkScope;
  readonly #nominated = Promise.withResolvers<LibraryPair>();
  readonly #nominations = new RequestMemory();
  /** When the controlling peer nominated a pair, the last time. */
  readonly #nominatedAt = new WeakMap<LibraryPair, number>();
  /** The pair that it nominated last. */
  #called: LibraryPair | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watch: PathWatch<LibraryPair> | undefined;
  #linkWatch: LinkWatch | undefined;
  #nominationTimer: ReturnType<typeof setTimeout> | undefined;
  /** When the first check by UDP was answered. */
  #udpSince: number | undefined;
  /** The pair that the peer was last asked to use. */
  #asked: LibraryPair | undefined;
  #isChecking = false;
  #isOver = false;

  /** Takes over an agent that has not begun; no path leads outside the scope. */
  constructor(connection: LibraryConnection, scope: NetworkScope) {
    this.#nominated.promise.catch(() => {});
    this.#connection = connection;
    this.#scope = scope;
    this.#insides = insidesOf<AgentInsides>(connection, AGENT_SHAPE);
    // Its checks of the peer's consent: ours are `path_watch.ts`.
    this.#insides.queryConsent = () => {};
    const checkComplete = this.#insides.checkComplete.bind(connection);
    this.#insides.checkComplete = (pair) => {
      checkComplete(pair);
      this.#onCheckComplete();
    };
    const checkIncoming = this.#insides.checkIncoming.bind(connection);
    this.#insides.checkIncoming = (...check) => {
      checkIncoming(...check);
      this.#onRequest(...check);
    };
  }

  /** Checks all pairs, over and over, until one is nominated. Both descriptions must be known. */
  async connect(): Promise<LibraryPair> {
    const { earlyChecks } = this.#insides;
    // Without this mark the checks never end; what comes later is checked all the same.
    this.#connection.remoteCandidatesEnd = true;
    this.#isChecking = true;
    this.pair();
    this.#insides.unfreezeInitial();
    this.#insides.earlyChecks = [];
    this.#insides.earlyChecksDone = true;
    for (const check of earlyChecks) this.#insides.checkIncoming(...check);
    this.#startChecks();
    const pair = await this.#nominated.promise;
    // Closed in the meantime: what starts now would outlive the connection.
    if (this.#isOver) throw closedError();
    clearTimeout(this.#timer);
    clearTimeout(this.#nominationTimer);
    for (const { handle } of this.#insides.checkList) (handle as Check | undefined)?.resolve?.();
    return pair;
  }

  /** Takes a candidate of the peer's, with its description or after it. */
  addRemote(candidate: IceCandidate): void {
    if (this.#isOver) return;
    const { remoteCandidates } = this.#connection;
    if (remoteCandidates.some((known) => isSameAddress(known, candidate))) return;
    remoteCandidates.push(candidate);
    if (!this.#isChecking) return;
    this.pair();
    // All others may have been sent: then nobody starts what is new.
    this.#startChecks();
  }

  /**
   * The controlling side nominates one pair, when it knows which is best (`nomination.ts`), and not
   * each that it checks: the peer would take another than we do (RFC 8445, section 8.1.1).
   *
   * @param mayConnect Whether a TCP connection may still come.
   */
  nominateOne(mayConnect: () => boolean): void {
    const insides = this.#insides;
    // What the library does with TCP pairs alone.
    insides.isTcpPair = () => true;
    // Fresh ones each time: the library keeps the transaction's key in them.
    insides.checkRequestOptions = (pair) => ({ ...(isTcp(pair) ? TCP_CHECK : UDP_CHECK) });
    insides.nominateTcpPairIfReady = () => this.#nominate(mayConnect);
  }

  /** Whether the controlling peer has nominated a pair within the last 10 s, by a new request. */
  isNominated(pair: LibraryPair): boolean {
    const at = this.#nominatedAt.get(pair);
    return !this.#connection.iceControlling && at !== undefined &&
      performance.now() - at < NOMINATION_FRESH_MS;
  }

  /** Something has changed that the choice of a pair, or a check, waits for. */
  reconsider(): void {
    if (this.#isOver || !this.#isChecking) return;
    this.#insides.nominateTcpPairIfReady();
    this.#startChecks();
  }

  /** Pairs what is new of ours and of the peer's. */
  pair(): void {
    const { checkList, protocols } = this.#insides;
    const locals = protocols.flatMap((protocol) => {
      const { host = "", priority = 0, transport } = protocol.localCandidate ?? {};
      return host === "" || transport === "tcp" ? [] : [{ protocol, host, priority }];
    });
    // A connection is paired with its other end when it is made.
    const remotes = this.#connection.remoteCandidates.filter(({ transport }) =>
      transport.toLowerCase() === "udp"
    );
    // The library makes only those that it has not.
    const best = bestPairings(locals, remotes, MAX_CANDIDATE_PAIRS);
    for (const { local, remote } of best) {
      if (checkList.length < MAX_PAIRS) this.#insides.tryPair(local.protocol, remote);
    }
    this.#insides.sortCheckList();
  }

  /**
   * From now on checks are ours, not the library's: the connection follows the peer to another path
   * when the nominated one dies. `told.onGone` is called, once, when no path has worked for 10 s,
   * `told.onMove` whenever data goes by another path from then on.
   */
  watch(
    told: Required<Pick<PathWatchOptions, "onDoubt" | "onGone">> & { readonly onMove: () => void },
  ): void {
    if (this.#isOver) return;
    const connection = this.#connection;
    const insides = this.#insides;
    const watch = new PathWatch<LibraryPair>({
      get nominated() {
        return connection.nominated;
      },
      get isControlling() {
        return connection.iceControlling;
      },
      get pairs() {
        return connection.checkList;
      },
      check: (pair, nominate) => this.#check(pair, nominate),
      select: (pair) => {
        this.#select(pair);
        told.onMove();
      },
    }, told);
    this.#watch = watch;
    // The library's own checks of the controlling side would nominate each pair that they try.
    insides.checkStart = (pair) => ({ awaitable: watch.onRequest(pair), resolve: () => {} });
    // It may have nominated another while the first one was being made sure of.
    if (this.#called !== undefined) watch.onNomination(this.#called);
  }

  /**
   * From now on the nominated pair's connection is watched, and never left: whatever was lost with
   * it can't be known by another path.
   *
   * @param onGone Called once, when the peer is silent for too long.
   */
  watchLink(pair: LibraryPair, link: Pick<Connected, "writtenBytes">, onGone: () => void): void {
    if (this.#isOver) return;
    this.#insides.checkStart = () => ({ awaitable: Promise.resolve(), resolve: () => {} });
    const watched: Connected = {
      get writtenBytes() {
        return link.writtenBytes;
      },
      check: () => this.#check(pair, false),
    };
    this.#linkWatch = new LinkWatch(watched, { onGone });
  }

  /** The peer has sent what only it can have. */
  heard(): void {
    this.#linkWatch?.heard();
  }

  /** What the nominated pair needs has gone: others are tried at once. */
  suspect(): void {
    this.#watch?.suspect();
  }

  /** Stops checking and watching. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#nominationTimer);
    this.#watch?.[Symbol.dispose]();
    this.#linkWatch?.[Symbol.dispose]();
    this.#nominated.reject(closedError());
  }

  #after(ms: number, step: () => void): void {
    clearTimeout(this.#timer);
    if (!this.#isOver) this.#timer = setTimeout(step, ms);
  }

  #startChecks(): void {
    if (this.#isOver || this.#connection.nominated !== undefined) return;
    if (this.#insides.schedulingChecks()) this.#after(ICE_PACE_MS, () => this.#startChecks());
  }

  /** A check of the peer's has come, which the gate let in. */
  #onRequest(...[request, from, protocol]: IncomingCheck): void {
    const { iceControlling, checkList } = this.#connection;
    if (iceControlling || !request.attributesKeys.includes("USE-CANDIDATE")) return;
    const [host, port] = from;
    const pair = checkList.find(({ protocol: socket, remoteAddr }) =>
      socket === protocol && remoteAddr[0] === host && remoteAddr[1] === port
    );
    // A nomination that was seen before, and may be a copy, is answered and not obeyed.
    const isNew = this.#nominations.note(request.transactionIdHex, "") === "new";
    if (pair === undefined || !isNew) return;
    this.#called = pair;
    this.#nominatedAt.set(pair, performance.now());
    this.#watch?.onNomination(pair);
  }

  /** Of the controlling side: the other nominates nothing. */
  #nominate(mayConnect: () => boolean): void {
    const { iceControlling, nominated, remoteIsLite } = this.#connection;
    const insides = this.#insides;
    // The library does not see that a nomination failed whose pair has gone with its connection.
    const isUnderWay = insides.checkList.some((pair) => pair === this.#asked);
    if (!isUnderWay) insides.nominating = false;
    const isDue = iceControlling && !remoteIsLite && nominated === undefined && !insides.nominating;
    if (!isDue || this.#isOver) return;
    clearTimeout(this.#nominationTimer);
    const pairs = insides.checkList.map((pair) => ({ ...nominationPair(pair), known: pair }));
    const now = performance.now();
    if (pairs.some(({ transport, state }) => transport === "udp" && state === "succeeded")) {
      this.#udpSince ??= now;
    }
    const asked = { pairs, mayConnect: mayConnect(), udpSince: this.#udpSince, now };
    const { pair, askAt } = chooseNomination(asked);
    if (pair !== undefined) {
      this.#asked = pair.known;
      insides.nominateTcpPair(pair.known);
    } else if (askAt !== undefined) {
      this.#nominationTimer = setTimeout(() => this.#nominate(mayConnect), askAt - now);
    }
  }

  #onCheckComplete(): void {
    const { nominated } = this.#connection;
    if (nominated !== undefined) return this.#nominated.resolve(nominated);
    const { checkList } = this.#insides;
    if (checkList.some(({ state }) => state !== PAIR.failed)) return;
    this.#after(ICE_RECHECK_MS, () => {
      for (const pair of checkList) pair.updateState(PAIR.waiting);
      this.#startChecks();
    });
  }

  /** Checks a pair once; whether the peer answered, to an address of ours inside the scope. */
  async #check(pair: LibraryPair, nominate: boolean): Promise<boolean> {
    const { localUsername, remoteUsername, remotePassword, iceControlling } = this.#connection;
    const { localCandidate, protocol, remoteAddr } = pair;
    if (pair.state !== PAIR.succeeded) pair.updateState(PAIR.inProgress);
    const parameters = { nominate, localUsername, remoteUsername, iceControlling };
    const request = this.#insides.buildRequest({ ...parameters, localCandidate });
    const key = Buffer.from(remotePassword, "utf8");
    const once = { retransmissions: 0, responseTimeout: ICE_CHECK_MS };
    try {
      const [response] = await protocol.request(request, remoteAddr, key, once);
      if (!this.#isOurSourceInScope(response)) throw new Error("outside the scope");
      pair.updateState(PAIR.succeeded);
      return true;
    } catch {
      // Once answered, a pair may still bring data: what is under way when the peer moves.
      if (pair.state !== PAIR.succeeded) pair.updateState(PAIR.failed);
      return false;
    }
  }

  /** The system chooses the address that we send from; the peer reports which one it was. */
  #isOurSourceInScope(response: { getAttributeValue(name: "XOR-MAPPED-ADDRESS"): unknown }) {
    const source = response.getAttributeValue("XOR-MAPPED-ADDRESS");
    if (!Array.isArray(source) || typeof source[0] !== "string") return true;
    return judgeAddress(source[0], this.#scope).accepted;
  }

  #select(pair: LibraryPair): void {
    const connection = this.#connection;
    if (connection.nominated !== undefined) connection.nominated.nominated = false;
    pair.nominated = true;
    connection.nominated = pair;
    const [address, port] = pair.remoteAddr;
    logFor("transport").debug("moved to another path to the peer", { address, port });
  }
}

/** A port of UDP and the same number of TCP are two addresses. */
function isSameAddress(a: IceCandidate, b: IceCandidate): boolean {
  return a.host === b.host && a.port === b.port &&
    a.transport.toLowerCase() === b.transport.toLowerCase();
}

function isTcp({ localCandidate }: LibraryPair): boolean {
  return localCandidate.transport.toLowerCase() === "tcp";
}

function nominationPair(pair: LibraryPair): NominationPair {
  const { state, rtt } = pair;
  return {
    transport: isTcp(pair) ? "tcp" : "udp",
    state: state === PAIR.succeeded ? "succeeded" : state === PAIR.failed ? "failed" : "open",
    // The library counts in seconds.
    ...(rtt === undefined ? {} : { roundTrip: 1000 * rtt }),
  };
}

function closedError(): TransportError {
  return new TransportError("SETUP_FAILED", "the connection was closed while it was being made");
}
