/**
 * A long-running daemon under test: started as a process, spoken to through its local API.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { DaemonClient } from "../../src/ipc/client.ts";
import type { ApiEvent } from "../../src/ipc/events.ts";
import type { PairRequest, Session } from "../../src/ipc/schemas.ts";
import { DAEMON, type Program, Run } from "./program.ts";
import { TempFolder } from "./temp_folder.ts";
import { join } from "./paths.ts";

/** Options of {@linkcode ServedDaemon.start}. */
export interface ServedDaemonOptions {
  /** The data folder; a fresh one when absent. */
  readonly dataDir?: string;
  /** More flags. */
  readonly flags?: readonly string[];
  /** How it is started. */
  readonly program?: Program;
}

/** A running daemon. Disposing it kills it. */
export class ServedDaemon implements AsyncDisposable {
  readonly run: Run;
  readonly dataDir: string;
  readonly client: DaemonClient;
  readonly #folder: TempFolder | undefined;
  readonly #events: ApiEvent[] = [];
  readonly #listening = new AbortController();
  readonly #listened: Promise<void>;
  #wake = Promise.withResolvers<void>();

  private constructor(run: Run, dataDir: string, folder: TempFolder | undefined) {
    this.run = run;
    this.dataDir = dataDir;
    this.#folder = folder;
    this.client = new DaemonClient(join(dataDir, "daemon.sock"));
    this.#listened = this.#listen();
  }

  /** Starts one and waits until it serves. */
  static async start(options: ServedDaemonOptions = {}): Promise<ServedDaemon> {
    const folder = options.dataDir === undefined ? await TempFolder.make() : undefined;
    const dataDir = options.dataDir ?? folder?.path("data") ?? "";
    const flags = ["serve", "--data-dir", dataDir, ...options.flags ?? []];
    const run = new Run(options.program ?? DAEMON, flags);
    try {
      await run.said("serving");
    } catch (error) {
      await run[Symbol.asyncDispose]();
      await folder?.[Symbol.asyncDispose]();
      throw error;
    }
    const daemon = new ServedDaemon(run, dataDir, folder);
    return daemon;
  }

  /** The folder where received files go. */
  get inbox(): string {
    return join(this.dataDir, "inbox");
  }

  /** The first event, past ones too, that fits. */
  async event<T extends ApiEvent["type"]>(
    type: T,
    fits: (event: Extract<ApiEvent, { type: T }>) => boolean = () => true,
  ): Promise<Extract<ApiEvent, { type: T }>> {
    for (let i = 0;;) {
      const event = this.#events[i];
      if (event === undefined) {
        if (this.#listening.signal.aborted) {
          throw new Error(`no event ${type}:\n${this.run.stderr}`);
        }
        await this.#wake.promise;
      } else {
        i++;
        if (event.type === type && fits(event as Extract<ApiEvent, { type: T }>)) {
          return event as Extract<ApiEvent, { type: T }>;
        }
      }
    }
  }

  /** Everything heard so far. */
  get events(): readonly ApiEvent[] {
    return this.#events;
  }

  /** Starts a session. */
  pair(request: PairRequest): Promise<Session> {
    return this.client.pair(request);
  }

  /** Stops it in order and waits for its end. */
  async stop(): Promise<void> {
    this.run.kill("SIGTERM");
    const { code, stderr } = await this.run.outcome();
    assertEquals(code, 0, stderr);
  }

  async #listen(): Promise<void> {
    const { signal } = this.#listening;
    try {
      // From the beginning of the ring: nothing that came before is missed.
      for await (const event of this.client.events({ signal })) {
        this.#events.push(event);
        this.#wake.resolve();
        this.#wake = Promise.withResolvers<void>();
      }
    } catch {
      // It stopped, or was killed; tests see that otherwise.
    } finally {
      this.#listening.abort();
      this.#wake.resolve();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listening.abort();
    await this.run[Symbol.asyncDispose]();
    await this.#listened;
    await this.#folder?.[Symbol.asyncDispose]();
  }
}

/** What brings two daemons together at a rendezvous server. */
export function meeting(
  rendezvousUrl: string,
): { readonly offerer: PairRequest; readonly answerer: PairRequest } {
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

/** Pairs two daemons; both people say yes, after reading the same SAS. */
export async function pairDaemons(
  url: string,
  alice: ServedDaemon,
  bob: ServedDaemon,
): Promise<{ readonly alice: Session; readonly bob: Session }> {
  const requests = meeting(url);
  const [forAlice, forBob] = [
    await alice.pair(requests.offerer),
    await bob.pair(requests.answerer),
  ];
  for (const [daemon, { sessionId }] of [[alice, forAlice], [bob, forBob]] as const) {
    const { pairing } = await daemon.event(
      "pairing-requested",
      ({ pairing }) => pairing.sessionId === sessionId,
    );
    const decision = { decision: "allow_always", sas: pairing.sas } as const;
    await daemon.client.decidePairing(pairing.pairingId, decision);
  }
  const opened = (daemon: ServedDaemon, id: string) =>
    daemon.event("session-opened", ({ session }) => session.sessionId === id);
  const [a, b] = [await opened(alice, forAlice.sessionId), await opened(bob, forBob.sessionId)];
  return { alice: a.session, bob: b.session };
}
