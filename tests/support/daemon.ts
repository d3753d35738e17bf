/**
 * Long-running daemons under test, spoken to through their local API: as a process of its own
 * ({@linkcode ServedDaemon}), or inside the test's process over a network in memory
 * ({@linkcode LocalDaemon}), where a test can cut a path, and hundreds can be started in a minute.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Daemon, type DaemonEnd, type DaemonSteering } from "../../src/app/daemon/daemon.ts";
import { locationOf } from "../../src/boltctl/named_api.ts";
import { parseServeOptions } from "../../src/cli/serve_options.ts";
import { DaemonClient } from "../../src/ipc/client/client.ts";
import type { ApiEvent } from "../../src/ipc/api/events.ts";
import type {
  Pairing,
  PairingDecision,
  PairRequest,
  SessionView,
} from "../../src/ipc/api/schemas.ts";
import type { Connector } from "../../src/transport/connector.ts";
import { type EventOf, HeardEvents } from "./heard_events.ts";
import { DAEMON, type Program, Run } from "./program.ts";
import { TempFolder } from "./temp_folder.ts";
import { join } from "./paths.ts";

/** Options of both kinds of daemon. */
export interface DaemonUnderTestOptions {
  /** The data folder; a fresh one when absent. */
  readonly dataDir?: string;
  /** More flags. */
  readonly flags?: readonly string[];
}

/** What both kinds have. */
abstract class DaemonUnderTest implements AsyncDisposable {
  readonly dataDir: string;
  readonly client: DaemonClient;
  readonly #folder: TempFolder | undefined;
  readonly #heard: HeardEvents;

  constructor(folder: FolderUnderTest, client: DaemonClient, heard: HeardEvents) {
    this.dataDir = folder.dataDir;
    this.client = client;
    this.#folder = folder.owned;
    this.#heard = heard;
  }

  /** The folder where received files go. */
  get inbox(): string {
    return join(this.dataDir, "inbox");
  }

  /** The first event, past ones too, that fits; it may take `withinMs` milliseconds. */
  event<T extends ApiEvent["type"]>(
    type: T,
    fits?: (event: EventOf<T>) => boolean,
    withinMs?: number,
  ): Promise<EventOf<T>> {
    return this.#heard.first(type, fits, withinMs);
  }

  /** What it tells. */
  get heard(): HeardEvents {
    return this.#heard;
  }

  /** Everything heard so far. */
  get events(): readonly ApiEvent[] {
    return this.#heard.all;
  }

  /** Resolves when so many streams of events are open, its own among them. */
  async streams(count: number): Promise<void> {
    while (!(await this.client.metrics()).includes(`bolt_api_event_streams ${count}\n`));
  }

  /** Starts a session. */
  pair(request: PairRequest): Promise<SessionView> {
    return this.client.pair(request);
  }

  /** Stops it in order and waits for its end. */
  abstract stop(): Promise<void>;
  /** Ends it, if it still runs. */
  protected abstract end(): Promise<void>;

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    await this.#heard[Symbol.asyncDispose]();
    await this.#folder?.[Symbol.asyncDispose]();
  }
}

interface FolderUnderTest {
  readonly dataDir: string;
  /** Made for this daemon, and goes with it. */
  readonly owned: TempFolder | undefined;
}

async function folderOf({ dataDir }: DaemonUnderTestOptions): Promise<FolderUnderTest> {
  if (dataDir !== undefined) return { dataDir, owned: undefined };
  const owned = await TempFolder.make();
  return { dataDir: owned.path("data"), owned };
}

/** Over what serve does without being told. */
const clientOf = ({ dataDir }: FolderUnderTest) =>
  new DaemonClient(
    locationOf(
      Deno.build.os === "windows"
        ? { kind: "file", path: join(dataDir, "api.json") }
        : { kind: "socket", path: join(dataDir, "daemon.sock") },
    ),
  );

/** Options of {@linkcode ServedDaemon.start}. */
export interface ServedDaemonOptions extends DaemonUnderTestOptions {
  /** How it is started. */
  readonly program?: Program;
  /** Resolves when it serves. @default {its line `serving` on stderr} */
  readonly serves?: (run: Run) => Promise<void>;
}

/** A daemon in a process of its own. Disposing it kills it. */
export class ServedDaemon extends DaemonUnderTest {
  readonly run: Run;

  private constructor(
    run: Run,
    folder: FolderUnderTest,
    client: DaemonClient,
    heard: HeardEvents,
  ) {
    super(folder, client, heard);
    this.run = run;
  }

  /** Starts one and waits until it serves. */
  static async start(options: ServedDaemonOptions = {}): Promise<ServedDaemon> {
    const folder = await folderOf(options);
    const flags = ["serve", "--data-dir", folder.dataDir, ...options.flags ?? []];
    const run = new Run(options.program ?? DAEMON, flags);
    try {
      await (options.serves?.(run) ?? run.said("serving"));
      const client = clientOf(folder);
      return new ServedDaemon(run, folder, client, await HeardEvents.of(client));
    } catch (error) {
      await run[Symbol.asyncDispose]();
      await folder.owned?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  override async stop(): Promise<void> {
    // There, what is called SIGTERM ends a process at once.
    if (Deno.build.os === "windows") await this.client.shutdown();
    else this.run.kill("SIGTERM");
    const { code, stderr } = await this.run.outcome();
    assertEquals(code, 0, stderr);
  }

  protected override end(): Promise<void> {
    return this.run[Symbol.asyncDispose]();
  }
}

/** Options of {@linkcode LocalDaemon.start}. */
export interface LocalDaemonOptions extends DaemonUnderTestOptions {
  /** Bytes after which what it receives is made durable. @default {as in the program} */
  readonly syncBytes?: number;
}

/** A daemon in this process. Disposing it stops it in order. */
export class LocalDaemon extends DaemonUnderTest {
  readonly #stop: () => void;
  readonly #ended: Promise<DaemonEnd>;

  private constructor(
    folder: FolderUnderTest,
    client: DaemonClient,
    heard: HeardEvents,
    stop: () => void,
    ended: Promise<DaemonEnd>,
  ) {
    super(folder, client, heard);
    this.#stop = stop;
    this.#ended = ended;
  }

  /** Starts one whose peers are on that network, and waits until it serves. */
  static async start(
    network: { readonly connector: Connector },
    options: LocalDaemonOptions = {},
  ): Promise<LocalDaemon> {
    const folder = await folderOf(options);
    const serve = parseServeOptions(["--data-dir", folder.dataDir, ...options.flags ?? []]);
    const parts = {
      version: "test",
      loadConnector: () => Promise.resolve(network.connector),
      ...(options.syncBytes === undefined ? {} : { syncBytes: options.syncBytes }),
    };
    const ready = Promise.withResolvers<DaemonSteering>();
    const ended = Daemon.run(serve, parts, ready.resolve);
    try {
      const failed = ended.then((): never => {
        throw new Error("the daemon ended before it served");
      });
      const { stop } = await Promise.race([ready.promise, failed]);
      failed.catch(() => {}); // it is to end some time
      const client = clientOf(folder);
      return new LocalDaemon(folder, client, await HeardEvents.of(client), stop, ended);
    } catch (error) {
      await folder.owned?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Begins the shutdown, as a signal does; a second time forces it. */
  interrupt(): void {
    this.#stop();
  }

  /** Resolves with how it ended. */
  get ended(): Promise<DaemonEnd["kind"]> {
    return this.#ended.then(({ kind }) => kind);
  }

  /** Resolves with what it says of its end. */
  get lastWord(): Promise<string | undefined> {
    return this.#ended.then((end) => end.kind === "forced" ? end.message : undefined);
  }

  override async stop(): Promise<void> {
    this.interrupt();
    assertEquals(await this.#ended, { kind: "graceful" });
  }

  protected override async end(): Promise<void> {
    const over = await Promise.race([this.#ended.then(() => true), Promise.resolve(false)]);
    if (!over) this.interrupt();
    await this.#ended;
  }
}

/** A request through a rendezvous server, in a role. */
type AtServer<Role> = Extract<PairRequest, { signal: "rendezvous"; role: Role }>;

/** What brings two daemons together at a rendezvous server. */
export function meeting(
  rendezvousUrl: string,
): { readonly offerer: AtServer<"offerer">; readonly answerer: AtServer<"answerer"> } {
  const common = {
    signal: "rendezvous",
    rendezvousUrl,
    room: "room",
    session: "session",
    phaseTimeoutSecs: 60,
  } as const;
  return {
    offerer: { ...common, role: "offerer", peerId: "alice", to: "bob" },
    answerer: { ...common, role: "answerer", peerId: "bob", expectPeer: "alice" },
  };
}

/** What brings two daemons together through two files of a folder. */
export function meetingByFile(
  folder: TempFolder,
): { readonly offerer: PairRequest; readonly answerer: PairRequest } {
  const name = crypto.randomUUID();
  const common = {
    signal: "file",
    offer: folder.path(`${name}.offer`),
    answer: folder.path(`${name}.answer`),
    phaseTimeoutSecs: 60,
  } as const;
  return { offerer: { ...common, role: "offerer" }, answerer: { ...common, role: "answerer" } };
}

/** The pairing request of a session. */
export async function pairingOf(
  daemon: DaemonUnderTest,
  { sessionId }: SessionView,
): Promise<Pairing> {
  const fits = ({ pairing }: { pairing: Pairing }) => pairing.sessionId === sessionId;
  return (await daemon.event("pairing-requested", fits)).pairing;
}

/** The session when it is open. */
export async function openedSession(
  daemon: DaemonUnderTest,
  { sessionId }: SessionView,
): Promise<SessionView> {
  const fits = ({ session }: { session: SessionView }) => session.sessionId === sessionId;
  return (await daemon.event("session-opened", fits)).session;
}

/** The session when it has ended. */
export async function closedSession(
  daemon: DaemonUnderTest,
  { sessionId }: SessionView,
): Promise<SessionView> {
  const fits = ({ session }: { session: SessionView }) => session.sessionId === sessionId;
  return (await daemon.event("session-closed", fits)).session;
}

/** Pairs two daemons that know nothing of each other; both people say yes to the SAS they read. */
export async function pairBy(
  requests: { readonly offerer: PairRequest; readonly answerer: PairRequest },
  alice: DaemonUnderTest,
  bob: DaemonUnderTest,
  decision: PairingDecision["decision"] = "allow_always",
): Promise<{ readonly alice: SessionView; readonly bob: SessionView }> {
  const forAlice = await alice.pair(requests.offerer);
  const forBob = await bob.pair(requests.answerer);
  for (const [daemon, session] of [[alice, forAlice], [bob, forBob]] as const) {
    const { pairingId, sas, proven } = await pairingOf(daemon, session);
    await daemon.client.decidePairing(pairingId, { decision, sas, unproven: !proven });
  }
  const [a, b] = [await openedSession(alice, forAlice), await openedSession(bob, forBob)];
  return { alice: a, bob: b };
}

/** Pairs two daemons at a rendezvous server. */
export function pairDaemons(
  url: string,
  alice: DaemonUnderTest,
  bob: DaemonUnderTest,
): Promise<{ readonly alice: SessionView; readonly bob: SessionView }> {
  return pairBy(meeting(url), alice, bob);
}

export type { DaemonUnderTest };
