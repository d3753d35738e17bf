/**
 * The daemon: storage, sessions, transfers and the local API put together, from start to shutdown.
 *
 * @module
 */
import { resolve } from "node:path";
import { abortable, Deadline } from "../../base/deadline.ts";
import { InterruptedError } from "../../base/errors.ts";
import { EventHub } from "../../ipc/server/event_hub.ts";
import { encodeApiFile } from "../../ipc/api/address.ts";
import { MetricsRegistry } from "../../ipc/server/metrics.ts";
import type { Status } from "../../ipc/api/schemas.ts";
import { type ListenAt, LocalApi } from "../../ipc/server/server.ts";
import { logFor } from "../../log/log.ts";
import { messageOf } from "../../base/errors.ts";
import { RateLimit } from "../../base/rate_limit.ts";
import { SYSTEM_CLOCK } from "../../base/timer.ts";
import { Registrations } from "../../signaling/rendezvous/registrations.ts";
import type { Link } from "../../storage/link_file.ts";
import { readLinkFile } from "../../storage/link_store.ts";
import { Links } from "./links/links.ts";
import type { RandomSource } from "../../protocol/crypto/random_source.ts";
import { generatePeerCode } from "../../protocol/signal/peer_code.ts";
import { OwnData } from "../../storage/own_data.ts";
import { keptBoundsFor } from "../../storage/kept_parts.ts";
import { openStorage, type Storage } from "../../storage/storage.ts";
import type { Connector } from "../../transport/connector.ts";
import { checkMemory } from "./memory_bound.ts";
import { registerMetrics } from "./metrics.ts";
import { daemonOperations } from "./operations.ts";
import type { ExtensionName } from "../../protocol/extensions.ts";
import { extensionsIn } from "../../vocabulary/extensions.ts";
import type { ServeOptions } from "./options.ts";
import { allowedSources, signalFileCheck, warnOfReach } from "./reach.ts";
import { Sessions } from "./sessions/sessions.ts";
import { Tally } from "./tally.ts";
import { AcceptRules } from "./transfers/accept_rules.ts";
import { HELD_FILES, HeldFiles } from "./transfers/held_files.ts";
import { EarlierTries } from "./transfers/earlier_tries.ts";
import { PeerQueue } from "./transfers/peer_queue.ts";
import { Scheduler } from "./transfers/scheduler.ts";
import { Slots } from "./transfers/slots.ts";
import { MAX_ENTRIES, TransferRegistry } from "./transfers/transfer_registry.ts";
import { TransferService } from "./transfers/transfer_service.ts";
import type { TransferEntry } from "./transfers/transfer_entry.ts";
import { Gatekeeper } from "./trust/gatekeeper.ts";
import { PairingRequests } from "./trust/pairing_requests.ts";

const log = logFor("bolt-daemon");
const rendezvousLog = logFor("rendezvous");
/** Whole milliseconds since 1970, on a clock that does not jump in a run. */
const steadyNow = () => Math.floor(performance.timeOrigin + performance.now());
const random: RandomSource = (length) => crypto.getRandomValues(new Uint8Array(length));

/**
 * Transfers of a session that are under way at most, one each way: what is queued may fill the
 * journal, and they have room beside it, as have files that wait whole.
 */
const TRANSFERS_PER_SESSION = 2;

/** What the entry gives the daemon. */
export interface DaemonParts {
  /** The daemon's version. */
  readonly version: string;
  /** Loads what makes connections. */
  readonly loadConnector: () => Promise<Connector>;
  /** Bytes after which what was received is made durable. @default {SYNC_BYTES} */
  readonly syncBytes?: number;
}

/** What steers a running daemon. */
export interface DaemonSteering {
  /** Stops it: once in order, the second time at once. */
  readonly stop: () => void;
  /** Has it read the file of `--links` again. */
  readonly reload: () => void;
}

/** How the daemon ended. */
export type DaemonEnd =
  /** Every transfer had ended, or was cancelled and its peer has confirmed that. */
  | { readonly kind: "graceful" }
  /** By a second request, or with transfers left: what the operator is to know. */
  | { readonly kind: "forced"; readonly message: string };

/** How fast files are sent and received, all of each together. */
function rateLimits(
  { rateLimit }: ServeOptions,
): { readonly sendLimit?: RateLimit; readonly receiveLimit?: RateLimit } {
  if (rateLimit === undefined) return {};
  const options = {
    bytesPerSecond: rateLimit,
    steady: () => performance.now(),
    after: SYSTEM_CLOCK.after,
  };
  return { sendLimit: new RateLimit(options), receiveLimit: new RateLimit(options) };
}

/** A running daemon. */
export class Daemon {
  readonly #options: ServeOptions;
  readonly #extensions: ReadonlySet<ExtensionName>;
  readonly #parts: DaemonParts;
  readonly #storage: Storage;
  readonly #events = new EventHub();
  readonly #metrics = new MetricsRegistry();
  readonly #scheduler: Scheduler;
  readonly #slots: Slots;
  readonly #registry: TransferRegistry;
  readonly #tries: EarlierTries;
  readonly #queue: PeerQueue;
  readonly #transfers: TransferService;
  readonly #pairings: PairingRequests;
  readonly #gatekeeper: Gatekeeper;
  readonly #sessions: Sessions;
  readonly #registrations: Registrations;
  readonly #links: Links;
  readonly #startedAt = new Date();
  readonly #stopping = Promise.withResolvers<"signal" | "api">();
  readonly #forced = new AbortController();
  #isStopping = false;
  #isReloading = false;
  #isReloadWanted = false;

  private constructor(options: ServeOptions, parts: DaemonParts, storage: Storage) {
    this.#options = options;
    this.#extensions = extensionsIn(options.extensions);
    this.#parts = parts;
    this.#storage = storage;
    const { journal, inbox, trust, received, fs } = storage;
    const events = this.#events;
    const now = Date.now;
    const tally = new Tally(this.#metrics);
    this.#scheduler = new Scheduler({ log });
    this.#slots = new Slots({ limit: options.maxTransfers });
    this.#registry = new TransferRegistry({
      journal,
      received,
      events,
      tally,
      log,
      now,
      dropPart: (transferId) => inbox.removePart(transferId),
      pathOf: (savedAs) => inbox.pathOf(savedAs),
      confirmedBy: (sessionId) => this.#sessions.confirmedBy(sessionId),
    });
    this.#registry.logRecovered(storage.recovered);
    this.#tries = new EarlierTries({
      registry: this.#registry,
      received,
      inbox,
      onAbort: options.onInterrupt,
      isPinned: (identity) => trust.decisionFor(identity) === "allow_always",
      log,
      now,
      steady: () => performance.now(),
      bounds: keptBoundsFor(options.maxFileBytes),
    });
    this.#queue = new PeerQueue({
      isLinked: (identity) => this.#links.isLinked(identity),
      now,
      steady: () => performance.now(),
      after: SYSTEM_CLOCK.after,
      onExpired: () => this.#transfers.reviewQueue(),
    });
    this.#transfers = new TransferService({
      queue: this.#queue,
      tries: this.#tries,
      ...(parts.syncBytes === undefined ? {} : { syncBytes: parts.syncBytes }),
      tally,
      registry: this.#registry,
      scheduler: this.#scheduler,
      slots: this.#slots,
      hashSlots: new Slots({ limit: options.maxTransfers }),
      maxFileBytes: options.maxFileBytes,
      ...rateLimits(options),
      fs: allowedSources(fs, options),
      own: new OwnData(fs, { dataFolder: storage.folder.path, inbox: inbox.path }),
      held: new HeldFiles(),
      inbox,
      collision: options.onCollision,
      sessionWith: (identity) => this.#sessions.transfersWith(identity),
      sessionOf: (sessionId) => this.#sessions.transfersOf(sessionId),
      rules: new AcceptRules({ trust, inbox, now }),
      random,
      now,
      log,
    });
    this.#pairings = new PairingRequests({ events, now });
    this.#gatekeeper = new Gatekeeper({
      trust,
      pairings: this.#pairings,
      pairingPolicy: options.pairingPolicy,
      unprovenPeers: options.unprovenPeers,
      events,
      log,
      now,
    });
    this.#registrations = new Registrations({
      deviceName: options.deviceName,
      log: rendezvousLog,
    });
    this.#sessions = new Sessions({
      registrations: this.#registrations,
      observer: {
        opened: (session) => this.#links.opened(session),
        ended: (session, refused) => this.#links.ended(session, refused),
      },
      identity: storage.identity,
      selfCode: generatePeerCode(random),
      extensions: this.#extensions,
      maxFileBytes: options.maxFileBytes,
      deviceName: options.deviceName,
      maxPeers: options.maxPeers,
      transport: options.transport,
      confirmMs: options.shutdownTimeoutSecs * 1000,
      loadConnector: parts.loadConnector,
      gatekeeper: this.#gatekeeper,
      events,
      tally,
      log,
      random,
      now,
      transfers: this.#transfers,
    });
    this.#links = new Links({
      identity: storage.identity.publicKey.hex,
      store: storage.links,
      trust,
      sessions: this.#sessions,
      registrations: this.#registrations,
      events,
      tally,
      log: logFor("links"),
      clock: SYSTEM_CLOCK,
      steady: () => performance.now(),
      random: Math.random,
      addresses: () => Deno.networkInterfaces().map(({ address }) => address),
      onLinked: () => this.#transfers.reviewQueue(),
    });
    registerMetrics(this.#metrics, {
      startedAt: this.#startedAt,
      sessions: () => this.#sessions.open,
      transfers: () => this.#slots.held,
      pairings: () => this.#pairings.pending().length,
      links: (state) => this.#links.count(state),
      queue: () => this.#registry.queue(),
      keptBytes: () => this.#tries.keptBytes,
      unwritten: () => this.#registry.waiting,
    });
  }

  /**
   * Runs a daemon until it is to stop.
   *
   * @param options What the operator chose.
   * @param parts What the entry gives.
   * @param onReady Told when the API is served, with what steers the daemon.
   * @returns How it ended.
   * @throws {UsageError | StorageError | IpcError} When it can't start: what is wrong and what to do.
   */
  static async run(
    options: ServeOptions,
    parts: DaemonParts,
    onReady: (steering: DaemonSteering) => void,
  ): Promise<DaemonEnd> {
    checkMemory(options);
    using storage = await openStorage({
      dataDir: resolve(options.dataDir),
      ...(options.inbox === undefined ? {} : { inbox: resolve(options.inbox) }),
      onAbort: options.onInterrupt,
      maxTransfers: MAX_ENTRIES + TRANSFERS_PER_SESSION * options.maxPeers + HELD_FILES.ofAll.files,
      log,
    });
    using _identity = storage.identity;
    return await new Daemon(options, parts, storage).#run(onReady);
  }

  async #run(onReady: (steering: DaemonSteering) => void): Promise<DaemonEnd> {
    await using _registrations = this.#registrations;
    const fromFile = await this.#readLinks();
    this.#transfers.restore();
    const at = this.#listenAt();
    await using api = await LocalApi.listen({
      at,
      operations: daemonOperations({
        status: () => this.#status(),
        stop: (force) => this.#stop("api", force),
        sessions: this.#sessions,
        trust: this.#storage.trust,
        gatekeeper: this.#gatekeeper,
        pairings: this.#pairings,
        registry: this.#registry,
        requests: this.#storage.requests,
        random,
        now: steadyNow,
        transfers: this.#transfers,
        links: this.#links,
        tries: this.#tries,
        received: this.#storage.received,
        checkSignalFile: signalFileCheck(this.#storage.fs, this.#options),
        events: this.#events,
      }),
      events: this.#events,
      metrics: this.#metrics,
      log,
      version: this.#parts.version,
    });
    using _registry = this.#registry;
    using _tries = this.#tries;
    using _queue = this.#queue;
    await this.#tries.prune();
    this.#warnOfRestingAutoAccept();
    if (this.#options.unprovenPeers === "allow") {
      log.warn(
        "peers that prove nothing are let in by the pairing policy alone (--unproven-peers allow): " +
          "whoever relays the signals can be any peer that has never proven itself",
      );
    }
    this.#warnOfMissingProof();
    await warnOfReach(this.#options, log);
    await this.#links.start(fromFile);
    log.info("serving", {
      data_dir: this.#storage.folder.path,
      ...(at.kind === "unix" ? { socket: at.path } : { api: this.#storage.api.path }),
    });
    onReady({
      stop: () => this.#stop("signal", false),
      reload: () => void this.#reload(),
    });
    const reason = await this.#stopping.promise;
    return await this.#shutDown(reason, api);
  }

  /** Where the local API is to be served. */
  #listenAt(): ListenAt {
    const { localApi, socketPath } = this.#options;
    const byDefault = Deno.build.os === "windows" && socketPath === undefined ? "tcp" : "unix";
    if ((localApi ?? byDefault) === "tcp") {
      return {
        kind: "tcp",
        publish: (address) => this.#storage.api.write(encodeApiFile(address)),
      };
    }
    return {
      kind: "unix",
      path: socketPath === undefined ? this.#storage.folder.defaultSocketPath : resolve(socketPath),
      // Few starts find the socket taken: the client is loaded by those that do.
      describeOwner: async (path) =>
        (await import("../../ipc/client/client.ts")).describeOwner(path),
    };
  }

  /** The links of the file of `--links`, if there is one. */
  async #readLinks(): Promise<readonly Link[]> {
    const { links } = this.#options;
    const { fs, folder } = this.#storage;
    return links === undefined ? [] : await readLinkFile(fs, resolve(links), folder.uid);
  }

  /** Takes the file of links as it is now; one that is bad changes nothing. */
  async #reload(): Promise<void> {
    this.#isReloadWanted = true;
    if (this.#isReloading) return;
    this.#isReloading = true;
    while (this.#isReloadWanted) {
      this.#isReloadWanted = false;
      try {
        await this.#links.reload(await this.#readLinks());
      } catch (error) {
        log.error("the file of links was not taken, and the links are as before", {
          reason: messageOf(error),
        });
      }
    }
    this.#isReloading = false;
  }

  /** Pins of before identities were proven: nobody's files are accepted on a mere claim. */
  #warnOfRestingAutoAccept(): void {
    const resting = this.#storage.trust.list().filter(({ autoAccept, proven, byKey }) =>
      autoAccept !== undefined && !proven && !byKey
    );
    if (resting.length === 0) return;
    log.warn("auto-accept rests until the peer has proven who it is", {
      peers: resting.map(({ identity }) => identity.slice(0, 8)).slice(0, 8).join(","),
      count: resting.length,
    });
  }

  /** Without the extension nobody proves anything, and who was proven before is refused. */
  #warnOfMissingProof(): void {
    if (this.#extensions.has("proven-identity")) return;
    const refused = this.#storage.trust.list().filter(({ proven, byKey }) => proven || byKey);
    log.warn(
      "no identity is proven (--extensions without proven-identity): who relays the signals can " +
        "pose as any peer and forge the SAS, auto-accept rests, sent files are not confirmed, and " +
        "peers that were proven before or are trusted by key are refused",
      {
        extensions: this.#options.extensions,
        refused: refused.map(({ identity }) => identity.slice(0, 8)).slice(0, 8).join(","),
        count: refused.length,
      },
    );
  }

  #stop(reason: "signal" | "api", force: boolean): void {
    if (force || this.#isStopping) {
      this.#forced.abort(new InterruptedError("the shutdown was forced"));
    }
    this.#isStopping = true;
    this.#stopping.resolve(reason);
  }

  /** No new work; a cancel to what is active; a bounded wait; then force (Daemon Runtime, Shutdown). */
  async #shutDown(reason: "signal" | "api", api: LocalApi): Promise<DaemonEnd> {
    log.info("stopping", { reason, sessions: this.#sessions.open });
    const linksEnded = this.#links.stop();
    this.#events.publish({ type: "daemon-stopping", reason });
    using deadline = new Deadline(this.#options.shutdownTimeoutSecs * 1000, {
      what: "transfers to end and sessions to close",
      parent: this.#forced.signal,
    });
    const left = await this.#endTransfers(deadline.signal);
    try {
      await abortable(this.#sessions.stop(), deadline.signal);
    } catch {
      // Nobody waits for a close any longer, and nothing is lost by that.
      await this.#sessions.force();
    }
    await linksEnded;
    await this.#registry.settled();
    const end = this.#judge(left);
    this.#events.publish({
      type: "daemon-stopped",
      graceful: end.kind === "graceful",
      transfersLeft: left.map(({ facts }) => facts.transferId),
    });
    await api.close();
    return end;
  }

  /**
   * Cancels every transfer and waits until its peer has confirmed that, or until the signal aborts.
   *
   * @returns The transfers that have not ended, nor wait for linked peers: for those the next start
   * waits. They stay in the journal as they are, so that the next start reports them as interrupted.
   */
  async #endTransfers(signal: AbortSignal): Promise<readonly TransferEntry[]> {
    let givenUp = false;
    const queuedEnded = this.#transfers.stop("the daemon is stopping");
    this.#registry.holdEnds(async ({ progress }) =>
      await (this.#sessions.confirmedBy(progress.sessionId) ?? true) && !givenUp
    );
    this.#scheduler.stop().catch(() => {}); // its work reports its failures itself
    const ended = (async () => {
      const unreachable = await this.#sessions.cancelTransfers(signal);
      await queuedEnded;
      await this.#registry.allEnded((entry) =>
        !entry.isKeptInQueue && !unreachable.has(entry.progress.sessionId ?? "")
      );
      await this.#registry.settled();
    })();
    await abortable(ended, signal).catch(() => {}); // what is left says it
    givenUp = true;
    return this.#registry.live().filter((entry) => !entry.isKeptInQueue);
  }

  #judge(left: readonly TransferEntry[]): DaemonEnd {
    for (const { facts, progress } of left) {
      log.warn("a transfer is left: its peer has not confirmed that it ended", {
        transfer: facts.transferId,
        peer: facts.identity,
        state: progress.state,
      });
    }
    if (left.length === 0 && !this.#forced.signal.aborted) return { kind: "graceful" };
    const parts = [
      ...(this.#forced.signal.aborted ? ["the shutdown was forced by request"] : []),
      ...(left.length === 0 ? [] : [this.#describeLeft(left.length)]),
    ];
    return { kind: "forced", message: parts.join(": ") };
  }

  #describeLeft(count: number): string {
    const [left, them] = count === 1
      ? ["1 transfer is left whose peer has", "it"]
      : [`${count} transfers are left whose peers have`, "them"];
    const { shutdownTimeoutSecs } = this.#options;
    return `${left} not confirmed the cancel (--shutdown-timeout-secs ${shutdownTimeoutSecs}): ` +
      `the next start reports ${them} as interrupted`;
  }

  #status(): Status {
    const { identity, folder, inbox } = this.#storage;
    const { deviceName, pairingPolicy, unprovenPeers, maxPeers, maxTransfers } = this.#options;
    const live = this.#registry.live();
    const active = this.#slots.held;
    return {
      version: this.#parts.version,
      state: this.#isStopping ? "stopping" : "running",
      pid: Deno.pid,
      startedAt: this.#startedAt.toISOString(),
      identity: identity.publicKey.hex,
      deviceName,
      dataDir: folder.path,
      inbox: inbox.path,
      pairingPolicy,
      unprovenPeers,
      sessions: { open: this.#sessions.open, limit: maxPeers },
      pendingPairings: this.#pairings.pending().length,
      transfers: { active, waiting: Math.max(0, live.length - active), limit: maxTransfers },
    };
  }
}
