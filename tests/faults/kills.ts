/**
 * `kill -9` at seeded instants, in every phase of two real daemons, and what must be true when they
 * are started again.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Deadline } from "../../src/base/deadline.ts";
import type { ApiEvent } from "../../src/ipc/api/events.ts";
import type { Pairing, SessionView } from "../../src/ipc/api/schemas.ts";
import { meetingByFile, openedSession, ServedDaemon } from "../support/daemon.ts";
import type { EventOf } from "../support/heard_events.ts";
import { basename, join } from "../support/paths.ts";
import { DAEMON, Run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { offerOf, sha256, someBytes } from "../support/transfers.ts";
import { seededRandom } from "../transport/loss.ts";
import type { Transport } from "./daemons_over_relay.ts";

/** Where the kill comes. */
export const KILL_PHASES = [
  "first start",
  "later start",
  "pin",
  "offer",
  "accept",
  "chunks",
  "verify",
  "rename",
  "journal write",
  "shutdown",
] as const;
/** See {@linkcode KILL_PHASES}. */
export type KillPhase = typeof KILL_PHASES[number];

/** What was seen over many kills. */
export interface KillCounts {
  /** Kills, by phase. Each round kills both daemons. */
  readonly kills: Map<KillPhase, number>;
  /** Starts after kills, all of which were checked. */
  restarts: number;
  /** Files that a receiver was told to have. */
  finished: number;
  /** Files whose sender had heard of the end while the receiver died before it was on disk. */
  onlySent: number;
}

/** Phases in which a file has been finished before. */
const SECOND_FILE: ReadonlySet<KillPhase> = new Set(
  ["chunks", "verify", "rename", "journal write"] as const,
);
/** Time after which a phase that does not come is killed all the same. */
const NEVER_MS = 20_000;

/** What a daemon has promised: what a restart must find. */
interface Promised {
  identity?: string;
  pinned?: string;
  /** Hashes of files that were told finished. */
  readonly finished: Set<string>;
}

/** Two data folders and what their daemons promised, over several runs. */
class World implements AsyncDisposable {
  readonly folder: TempFolder;
  readonly promised: readonly [Promised, Promised] = [
    { finished: new Set() },
    { finished: new Set() },
  ];
  /** Hashes of all that was ever sent. */
  readonly sent = new Set<string>();
  /** Of what a sender was told finished. */
  readonly believed = new Set<string>();

  constructor(folder: TempFolder) {
    this.folder = folder;
  }

  dataDir(who: 0 | 1): string {
    return this.folder.path(`data-${who}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.folder[Symbol.asyncDispose]();
  }
}

/** Kills rounds upon rounds. */
export class Killer {
  readonly counts: KillCounts = { kills: new Map(), restarts: 0, finished: 0, onlySent: 0 };
  readonly #random: () => number;
  readonly #flags: readonly string[];

  /**
   * The same seed plans the same kills; where they hit depends on the machine too.
   *
   * @param transport What carries the daemons' sessions.
   */
  constructor(seed: number, transport: Transport) {
    this.#flags = ["--transport", transport];
    this.#random = seededRandom(seed);
  }

  /**
   * So many rounds, each of which kills two daemons; phases take turns.
   *
   * @throws {AssertionError} When a restart finds something lost.
   */
  async run(rounds: number): Promise<void> {
    for (let round = 0; round < rounds;) {
      await using world = new World(await TempFolder.make());
      for (const phase of KILL_PHASES.slice(0, rounds - round)) {
        try {
          await this.#round(world, phase);
        } catch (error) {
          throw new Error(`round ${round}, before a kill in "${phase}"`, { cause: error });
        }
        round++;
      }
      await this.#checkAll(world);
    }
  }

  #start(world: World, who: 0 | 1): Promise<ServedDaemon> {
    return ServedDaemon.start({ dataDir: world.dataDir(who), flags: this.#flags });
  }

  /** Starts both, has them do what the phase is about, and kills both in it. */
  async #round(world: World, phase: KillPhase): Promise<void> {
    this.counts.kills.set(phase, (this.counts.kills.get(phase) ?? 0) + 2);
    if (phase === "first start" || phase === "later start") {
      await Promise.all(([0, 1] as const).map((who) => this.#killAtStart(world, who)));
      return;
    }
    await using first = await this.#start(world, 0);
    await using second = await this.#start(world, 1);
    const daemons = [first, second] as const;
    await this.#check(world, daemons);
    try {
      await this.#work(world, daemons, phase);
    } finally {
      for (const { run } of daemons) kill(run);
      for (const { run } of daemons) await run.outcome();
      this.#takeNote(world, daemons);
    }
  }

  /** Kills a start some milliseconds after it has touched the disk. */
  async #killAtStart(world: World, who: 0 | 1): Promise<void> {
    const delay = this.#random() * 25;
    const dataDir = world.dataDir(who);
    using touched = new FolderTouch(world.folder.path(), (path) => path.startsWith(dataDir));
    await using run = new Run(DAEMON, ["serve", "--data-dir", dataDir]);
    await touched.wait();
    await pause(delay);
    kill(run);
    await run.outcome();
  }

  /** Pairs, sends a file and kills both at the phase's instant. */
  async #work(
    world: World,
    daemons: readonly [ServedDaemon, ServedDaemon],
    phase: KillPhase,
  ): Promise<void> {
    const wait = (ms: number) => pause(this.#random() * ms);
    const sender = this.#random() < 0.5 ? 0 : 1;
    const [alice, bob] = sender === 0 ? daemons : [daemons[1], daemons[0]];
    const requests = meetingByFile(world.folder);
    const sessions = [
      await alice.pair(requests.offerer),
      await bob.pair(requests.answerer),
    ] as const;
    const promised = sender === 0 ? world.promised : world.promised.toReversed();
    const asked = await Promise.all([0, 1].map(async (at) => {
      const [daemon, session] = at === 0 ? [alice, sessions[0]] : [bob, sessions[1]];
      return [daemon, promised[at], await askedOrOpened(daemon, session)] as const;
    }));
    const deciding = Promise.all(asked.map(async ([daemon, promise, pairing]) => {
      if (pairing === undefined || promise === undefined) return;
      const { pairingId, sas, identity } = pairing;
      await daemon.client.decidePairing(pairingId, { decision: "allow_always", sas });
      promise.pinned = identity;
    }));
    if (phase === "pin") {
      deciding.catch(() => {}); // the kill comes in the middle
      return await wait(25);
    }
    await deciding;
    const [session] = sessions;
    await openedSession(alice, session);
    await openedSession(bob, sessions[1]);
    const send = async (size: number) => {
      const content = someBytes(size, Math.floor(this.#random() * 1e9));
      world.sent.add(sha256(content));
      const path = world.folder.path(`${crypto.randomUUID()}.bin`);
      await Deno.writeFile(path, content);
      const { sessionId } = session;
      const sending = alice.client.send({ paths: [path], sessionId, priority: 0 });
      sending.catch(() => {}); // the kill may come in the middle
      return basename(path);
    };
    if (SECOND_FILE.has(phase)) {
      // A file that is finished before: it must be there whatever becomes of the next.
      const { transferId } = await offerOf(bob, await send(20_000));
      await bob.client.acceptTransfer(transferId, {});
      await bob.event("transfer-finished", ({ transfer }) => transfer.transferId === transferId);
    }
    using journal = new FolderTouch(bob.dataDir, (path) => path.endsWith("journal.ndjson"));
    using inbox = new FolderTouch(bob.inbox, () => true);
    const name = await send(phase === "chunks" || phase === "shutdown" ? 6_000_000 : 150_000);
    using named = new FolderTouch(bob.inbox, (path) => path.endsWith(name));
    if (phase === "offer") return await wait(40);
    const { transferId } = await offerOf(bob, name);
    const accepting = bob.client.acceptTransfer(transferId, {});
    accepting.catch(() => {}); // the kill may come in the middle
    switch (phase) {
      case "accept":
        return await wait(15);
      case "chunks":
        await inbox.wait();
        return await wait(150);
      case "journal write":
        await journal.wait(1 + Math.floor(this.#random() * 5));
        return await wait(3);
      case "verify":
        await inbox.wait();
        return await wait(60);
      case "rename":
        await named.wait();
        return await wait(25);
      case "shutdown":
        await inbox.wait();
        await wait(50);
        for (const { run } of daemons) run.kill("SIGTERM");
        return await wait(80);
    }
  }

  /** What the daemons have told before they died. */
  #takeNote(world: World, daemons: readonly [ServedDaemon, ServedDaemon]): void {
    for (const [at, { events }] of daemons.entries()) {
      for (const event of events) {
        if (event.type !== "transfer-finished") continue;
        const { direction, fileHash = "" } = event.transfer;
        if (direction === "outgoing") world.believed.add(fileHash);
        else {
          world.promised[at === 0 ? 0 : 1].finished.add(fileHash);
          this.counts.finished++;
        }
      }
    }
  }

  /** Starts both once more, only to look. */
  async #checkAll(world: World): Promise<void> {
    await using first = await this.#start(world, 0);
    await using second = await this.#start(world, 1);
    await this.#check(world, [first, second]);
    const saved = new Set([...world.promised].flatMap(({ finished }) => [...finished]));
    this.counts.onlySent += [...world.believed].filter((hash) => !saved.has(hash)).length;
    await first.stop();
    await second.stop();
  }

  /** That a daemon serves again says that the lock is free and that the journal can be read. */
  async #check(world: World, daemons: readonly [ServedDaemon, ServedDaemon]): Promise<void> {
    for (const at of [0, 1] as const) {
      await checkRestarted(daemons[at], world.promised[at], world.sent);
      this.counts.restarts++;
    }
  }
}

/** The pairing request of a session; undefined when the peer is pinned, and the session opens. */
async function askedOrOpened(
  daemon: ServedDaemon,
  session: SessionView,
): Promise<Pairing | undefined> {
  type Either = EventOf<"pairing-requested"> | EventOf<"session-opened">;
  const isEither = (event: ApiEvent): event is Either =>
    event.type === "pairing-requested" && event.pairing.sessionId === session.sessionId ||
    event.type === "session-opened" && event.session.sessionId === session.sessionId;
  const event = await daemon.heard.find("a pairing request or an open session", isEither);
  return event.type === "pairing-requested" ? event.pairing : undefined;
}

async function checkRestarted(
  daemon: ServedDaemon,
  promised: Promised,
  sent: ReadonlySet<string>,
): Promise<void> {
  const { identity } = await daemon.client.status();
  assertEquals(identity, promised.identity ?? identity, "the identity is the same");
  promised.identity = identity;
  if (promised.pinned !== undefined) {
    const { trust } = await daemon.client.getPeer(promised.pinned);
    assertEquals(trust, "allow_always", "no pin is lost");
  }
  const here = new Set<string>();
  for await (const { name } of Deno.readDir(daemon.inbox)) {
    const hash = sha256(await Deno.readFile(join(daemon.inbox, name)));
    assert(sent.has(hash), `no half file under a final name, no part left: ${name}`);
    here.add(hash);
  }
  for (const hash of promised.finished) assert(here.has(hash), "no finished file is lost");
  for (const hash of here) promised.finished.add(hash);
  const { transfers } = await daemon.client.listTransfers({ limit: 200 });
  for (const { transferId, state } of transfers) {
    assert(
      ["completed", "rejected", "cancelled", "failed", "interrupted"].includes(state),
      `${transferId} is ${state} after a restart`,
    );
  }
}

/** Waits for changes in a folder, as the system tells them. */
class FolderTouch implements Disposable {
  readonly #watcher: Deno.FsWatcher;
  readonly #fits: (path: string) => boolean;

  constructor(folder: string, fits: (path: string) => boolean) {
    this.#watcher = Deno.watchFs(folder);
    this.#fits = fits;
  }

  /** Resolves with the change of that number; after a long time, or the watch's end, all the same. */
  async wait(count = 1): Promise<void> {
    using deadline = new Deadline(NEVER_MS, { what: "a change of the folder" });
    const stop = () => this[Symbol.dispose]();
    deadline.signal.addEventListener("abort", stop);
    let seen = 0;
    for await (const { paths } of this.#watcher) {
      if (paths.some((path) => this.#fits(path)) && ++seen >= count) return;
    }
  }

  [Symbol.dispose](): void {
    try {
      this.#watcher.close();
    } catch {
      // Its iteration has closed it.
    }
  }
}

function kill(run: Run): void {
  try {
    run.kill("SIGKILL");
  } catch {
    // It ended before, by SIGTERM.
  }
}

/** A seeded instant is a number of milliseconds: here nothing else is waited for. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
