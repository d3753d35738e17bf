/**
 * A daemon that plays what a test has staged: real API, real socket, real events; nothing behind.
 *
 * @module
 */
import { describeOwner } from "../../../src/ipc/client/client.ts";
import { EventHub } from "../../../src/ipc/server/event_hub.ts";
import type { DaemonEvent } from "../../../src/ipc/api/events.ts";
import { MetricsRegistry } from "../../../src/ipc/server/metrics.ts";
import type { SendParameters } from "../../../src/ipc/api/operations.ts";
import { OperationError } from "../../../src/ipc/api/problem.ts";
import { peerText } from "../../../src/ipc/api/peer_text.ts";
import type {
  AutoAcceptRequest,
  LinkView,
  Pairing,
  PairingDecision,
  PairRequest,
  PeerView,
  Received,
  ReceivedList,
  ReceivedQuery,
  SessionView,
  ShutdownRequest,
  Transfer,
  TrustRequest,
} from "../../../src/ipc/api/schemas.ts";
import { LocalApi } from "../../../src/ipc/server/server.ts";
import { FakeDaemon } from "../../../src/ipc/testing/served_fake.ts";
import { logFor } from "../../../src/log/log.ts";
import { TempFolder } from "../../support/temp_folder.ts";

/** The time of everything that happens here. */
export const NOW = "2026-01-02T03:04:05Z";
/** Identities of the three peers. */
export const BOB = "3f2a".padEnd(64, "0");
/** Begins like Bob's. */
export const BEA = "3f2b".padEnd(64, "1");
/** The third. */
export const EVE = "77aa".padEnd(64, "2");

/** The peers that the daemon knows. */
export const PEERS: readonly PeerView[] = [
  {
    identity: BOB,
    trust: "allow_always",
    autoAccept: true,
    proven: true,
    trustedByKey: false,
    connected: true,
    sessionId: "s1",
    peerCode: "bob",
    deviceName: peerText("Bob's laptop"),
  },
  {
    identity: BEA,
    trust: "none",
    autoAccept: false,
    proven: false,
    trustedByKey: false,
    connected: false,
    deviceName: peerText("電話 phone\u202egnp\u001b[2J"),
  },
  {
    identity: EVE,
    trust: "deny_always",
    autoAccept: false,
    proven: false,
    trustedByKey: false,
    connected: false,
    peerCode: "eve",
  },
];

/** A transfer with everything that a test does not care about. */
export function transfer(number: number, parts: Partial<Transfer> = {}): Transfer {
  return {
    transferId: `${number}a${number}b`.padEnd(32, "0"),
    direction: "outgoing",
    state: "queued",
    identity: BOB,
    name: peerText("report.pdf"),
    size: 3_000_000,
    transferred: 0,
    priority: 0,
    createdAt: NOW,
    updatedAt: NOW,
    ...parts,
  };
}

/** The link to Bob. */
export const LINK: LinkView = {
  name: "bob",
  identity: BOB,
  state: "connected",
  source: "api",
  role: "offerer",
  rendezvousUrl: "wss://meet.example/",
  room: "home",
  session: "1",
  peerId: "alice",
  remoteCode: "bob",
  networkScope: "overlay",
  phaseTimeoutSecs: 30,
  server: "registered",
  peerAtServer: true,
  attempts: 3,
  refusals: 0,
  sessionId: "s1",
};

/** A file that has arrived, with everything that a test does not care about. */
export function receivedFile(number: number, parts: Partial<Received> = {}): Received {
  return {
    receivedId: `9f86d081-${number}`,
    transferId: `${number}a${number}b`.padEnd(32, "0"),
    identity: BOB,
    name: peerText("report.pdf"),
    path: `/inbox/report ${number}.pdf`,
    size: 3_000_000,
    fileHash: "cd".repeat(32),
    createdAt: NOW,
    receivedAt: NOW,
    ...parts,
  };
}

/** The pairing request of the session that `pair` opens. */
export const PAIRING: Pairing = {
  pairingId: "p1",
  sessionId: "s2",
  state: "pending",
  identity: BEA,
  deviceName: peerText("phone\u202egnp"),
  proven: true,
  sas: "A1B2C3",
  requestedAt: NOW,
  expiresAt: "2026-01-02T03:04:35Z",
};

/** What may be staged. */
export interface Stage {
  /** The peers. @default {PEERS} */
  readonly peers?: readonly PeerView[];
  /** The sessions, oldest first. @default {none} */
  readonly sessions?: readonly SessionView[];
  /** Parts of the files that arrived, by the position after which they are asked for. */
  readonly received?: { readonly [after: string]: ReceivedList };
  /** The transfers, newest first. */
  readonly transfers?: readonly Transfer[];
  /** Pairing requests that wait. */
  readonly pairings?: readonly Pairing[];
  /** What another program has decided in the same moment. */
  readonly decidedElsewhere?: Pairing["state"];
  /** The links. @default {[LINK]} */
  readonly links?: readonly LinkView[];
  /** What has happened already. */
  readonly before?: readonly DaemonEvent[];
  /** What happens once transfers were listed. */
  readonly onList?: readonly DaemonEvent[];
  /** What happens when it is asked to stop, before it goes. @default {it tells an orderly end} */
  readonly onShutdown?: readonly DaemonEvent[];
  /** What happens once `pair` was asked for. */
  readonly onPair?: readonly DaemonEvent[];
  /** What happens once a pairing request was decided. */
  readonly onDecide?: readonly DaemonEvent[];
  /** What happens once files were queued. */
  readonly onSend?: readonly DaemonEvent[];
  /** The transfers of a request that came before with the same key. */
  readonly sentBefore?: readonly Transfer[];
  /** Why files are not sent. */
  readonly sendRefusal?: Error;
  /** What happens once a file was accepted. */
  readonly onAccept?: readonly DaemonEvent[];
  /** What any operation is refused with. */
  readonly failure?: unknown;
}

/** Plays a stage. */
export class StagedDaemon extends FakeDaemon {
  readonly #stage: Stage;
  readonly #events: EventHub;
  /** Resolves when the API was asked to stop. */
  readonly stopped = Promise.withResolvers<void>();
  /** Resolves when transfers were listed. */
  readonly listed = Promise.withResolvers<void>();

  /** Plays a stage, telling through `events`. */
  constructor(stage: Stage, events: EventHub) {
    super();
    this.#stage = stage;
    this.#events = events;
  }

  override async pair(request: PairRequest): Promise<SessionView> {
    const session = await super.pair(request);
    this.#play(this.#stage.onPair);
    return session;
  }

  override async getSession(sessionId: string): Promise<SessionView> {
    if (sessionId !== "s2") return await super.getSession(sessionId);
    return session();
  }

  override closeSession(sessionId: string): Promise<SessionView> {
    this.calls.push(`closeSession("${sessionId}")`);
    const known = this.#stage.sessions?.find((one) => one.sessionId === sessionId);
    return Promise.resolve({ ...known ?? session(), state: "closed" });
  }

  override listPairings(): Promise<Pairing[]> {
    return Promise.resolve([...this.#stage.pairings ?? []]);
  }

  override async getPairing(pairingId: string): Promise<Pairing> {
    const { pairings = [], decidedElsewhere } = this.#stage;
    const pairing = [PAIRING, ...pairings].findLast((one) => one.pairingId === pairingId);
    if (pairing === undefined) return await super.getPairing(pairingId);
    return { ...pairing, state: decidedElsewhere ?? pairing.state };
  }

  override async decidePairing(pairingId: string, decision: PairingDecision): Promise<Pairing> {
    this.calls.push(`decidePairing(${JSON.stringify(decision)})`);
    const pairing = await this.getPairing(pairingId);
    if (pairing.state !== "pending") {
      throw new OperationError("INVALID_STATE", `the pairing request is ${pairing.state} already`);
    }
    if (decision.sas !== undefined && decision.sas !== pairing.sas) {
      throw new OperationError("SAS_MISMATCH", "That is not the SAS of this request");
    }
    this.#play(this.#stage.onDecide);
    return { ...pairing, state: decision.decision.startsWith("allow") ? "allowed" : "denied" };
  }

  override async listPeers(): Promise<PeerView[]> {
    await super.listPeers(); // throws what is staged
    return [...this.#stage.peers ?? PEERS];
  }

  override async getPeer(identity: string): Promise<PeerView> {
    const peer = PEERS.find((one) => one.identity === identity);
    return peer ?? await super.getPeer(identity);
  }

  override async trust(identity: string, request: TrustRequest): Promise<PeerView> {
    await super.trust(identity, request);
    const known = PEERS.find((one) => one.identity === identity);
    const fresh = { identity, autoAccept: false, proven: false, connected: false };
    const { name } = request;
    const marks = {
      trustedByKey: name !== undefined && request.unproven !== true,
      ...(name === undefined ? {} : { name }),
    };
    return { ...known ?? fresh, ...marks, trust: request.decision };
  }

  override async setAutoAccept(
    identity: string,
    { enabled, ...acceptRule }: AutoAcceptRequest,
  ): Promise<PeerView> {
    const rule = Object.keys(acceptRule).length > 0 ? { acceptRule } : {};
    return { ...await this.getPeer(identity), autoAccept: enabled, ...rule };
  }

  override async listSessions(): Promise<SessionView[]> {
    await super.listSessions(); // throws what is staged
    return [...this.#stage.sessions ?? []];
  }

  override async listLinks(): Promise<LinkView[]> {
    await super.listLinks(); // throws what is staged
    return [...this.#stage.links ?? [LINK]];
  }

  override async getLink(name: string): Promise<LinkView> {
    const found = (await this.listLinks()).find((link) => link.name === name);
    return found ?? await super.getLink(name);
  }

  override async send(parameters: SendParameters): Promise<Transfer[]> {
    const { sentBefore, sendRefusal } = this.#stage;
    await super.send(parameters);
    if (sendRefusal !== undefined) throw sendRefusal;
    if (sentBefore !== undefined && parameters.idempotencyKey !== undefined) return [...sentBefore];
    this.#play(this.#stage.onSend);
    return parameters.paths.map((path, i) =>
      transfer(i + 1, { name: peerText(path.split("/").at(-1) ?? ""), path: `/files/${i}` })
    );
  }

  override listTransfers(
    parameters: Parameters<FakeDaemon["listTransfers"]>[0],
  ): ReturnType<FakeDaemon["listTransfers"]> {
    const { state, direction } = parameters;
    this.#play(this.#stage.onList);
    this.listed.resolve();
    const transfers = (this.#stage.transfers ?? []).filter((one) =>
      (state === undefined || one.state === state) &&
      (direction === undefined || one.direction === direction)
    );
    return Promise.resolve({ transfers });
  }

  override async getTransfer(transferId: string): Promise<Transfer> {
    const found = this.#stage.transfers?.find((one) => one.transferId === transferId);
    return found ?? await super.getTransfer(transferId);
  }

  override async listReceived(query: ReceivedQuery): Promise<ReceivedList> {
    return this.#stage.received?.[query.after ?? ""] ?? await super.listReceived(query);
  }

  override async acceptTransfer(transferId: string): Promise<Transfer> {
    const accepted: Transfer = { ...await this.getTransfer(transferId), state: "active" };
    this.#play(this.#stage.onAccept);
    return accepted;
  }

  override cancelTransfer(transferId: string): Promise<Transfer> {
    this.calls.push(`cancelTransfer("${transferId}")`);
    return Promise.resolve(transfer(1, { transferId, state: "cancelled" }));
  }

  override async shutdown(request: ShutdownRequest): Promise<void> {
    await super.shutdown(request);
    this.#play(this.#stage.onShutdown ?? [STOPPED]);
    this.stopped.resolve();
  }

  #play(events: readonly DaemonEvent[] = []): void {
    for (const event of events) this.#events.publish(event);
  }
}

const STOPPED: DaemonEvent = { type: "daemon-stopped", graceful: true, transfersLeft: [] };

/** The session that `pair` opens. */
export function session(parts: Partial<SessionView> = {}): SessionView {
  return {
    sessionId: "s2",
    state: "open",
    role: "offerer",
    signal: "file",
    web: false,
    createdAt: NOW,
    identity: BEA,
    deviceName: PAIRING.deviceName,
    proven: true,
    ...parts,
  };
}

/** A staged daemon that listens, in a folder that goes with it. */
export class Staged implements AsyncDisposable {
  private constructor(
    readonly folder: TempFolder,
    readonly daemon: StagedDaemon,
    readonly events: EventHub,
    readonly api: LocalApi,
  ) {}

  /** Serves a stage. When it is asked to stop, it closes. */
  static async serve(stage: Stage = {}): Promise<Staged> {
    const folder = await TempFolder.make();
    const events = new EventHub({ epoch: "run1", now: () => new Date(NOW) });
    const daemon = new StagedDaemon(stage, events);
    daemon.failure = stage.failure;
    for (const event of stage.before ?? []) events.publish(event);
    const api = await LocalApi.listen({
      at: { kind: "unix", path: folder.path("bolt.sock"), describeOwner },
      operations: daemon,
      events,
      metrics: new MetricsRegistry(),
      log: logFor("ipc"),
      version: "1.2.3",
    });
    daemon.stopped.promise.then(() => api.close());
    return new Staged(folder, daemon, events, api);
  }

  /** Where it listens. */
  get socket(): string {
    return this.folder.path("bolt.sock");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api.close();
    await this.folder[Symbol.asyncDispose]();
  }
}
