/**
 * For tests: a daemon that keeps its state in memory, behind a real API on a real socket.
 *
 * @module
 */
import { describeOwner } from "../client/client.ts";
import { type Log, logFor } from "../../log/log.ts";
import { EventHub, type EventHubOptions } from "../server/event_hub.ts";
import { MetricsRegistry } from "../server/metrics.ts";
import type {
  DaemonOperations,
  LinkParameters,
  ListTransfersParameters,
  SendParameters,
} from "../api/operations.ts";
import { type ApiAddress, LOOPBACK, urlOf } from "../api/address.ts";
import { OperationError } from "../api/problem.ts";
import { peerText } from "../api/peer_text.ts";
import type {
  AcceptRequest,
  AutoAcceptRequest,
  LinkView,
  Pairing,
  PairingDecision,
  PairRequest,
  PeerView,
  ReceivedList,
  ReceivedQuery,
  SessionView,
  ShutdownRequest,
  Status,
  Transfer,
  TransferPage,
  TrustRequest,
} from "../api/schemas.ts";
import type { ApiLimits } from "../server/limits.ts";
import { type ListenAt, LocalApi } from "../server/server.ts";

const NOW = "2026-01-02T03:04:05Z";
/** An identity that the fake daemon knows. */
export const PEER_IDENTITY: string = "ab".repeat(32);
/** The SAS of the fake daemon's pairing request. */
export const SAS = "A1B2C3";
/** The id of an incoming offer of the fake daemon. */
export const OFFER_ID: string = "cd".repeat(16);
/** A device name as a hostile peer would choose it. */
export const HOSTILE_NAME = "phone\u202egnp\u001b[2J\n";

/**
 * Operations over a little state in memory: one peer, one pairing request, one offer.
 * @internal
 */
export class FakeDaemon implements DaemonOperations {
  /** Every call, as `name(JSON of the parameters)`. */
  readonly calls: string[] = [];
  /** What the next operations wait for. */
  hold: Promise<void> = Promise.resolve();
  /** What the next operation throws. */
  failure: unknown;
  #session: SessionView = {
    sessionId: "s1",
    state: "open",
    role: "offerer",
    signal: "file",
    web: false,
    createdAt: NOW,
    identity: PEER_IDENTITY,
    deviceName: peerText(HOSTILE_NAME),
    sas: SAS,
  };
  #peer: PeerView = {
    identity: PEER_IDENTITY,
    trust: "none",
    autoAccept: false,
    proven: false,
    trustedByKey: false,
    connected: true,
  };
  #pairing: Pairing = {
    pairingId: "p1",
    sessionId: "s1",
    state: "pending",
    identity: PEER_IDENTITY,
    deviceName: peerText(HOSTILE_NAME),
    proven: true,
    sas: SAS,
    requestedAt: NOW,
    expiresAt: NOW,
  };
  #link: LinkView = {
    name: "bob at home",
    identity: PEER_IDENTITY,
    state: "connected",
    source: "api",
    role: "offerer",
    rendezvousUrl: "ws://127.0.0.1:3001/",
    room: "home",
    session: "1",
    peerId: "alice",
    remoteCode: "bob",
    networkScope: "lan",
    phaseTimeoutSecs: 30,
    server: "registered",
    peerAtServer: true,
    attempts: 1,
    refusals: 0,
    sessionId: "s1",
  };
  #transfers: Transfer[] = [this.#transfer(OFFER_ID, "incoming", "offered", "offer.bin")];

  async status(): Promise<Status> {
    await this.#note("status");
    return {
      version: "1.2.3",
      state: "running",
      pid: 1,
      startedAt: NOW,
      identity: "01".repeat(32),
      dataDir: "/data",
      inbox: "/inbox",
      pairingPolicy: "ask",
      unprovenPeers: "ask",
      sessions: { open: 1, limit: 8 },
      pendingPairings: 1,
      transfers: { active: 0, waiting: 1, limit: 1 },
    };
  }

  async shutdown(request: ShutdownRequest): Promise<void> {
    await this.#note("shutdown", request);
  }

  async pair(request: PairRequest): Promise<SessionView> {
    await this.#note("pair", request);
    const { role, signal } = request;
    return { sessionId: "s2", state: "signaling", role, signal, web: false, createdAt: NOW };
  }

  async listSessions(): Promise<SessionView[]> {
    await this.#note("listSessions");
    return [this.#session];
  }

  async getSession(sessionId: string): Promise<SessionView> {
    await this.#note("getSession", sessionId);
    if (sessionId === this.#session.sessionId) return this.#session;
    throw new OperationError("SESSION_NOT_FOUND", `There is no session ${sessionId}`);
  }

  async closeSession(sessionId: string): Promise<SessionView> {
    this.#session = { ...await this.getSession(sessionId), state: "closed" };
    return this.#session;
  }

  async listPeers(): Promise<PeerView[]> {
    await this.#note("listPeers");
    return [this.#peer];
  }

  async getPeer(identity: string): Promise<PeerView> {
    await this.#note("getPeer", identity);
    if (identity === PEER_IDENTITY) return this.#peer;
    throw new OperationError("PEER_NOT_FOUND", "That identity is not known");
  }

  async trust(identity: string, request: TrustRequest): Promise<PeerView> {
    await this.#note("trust", { identity, ...request });
    this.#peer = { ...this.#peer, trust: request.decision };
    return { ...this.#peer, identity };
  }

  async untrust(identity: string): Promise<void> {
    this.#peer = { ...await this.getPeer(identity), trust: "none" };
  }

  async setAutoAccept(
    identity: string,
    { enabled, ...acceptRule }: AutoAcceptRequest,
  ): Promise<PeerView> {
    const isRuled = Object.keys(acceptRule).length > 0;
    this.#peer = {
      ...await this.getPeer(identity),
      autoAccept: enabled,
      ...(isRuled ? { acceptRule } : {}),
    };
    return this.#peer;
  }

  async listPairings(): Promise<Pairing[]> {
    await this.#note("listPairings");
    return [this.#pairing];
  }

  async getPairing(pairingId: string): Promise<Pairing> {
    await this.#note("getPairing", pairingId);
    if (pairingId === this.#pairing.pairingId) return this.#pairing;
    throw new OperationError("PAIRING_NOT_FOUND", "That request is not known");
  }

  async decidePairing(pairingId: string, decision: PairingDecision): Promise<Pairing> {
    const pairing = await this.getPairing(pairingId);
    if (decision.sas !== undefined && decision.sas !== pairing.sas) {
      throw new OperationError("SAS_MISMATCH", "That is not the SAS of this request");
    }
    return { ...pairing, state: decision.decision.startsWith("allow") ? "allowed" : "denied" };
  }

  async addLink(request: LinkParameters): Promise<LinkView> {
    await this.#note("addLink", request);
    const { name, identity, transport } = request;
    return { ...this.#link, name, identity, ...(transport === undefined ? {} : { transport }) };
  }

  async listLinks(): Promise<LinkView[]> {
    await this.#note("listLinks");
    return [this.#link];
  }

  async getLink(name: string): Promise<LinkView> {
    await this.#note("getLink", name);
    if (name === this.#link.name) return this.#link;
    throw new OperationError("LINK_NOT_FOUND", "That link is not known");
  }

  async removeLink(name: string): Promise<void> {
    await this.getLink(name);
  }

  async pauseLink(name: string): Promise<LinkView> {
    return { ...await this.getLink(name), state: "paused" };
  }

  async resumeLink(name: string): Promise<LinkView> {
    return { ...await this.getLink(name), state: "trying" };
  }

  async send(parameters: SendParameters): Promise<Transfer[]> {
    await this.#note("send", parameters);
    const queued = parameters.paths.map((path, i) => ({
      ...this.#transfer(i.toString(16).padStart(32, "0"), "outgoing", "queued", "sent.bin"),
      path,
    }));
    this.#transfers = [...queued, ...this.#transfers];
    return queued;
  }

  async listTransfers(parameters: ListTransfersParameters): Promise<TransferPage> {
    await this.#note("listTransfers", parameters);
    const start = Number(parameters.cursor ?? 0);
    const end = start + parameters.limit;
    return {
      transfers: this.#transfers.slice(start, end),
      ...(end < this.#transfers.length ? { nextCursor: String(end) } : {}),
    };
  }

  async getTransfer(transferId: string): Promise<Transfer> {
    await this.#note("getTransfer", transferId);
    const found = this.#transfers.find((transfer) => transfer.transferId === transferId);
    if (found !== undefined) return found;
    throw new OperationError("TRANSFER_NOT_FOUND", "That transfer is not known");
  }

  async listReceived(query: ReceivedQuery): Promise<ReceivedList> {
    await this.#note("listReceived", query);
    return { files: [], gap: false, more: false };
  }

  async acceptTransfer(transferId: string, request: AcceptRequest): Promise<Transfer> {
    await this.#note("acceptTransfer", request);
    return await this.#become(transferId, "active");
  }
  rejectTransfer(transferId: string): Promise<Transfer> {
    return this.#become(transferId, "rejected");
  }
  cancelTransfer(transferId: string): Promise<Transfer> {
    return this.#become(transferId, "cancelled");
  }
  pauseTransfer(transferId: string): Promise<Transfer> {
    return this.#become(transferId, "paused");
  }
  resumeTransfer(transferId: string): Promise<Transfer> {
    return this.#become(transferId, "active");
  }

  async #become(transferId: string, state: Transfer["state"]): Promise<Transfer> {
    return { ...await this.getTransfer(transferId), state };
  }

  #transfer(
    transferId: string,
    direction: Transfer["direction"],
    state: Transfer["state"],
    name: string,
  ): Transfer {
    return {
      transferId,
      direction,
      state,
      identity: PEER_IDENTITY,
      name: peerText(name),
      size: 3,
      transferred: 0,
      priority: 0,
      createdAt: NOW,
      updatedAt: NOW,
    };
  }

  async #note(name: string, parameters?: unknown): Promise<void> {
    this.calls.push(`${name}(${parameters === undefined ? "" : JSON.stringify(parameters)})`);
    await this.hold;
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
  }
}

/**
 * What the API can be served over.
 * @internal
 */
export type Transport = ApiAddress["kind"];

const DEFAULT_TRANSPORT: Transport = Deno.build.os === "windows" ? "tcp" : "unix";

/**
 * Options of {@linkcode ServedFake.start}.
 * @internal
 */
export interface ServeFakeOptions {
  /** @default {"unix", on Windows "tcp"} */
  readonly transport?: Transport;
  readonly limits?: Partial<ApiLimits>;
  readonly events?: EventHubOptions;
  readonly log?: Log;
}

/**
 * Serves a fake daemon.
 * @internal
 */
export type StartFake = (options?: ServeFakeOptions) => Promise<ServedFake>;

/**
 * A test that runs once for each transport: what it starts is served over that one. There are no Unix
 * sockets on Windows.
 * @internal
 */
export function testOverBoth(
  name: string,
  fn: (start: StartFake, transport: Transport) => Promise<void>,
): void {
  for (const transport of ["unix", "tcp"] as const) {
    Deno.test({
      name: `${name} (${transport})`,
      ignore: transport === "unix" && Deno.build.os === "windows",
      fn: () => fn((options) => ServedFake.start({ transport, ...options }), transport),
    });
  }
}

/**
 * Where an API may be served in a folder; over TCP nobody is told.
 * @internal
 */
export function listenIn(folder: string, transport: Transport): ListenAt {
  return transport === "unix"
    ? { kind: "unix", path: `${folder}/bolt.sock`, describeOwner }
    : { kind: "tcp", publish: () => Promise.resolve({ async [Symbol.asyncDispose]() {} }) };
}

/**
 * A fake daemon with its API, in a folder of its own that goes with it.
 * @internal
 */
export class ServedFake implements AsyncDisposable {
  private constructor(
    readonly folder: string,
    readonly daemon: FakeDaemon,
    readonly events: EventHub,
    readonly metrics: MetricsRegistry,
    readonly api: LocalApi,
  ) {}

  /** Serves a fake daemon. */
  static async start(options: ServeFakeOptions = {}): Promise<ServedFake> {
    const folder = await Deno.makeTempDir({ prefix: "bolt-ipc-" });
    const daemon = new FakeDaemon();
    const events = new EventHub(options.events);
    const metrics = new MetricsRegistry();
    const api = await LocalApi.listen({
      at: listenIn(folder, options.transport ?? DEFAULT_TRANSPORT),
      operations: daemon,
      events,
      metrics,
      log: options.log ?? logFor("ipc"),
      version: "1.2.3",
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    return new ServedFake(folder, daemon, events, metrics, api);
  }

  /** Where the API is served. */
  get address(): ApiAddress {
    return this.api.address;
  }

  /** Where the API's socket is. */
  get socketPath(): string {
    if (this.address.kind !== "unix") throw new TypeError("It is not served at a socket");
    return this.address.path;
  }

  /** The headers that each request needs, each with its line's end. */
  get head(): string {
    return this.address.kind === "unix"
      ? "Host: localhost\r\n"
      : `Host: ${new URL(urlOf(this.address)).host}\r\n` +
        `Authorization: Bearer ${this.address.token}\r\n`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/**
 * A raw connection: bytes in, bytes out, nothing in between.
 * @internal
 */
export class RawClient implements Disposable {
  readonly #conn: Deno.Conn;
  readonly #decoder = new TextDecoder();

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Connects. */
  static async connect(address: ApiAddress): Promise<RawClient> {
    const conn = address.kind === "unix"
      ? await Deno.connect({ transport: "unix", path: address.path })
      : await Deno.connect({ hostname: LOOPBACK, port: address.port });
    return new RawClient(conn);
  }

  /** Writes all of `text`. */
  async write(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let sent = 0; sent < bytes.length;) sent += await this.#conn.write(bytes.subarray(sent));
  }

  /** What comes next, or undefined at the end, however abrupt. */
  async read(): Promise<string | undefined> {
    const buffer = new Uint8Array(65_536);
    try {
      const read = await this.#conn.read(buffer);
      return read === null ? undefined : this.#decoder.decode(buffer.subarray(0, read));
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset) return undefined;
      throw error;
    }
  }

  /** All that comes until `text` is in it, or until the end. */
  async readUntil(text: string): Promise<string> {
    let got = "";
    while (!got.includes(text)) {
      const next = await this.read();
      if (next === undefined) break;
      got += next;
    }
    return got;
  }

  /** All that comes until the end. */
  readAll(): Promise<string> {
    return this.readUntil("\0");
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}
