/**
 * What may come in: every datagram passes here before the library sees it.
 *
 * The library's ICE agent obeys unauthenticated STUN requests (pairs, role flips) and pairs with
 * peer-reflexive addresses that no filter saw; its DTLS takes datagrams from any source. So here:
 *
 * - STUN requests need a source inside the scope, our user name, and a message integrity code made
 *   with our password; a copy of one that came from another address is dropped, and so is a
 *   nomination by a side that does not say that it controls. Responses need a source inside the
 *   scope; the library checks their code and that they answer a request. Indications are not used.
 * - The answers of a peer that nominates may have another code, by a fault of Chromium's: one to a
 *   check of a pair that it has just nominated counts all the same, unless one by that pair was in
 *   order. So nobody on the way keeps a dead session open with recorded nominations, which are new
 *   again when they are too old to be remembered, and answers of his own.
 * - DTLS needs a source that is the peer's, as a check shows: one of ours that was answered, or one
 *   of the peer's. The peer may send by any pair that it has checked (RFC 8445, section 12.1), also
 *   where checks of ours were lost, or ended because another pair was nominated.
 * - Anything else is dropped.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { StunProtocol } from "werift";
import { judgeAddress, type NetworkScope } from "../../../protocol/network_scope/scope.ts";
import {
  CONNECTION_SHAPE,
  type ConnectionInsides,
  insidesOf,
  type LibraryAddress,
  type LibraryConnection,
  type LibraryPair,
  PROTOCOL_SHAPE,
  type ProtocolInsides,
} from "../library.ts";
import { MAX_PAIRS } from "./pairing.ts";
import { RequestMemory } from "./request_memory.ts";
import { isAuthentic, readStun, type StunMessage, transactionOf } from "./stun.ts";

/** Most checks that are remembered before the peer's description is known. */
const MAX_EARLY_CHECKS = 32;
const MAX_REMEMBERED_REQUESTS = 64;
/** `CandidatePairState` of the library. */
const SUCCEEDED = 3;
const FAILED = 4;
const BINDING = 1;

/** What the library waits for, by transaction. */
interface Transactions {
  readonly transactions: Record<string, { integrityKey: Uint8Array | undefined } | undefined>;
}
const TRANSACTIONS_SHAPE = { transactions: "object" } as const;

/** What datagrams come in by. */
export interface DatagramSource {
  /** Set by the gate. The array is a view that is valid until it returns. */
  onDatagram: (data: Uint8Array, from: LibraryAddress) => void;
}

/** Options of a {@linkcode DatagramGate}. */
export interface DatagramGateOptions {
  /** What a source must be inside of. */
  readonly scope: NetworkScope;
  /** Takes what is no STUN message and comes from the peer; a view. */
  readonly onDatagram: (datagram: Uint8Array) => void;
  /** Whether the controlling peer has nominated a pair, by an authentic request, just now. */
  readonly isNominated: (pair: LibraryPair) => boolean;
}

/** Stands before the sockets of one connection. */
export class DatagramGate {
  /** Pairs by which a check of ours was answered with the right code: no other counts there. */
  readonly #answeredInOrder = new WeakSet<LibraryPair>();
  readonly #connection: LibraryConnection;
  readonly #insides: ConnectionInsides;
  readonly #options: DatagramGateOptions;
  readonly #requests = new RequestMemory();
  /** Where checks of the peer's came from, and to; the longest silent first. */
  readonly #checkedBy = new Set<string>();

  /** For the sockets of one connection. */
  constructor(connection: LibraryConnection, options: DatagramGateOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#insides = insidesOf<ConnectionInsides>(connection, CONNECTION_SHAPE);
  }

  /** Whether a pair may carry data: both its ends are inside the scope. */
  isPairAllowed(pair: LibraryPair): boolean {
    return this.isInScope(pair.remoteAddr[0]) && this.isInScope(pair.localCandidate.host);
  }

  /** Whether a literal may be spoken to. */
  isInScope(host: string): boolean {
    // An IPv6 socket must not be a second way in for IPv4.
    return !/^::ffff:/i.test(host) && judgeAddress(host, this.#options.scope).accepted;
  }

  /**
   * Whether a datagram shows that the peer sent it by this way: a request with the right user name
   * and integrity code that was not seen before.
   *
   * @param to Our end.
   */
  provesPeer(data: Uint8Array, from: LibraryAddress, to: LibraryAddress): boolean {
    const message = readStun(data);
    return message?.method === BINDING && message.messageClass === "request" &&
      this.isInScope(from[0]) && this.#isPeers(message) &&
      this.#requests.note(transactionOf(message), sourceOf(from, to)) === "new";
  }

  /** Stands before a socket from now on. */
  guard(protocol: StunProtocol, socket: DatagramSource): void {
    const toAgent = insidesOf<ProtocolInsides>(protocol, PROTOCOL_SHAPE).datagramReceived
      .bind(protocol);
    socket.onDatagram = (data, from) => {
      // Which protocol a datagram is: RFC 7983, section 7.
      const first = data[0] ?? 255;
      if (first <= 3) {
        // A copy: the agent keeps what it was given.
        if (this.#admitsStun(protocol, data, from)) toAgent(Buffer.from(data), from);
      } else if (first >= 20 && first <= 63 && this.#isFromPeer(protocol, from)) {
        this.#options.onDatagram(data);
      }
    };
  }

  #admitsStun(protocol: StunProtocol, data: Uint8Array, from: LibraryAddress): boolean {
    const message = readStun(data);
    if (message?.method !== BINDING || !this.isInScope(from[0])) return false;
    if (message.messageClass === "success") return this.#admitsAnswer(protocol, message, from);
    if (message.messageClass === "error") return true;
    if (message.messageClass === "indication" || !this.#isPeers(message)) return false;
    if (message.isNomination && !message.isControlling) return false;
    const source = sourceOf(from, endOf(protocol));
    if (this.#requests.note(transactionOf(message), source) === "elsewhere") return false;
    const pair = this.#pairOf(protocol, from);
    if (pair !== undefined) forgetRequests(pair);
    else if (!this.#hasSpace()) return false;
    this.#noteSource(source);
    return true;
  }

  /**
   * Chromium makes some answers with a key that it told nobody, in connections that took their
   * sockets from its pool: it nominates, and data comes, but no check of ours is ever answered in
   * order. Its nomination is authentic, and whoever answers has our random transaction at the
   * address that we sent it to: more than a lite agent asks for (RFC 8445, section 7.3).
   */
  #admitsAnswer(protocol: StunProtocol, message: StunMessage, from: LibraryAddress): boolean {
    const pair = this.#pairOf(protocol, from);
    if (isAuthentic(message, this.#connection.remotePassword)) {
      if (pair !== undefined) this.#answeredInOrder.add(pair);
      return true;
    }
    if (pair === undefined || this.#answeredInOrder.has(pair)) return false;
    if (!this.#options.isNominated(pair)) return false;
    const { transactions } = insidesOf<Transactions>(protocol, TRANSACTIONS_SHAPE);
    const transaction = transactions[transactionOf(message)];
    if (transaction !== undefined) transaction.integrityKey = undefined;
    return transaction !== undefined;
  }

  #pairOf(protocol: StunProtocol, from: LibraryAddress): LibraryPair | undefined {
    return this.#connection.checkList.find((known) => isPairOf(known, protocol, from));
  }

  #noteSource(source: string): void {
    this.#checkedBy.delete(source);
    this.#checkedBy.add(source);
    const [oldest] = this.#checkedBy;
    if (oldest !== undefined && this.#checkedBy.size > MAX_PAIRS) this.#checkedBy.delete(oldest);
  }

  /** Whether the agent may make one more pair. */
  #hasSpace(): boolean {
    this.#makeSpace();
    return this.#connection.checkList.length < MAX_PAIRS &&
      this.#insides.earlyChecks.length < MAX_EARLY_CHECKS;
  }

  /** Whether a request has the user name and the integrity code that only the peer can make. */
  #isPeers(message: StunMessage): boolean {
    const { localUsername, localPassword, remoteUsername } = this.#connection;
    const [to, by, ...rest] = message.username?.split(":") ?? [];
    if (to !== localUsername || by === undefined || rest.length > 0) return false;
    if (remoteUsername !== "" && by !== remoteUsername) return false;
    return isAuthentic(message, localPassword);
  }

  /** A peer that changes its address again and again leaves pairs behind. */
  #makeSpace(): void {
    const { checkList, remoteCandidates, nominated } = this.#connection;
    if (checkList.length < MAX_PAIRS) return;
    const isLeft = (pair: LibraryPair) =>
      pair.remoteCandidate.type === "prflx" && pair.state === FAILED && pair !== nominated;
    const pair = checkList.find(isLeft);
    if (pair === undefined) return;
    checkList.splice(checkList.indexOf(pair), 1);
    remoteCandidates.splice(remoteCandidates.indexOf(pair.remoteCandidate), 1);
  }

  #isFromPeer(protocol: StunProtocol, from: LibraryAddress): boolean {
    const { nominated, checkList } = this.#connection;
    if (nominated !== undefined && isPairOf(nominated, protocol, from)) return true;
    return this.#checkedBy.has(sourceOf(from, endOf(protocol))) ||
      checkList.some((pair) => pair.state === SUCCEEDED && isPairOf(pair, protocol, from));
  }
}

/** Our end of what comes in by a socket. */
function endOf({ localCandidate }: StunProtocol): LibraryAddress {
  const { host = "", port = 0 } = localCandidate ?? {};
  return [host, port];
}

/** The library remembers the id of every request of a pair, for its statistics, for ever. */
function forgetRequests(pair: LibraryPair): void {
  const { requestTransactionIds } = insidesOf<{ requestTransactionIds: Set<string> }>(pair, {
    requestTransactionIds: "object",
  });
  if (requestTransactionIds.size >= MAX_REMEMBERED_REQUESTS) requestTransactionIds.clear();
}

/** What a request came by, as text; a copy comes by another way. */
function sourceOf(from: LibraryAddress, to: LibraryAddress): string {
  return `${to[0]} ${to[1]} ${from[0]} ${from[1]}`;
}

function isPairOf(pair: LibraryPair, protocol: StunProtocol, from: LibraryAddress): boolean {
  const [host, port] = pair.remoteAddr;
  return pair.protocol === protocol && port === from[1] && host === from[0];
}
