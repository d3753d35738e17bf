/**
 * The operations of the local API, carried out by the daemon's parts.
 *
 * @module
 */
import type {
  DaemonOperations,
  LinkParameters,
  ListTransfersParameters,
  PairParameters,
  SendParameters,
} from "../../ipc/api/operations.ts";
import { OperationError } from "../../ipc/api/problem.ts";
import { peerText } from "../../ipc/api/peer_text.ts";
import type {
  AcceptRequest,
  AutoAcceptRequest,
  LinkView,
  Pairing,
  PairingDecision,
  PeerView,
  ReceivedList,
  ReceivedQuery,
  SessionView,
  ShutdownRequest,
  Status,
  Transfer,
  TransferPage,
  TrustRequest,
} from "../../ipc/api/schemas.ts";
import type { EventHub } from "../../ipc/server/event_hub.ts";
import type { ReceivedFiles } from "../../storage/received_files.ts";
import type { RandomSource } from "../../protocol/crypto/random_source.ts";
import type { RequestStore } from "../../storage/request_store.ts";
import type { TrustStore } from "../../storage/trust_store.ts";
import type { Links } from "./links/links.ts";
import type { Sessions } from "./sessions/sessions.ts";
import type { EarlierTries } from "./transfers/earlier_tries.ts";
import { type ChosenIds, KeyedSends } from "./transfers/keyed_sends.ts";
import type { TransferEntry } from "./transfers/transfer_entry.ts";
import type { TransferRegistry } from "./transfers/transfer_registry.ts";
import type { Receiver, TransferService } from "./transfers/transfer_service.ts";
import { type Gatekeeper, ownIdentityRefused } from "./trust/gatekeeper.ts";
import type { PairingRequests } from "./trust/pairing_requests.ts";

/** The parts that do the work. */
export interface OperationsParts {
  /** Everything but what the API asks of the parts below. */
  readonly status: () => Status;
  /** Begins the shutdown. */
  readonly stop: (force: boolean) => void;
  /** The sessions of this run. */
  readonly sessions: Sessions;
  /** The pinned decisions about peers. */
  readonly trust: TrustStore;
  /** Who was met, and decisions about them. */
  readonly gatekeeper: Gatekeeper;
  /** The pairing requests of this run. */
  readonly pairings: PairingRequests;
  /** All transfers that are remembered, ended ones too. */
  readonly registry: TransferRegistry;
  /** Files that have arrived. */
  readonly received: Pick<ReceivedFiles, "after">;
  /** Requests that are not carried out twice. */
  readonly requests: RequestStore;
  /** Fresh random bytes. */
  readonly random: RandomSource;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** What is done with transfers. */
  readonly transfers: TransferService;
  /** The pairings that are kept. */
  readonly links: Links;
  /** What tries of files that were lost have left. */
  readonly tries: EarlierTries;
  /** Refuses, with POLICY_REFUSED, a signal file where the operator allows none. */
  readonly checkSignalFile: (path: string) => Promise<void>;
  /** Told of changed pins. */
  readonly events: EventHub;
}

/** The operations over the parts of a daemon. */
export function daemonOperations(parts: OperationsParts): DaemonOperations {
  return new Operations(parts);
}

class Operations implements DaemonOperations {
  readonly #parts: OperationsParts;
  readonly #keyedSends: KeyedSends;

  constructor(parts: OperationsParts) {
    const { requests, registry, random, now } = parts;
    this.#parts = parts;
    this.#keyedSends = new KeyedSends({
      store: requests,
      sent: (transferId) => registry.sent(transferId),
      send: (parameters, ids) => this.#send(parameters, ids),
      random,
      now,
    });
  }

  status(): Promise<Status> {
    return Promise.resolve(this.#parts.status());
  }

  shutdown({ force = false }: ShutdownRequest): Promise<void> {
    this.#parts.stop(force);
    return Promise.resolve();
  }

  async pair(request: PairParameters): Promise<SessionView> {
    const { sessions, links, checkSignalFile } = this.#parts;
    if (request.signal === "file") {
      for (const path of [request.offer, request.answer]) await checkSignalFile(path);
    }
    return request.signal === "rendezvous" && request.keep === true
      ? await links.pairAndKeep(request)
      : sessions.pair(request);
  }

  addLink(request: LinkParameters): Promise<LinkView> {
    return this.#parts.links.add(request);
  }

  listLinks(): Promise<LinkView[]> {
    return Promise.try(() => this.#parts.links.list());
  }

  getLink(name: string): Promise<LinkView> {
    return Promise.try(() => this.#parts.links.get(name));
  }

  removeLink(name: string): Promise<void> {
    return this.#parts.links.remove(name);
  }

  pauseLink(name: string): Promise<LinkView> {
    return this.#parts.links.setPaused(name, true);
  }

  resumeLink(name: string): Promise<LinkView> {
    return this.#parts.links.setPaused(name, false);
  }

  listSessions(): Promise<SessionView[]> {
    return Promise.try(() => this.#parts.sessions.list());
  }

  getSession(sessionId: string): Promise<SessionView> {
    return Promise.try(() => this.#parts.sessions.get(sessionId));
  }

  closeSession(sessionId: string): Promise<SessionView> {
    return Promise.try(() => this.#parts.sessions.close(sessionId));
  }

  listPeers(): Promise<PeerView[]> {
    const { trust, gatekeeper, links } = this.#parts;
    const pinned = trust.list().map(({ identity }) => identity);
    const known = new Set([...pinned, ...gatekeeper.met.keys(), ...links.identities]);
    return Promise.try(() => [...known].map((identity) => this.#peer(identity)));
  }

  getPeer(identity: string): Promise<PeerView> {
    return Promise.try(() => {
      const { trust, gatekeeper, links } = this.#parts;
      const isKnown = gatekeeper.met.has(identity) || trust.decisionFor(identity) !== undefined ||
        links.linkTo(identity) !== undefined;
      if (!isKnown) throw peerNotFound();
      return this.#peer(identity);
    });
  }

  async trust(identity: string, request: TrustRequest): Promise<PeerView> {
    const { decision, replaces, sas, name, unproven } = request;
    const { status, trust, gatekeeper, sessions, tries } = this.#parts;
    if (identity === status().identity) throw ownIdentityRefused();
    if (decision === "deny_always") {
      await trust.deny(identity, gatekeeper.met.get(identity)?.proven ? "proven" : undefined);
      sessions.closeAllOf(identity, "the identity was denied");
      await tries.dropAllOf(identity);
    } else if (replaces !== undefined && sas !== undefined) {
      await gatekeeper.replace(identity, replaces, sas);
      sessions.closeUnprovenOf(identity, "the identity must prove itself from now on");
      await this.#untrusted(replaces);
    } else if (name !== undefined && unproven !== true) {
      await gatekeeper.trustByKey(identity, name, replaces);
      sessions.closeUnprovenOf(identity, "the identity must prove itself from now on");
      if (replaces !== undefined) await this.#untrusted(replaces);
    } else await gatekeeper.allow(identity, request);
    return this.#changed(identity);
  }

  async untrust(identity: string): Promise<void> {
    if (!await this.#parts.trust.forget(identity)) throw peerNotFound();
    await this.#untrusted(identity);
  }

  async setAutoAccept(
    identity: string,
    { enabled, ...rule }: AutoAcceptRequest,
  ): Promise<PeerView> {
    const { trust, transfers } = this.#parts;
    if (!await trust.setAutoAccept(identity, enabled ? rule : undefined)) {
      throw new OperationError(
        "PEER_NOT_FOUND",
        "only a peer that is pinned as allow_always can be set to auto-accept",
      );
    }
    const peer = this.#changed(identity);
    transfers.acceptWaiting(identity);
    return peer;
  }

  listPairings(): Promise<Pairing[]> {
    return Promise.try(() => this.#parts.pairings.pending());
  }

  getPairing(pairingId: string): Promise<Pairing> {
    return Promise.try(() => this.#parts.pairings.get(pairingId));
  }

  async decidePairing(pairingId: string, decision: PairingDecision): Promise<Pairing> {
    const { pairings, sessions, links, tries } = this.#parts;
    const pairing = await pairings.decide(pairingId, decision);
    if (decision.decision === "deny_always") {
      // The session that asks is refused by itself.
      sessions.closeAllOf(pairing.identity, "the identity was denied", pairing.sessionId);
      await tries.dropAllOf(pairing.identity);
    }
    links.trustChanged(pairing.identity);
    return pairing;
  }

  async send(parameters: SendParameters): Promise<Transfer[]> {
    const { idempotencyKey: key, ...request } = parameters;
    const entries =
      await (key === undefined ? this.#send(request) : this.#keyedSends.send(request, key));
    return entries.map((entry) => entry.view());
  }

  async #send(parameters: SendParameters, ids?: ChosenIds): Promise<TransferEntry[]> {
    const receiver = await this.#receiverOf(parameters);
    return await this.#parts.transfers.send(parameters, receiver, ids);
  }

  listTransfers(parameters: ListTransfersParameters): Promise<TransferPage> {
    return Promise.try(() => this.#parts.registry.page(parameters));
  }

  getTransfer(transferId: string): Promise<Transfer> {
    return Promise.try(() => this.#parts.registry.get(transferId).view());
  }

  acceptTransfer(transferId: string, how: AcceptRequest): Promise<Transfer> {
    return this.#steer(transferId, (entry) => this.#parts.transfers.accept(entry, how));
  }

  rejectTransfer(transferId: string): Promise<Transfer> {
    return this.#steer(transferId, (entry) => this.#parts.transfers.reject(entry));
  }

  cancelTransfer(transferId: string): Promise<Transfer> {
    return this.#steer(transferId, (entry) => this.#parts.transfers.cancel(entry));
  }

  pauseTransfer(transferId: string): Promise<Transfer> {
    return this.#steer(transferId, (entry) => this.#parts.transfers.setPaused(entry, true));
  }

  resumeTransfer(transferId: string): Promise<Transfer> {
    return this.#steer(transferId, (entry) => this.#parts.transfers.setPaused(entry, false));
  }

  async listReceived({ after }: ReceivedQuery): Promise<ReceivedList> {
    const { files, gap, before, more } = await this.#parts.received.after(after);
    return {
      files: files.map((file) => ({
        receivedId: file.id,
        transferId: file.transferId,
        identity: file.peer,
        name: peerText(file.displayName),
        // As it is: an application is to open it. JSON spells out what must not be shown raw.
        path: file.path,
        size: file.size,
        fileHash: file.hash,
        createdAt: new Date(file.offeredAt).toISOString(),
        receivedAt: new Date(file.arrivedAt).toISOString(),
      })),
      gap,
      ...(before === undefined ? {} : { before }),
      more,
    };
  }

  /** Does something to a transfer; gives it as it is then. */
  async #steer(
    transferId: string,
    act: (entry: TransferEntry) => Promise<void> | void,
  ): Promise<Transfer> {
    const entry = this.#parts.registry.get(transferId);
    await act(entry);
    return entry.view();
  }

  async #receiverOf(parameters: SendParameters): Promise<Receiver> {
    const { sessions, links } = this.#parts;
    if ("sessionId" in parameters) {
      const found = sessions.transfersOf(parameters.sessionId);
      if (found !== undefined) return { identity: found.identity, session: found };
      const { state } = sessions.get(parameters.sessionId);
      throw new OperationError("PEER_NOT_CONNECTED", `the session is ${state}, not open`);
    }
    const { identity } = parameters;
    await links.started;
    const found = sessions.transfersWith(identity);
    if (found !== undefined) return { identity, session: found };
    if (links.isLinked(identity)) return { identity, session: undefined };
    if (sessions.hasUnprovenWith(identity)) {
      throw new OperationError(
        "PEER_NOT_CONNECTED",
        "a session only claims that identity, which proves itself: to send over it all the same, " +
          "name the session",
      );
    }
    throw new OperationError(
      "PEER_NOT_CONNECTED",
      "no session with that peer is open: pair first, or link it, and files wait for it",
    );
  }

  async #untrusted(identity: string): Promise<void> {
    const { gatekeeper, sessions, tries } = this.#parts;
    gatekeeper.forgetProof(identity);
    sessions.closeAllOf(identity, "the identity is not trusted any more");
    await tries.dropAllOf(identity);
    this.#changed(identity);
  }

  #changed(identity: string): PeerView {
    this.#parts.links.trustChanged(identity);
    const peer = this.#peer(identity);
    this.#parts.events.publish({ type: "peer-changed", peer });
    return peer;
  }

  #peer(identity: string): PeerView {
    const { trust, gatekeeper, sessions, links } = this.#parts;
    const pinned = trust.find(identity);
    const link = links.linkTo(identity);
    const rule = pinned?.autoAccept;
    const met = gatekeeper.met.get(identity);
    const session = sessions.transfersWith(identity);
    const claimed = met?.peerCode;
    const isOthers = claimed !== undefined &&
      trust.checkCode(claimed, identity).verdict === "mismatch";
    const peerCode = (isOthers ? undefined : claimed) ?? pinned?.codes.at(-1);
    const deviceName = met?.deviceName || pinned?.deviceName;
    const lastSeenAt = session === undefined ? gatekeeper.lastSeenAt(identity) : undefined;
    return {
      identity,
      trust: pinned?.decision ?? "none",
      autoAccept: rule !== undefined,
      ...(rule === undefined || Object.keys(rule).length === 0 ? {} : { acceptRule: rule }),
      proven: pinned?.proven ?? false,
      trustedByKey: pinned?.byKey ?? false,
      ...(pinned?.name === undefined ? {} : { name: pinned.name }),
      connected: session !== undefined,
      ...(session === undefined ? {} : { sessionId: session.sessionId }),
      ...(lastSeenAt === undefined
        ? {}
        : { lastSeenAt: new Date(Math.min(lastSeenAt, LATEST_DATE)).toISOString() }),
      ...(link === undefined ? {} : { link: summaryOf(link) }),
      ...(peerCode === undefined ? {} : { peerCode }),
      ...(deviceName ? { deviceName: peerText(deviceName) } : {}),
    };
  }
}

/** The latest time of ECMAScript, in milliseconds since 1970: a file may hold a later one. */
const LATEST_DATE = 8.64e15;

/** What of a link is shown with its peer. */
function summaryOf(
  { name, state, nextTryAt, failure }: LinkView,
): NonNullable<PeerView["link"]> {
  return {
    name,
    state,
    ...(nextTryAt === undefined ? {} : { nextTryAt }),
    ...(failure === undefined ? {} : { failure }),
  };
}

function peerNotFound(): OperationError {
  return new OperationError(
    "PEER_NOT_FOUND",
    "that identity is not pinned, and has not connected in this run",
  );
}
