/**
 * What the daemon may cost, measured on two real ones: shortly in `tests/daemon/bounds_test.ts`, at
 * length in `tests/long/bounds.ts`.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { memoryBoundMib } from "../../src/app/daemon/memory_bound.ts";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { meeting, pairDaemons, ServedDaemon } from "./daemon.ts";
import { cpuSecondsOf, forgetPeak, memoryOf, openFilesOf, wakeupsOf } from "./process_usage.ts";
import { TempFolder } from "./temp_folder.ts";

/** What the owner allows a transfer to take of memory, in MiB, whatever the file's length. */
export const TRANSFER_MIB = 24;
/** How long the longest transfer may take on the slowest machine. */
const TRANSFER_MS = 30 * 60_000;
/** Share of a core that an idle daemon may use. */
export const IDLE_CPU = 0.01;
/**
 * Times that the thread of an idle daemon's event loop may wake up in a second. What there is to
 * wake for: whether the peer is still there is looked at every 1.5 s, and asked about, by either
 * side, after that long a silence; consent is asked for every 5 s (RFC 7675), the session's ping and
 * the event stream's heartbeat come every 15 s. With the datagrams of the answers that is 2 a second;
 * the engine's own housekeeping and second wakeups for one event make it 3 to 6. A timer of 100 ms
 * would be 10 more.
 */
export const IDLE_WAKEUPS = 12;

/** Two daemons and the server that they meet at. */
export class Pair implements AsyncDisposable {
  readonly #owned: AsyncDisposableStack;

  private constructor(
    readonly serverUrl: string,
    readonly alice: ServedDaemon,
    readonly bob: ServedDaemon,
    owned: AsyncDisposableStack,
  ) {
    this.#owned = owned;
  }

  /** Starts them, not yet paired. */
  static async start(): Promise<Pair> {
    await using started = new AsyncDisposableStack();
    const { url } = started.use(startRendezvousServer());
    const alice = started.use(await ServedDaemon.start());
    const bob = started.use(await ServedDaemon.start());
    return new Pair(url, alice, bob, started.move());
  }

  /** Measures both. */
  async each<T>(measure: (pid: number) => Promise<T>): Promise<[T, T]> {
    return [await measure(this.alice.run.pid), await measure(this.bob.run.pid)];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }
}

/** Figures of a measurement, of the sender or offerer first. */
export type Both = readonly [number, number];

/** What a transfer took. */
export interface TransferFigures {
  /** Bytes of the file a second, in MB. */
  readonly megabytesPerSecond: number;
  /** Resident memory before it, in MiB. */
  readonly idle: Both;
  /** Its peak meanwhile, in MiB. */
  readonly peak: Both;
  /** Seconds of CPU that it took. */
  readonly cpu: Both;
}

/** Sends a sparse file of `bytes` bytes between two daemons that are paired for it. */
export async function measureTransfer(bytes: number): Promise<TransferFigures> {
  await using folder = await TempFolder.make();
  await using pair = await Pair.start();
  const { alice, bob, serverUrl } = pair;
  const sessions = await pairDaemons(serverUrl, alice, bob);
  const path = folder.path("sparse.bin");
  {
    using file = await Deno.open(path, { write: true, createNew: true });
    await file.truncate(bytes);
  }
  const idle = await pair.each(async (pid) => (await memoryOf(pid)).resident);
  await pair.each(forgetPeak);
  const before = await pair.each(cpuSecondsOf);
  await alice.client.send({
    paths: [path],
    identity: sessions.alice.identity ?? "",
    priority: 0,
  });
  const { transfer: offer } = await bob.event(
    "transfer-offered",
    ({ transfer }) => transfer.direction === "incoming",
    TRANSFER_MS, // the file is hashed first
  );
  const began = performance.now();
  await bob.client.acceptTransfer(offer.transferId, {});
  const ended = await Promise.race([
    bob.event("transfer-finished", undefined, TRANSFER_MS),
    bob.event("transfer-failed", undefined, TRANSFER_MS),
    alice.event("transfer-failed", undefined, TRANSFER_MS),
  ]);
  const seconds = (performance.now() - began) / 1000;
  assertEquals(ended.type, "transfer-finished", JSON.stringify(ended));
  // Finished is only told when the hash of what was received is the one that was offered.
  assertEquals((await Deno.stat(`${bob.inbox}/sparse.bin`)).size, bytes);
  const peak = await pair.each(async (pid) => (await memoryOf(pid)).peak);
  const after = await pair.each(cpuSecondsOf);
  return { megabytesPerSecond: bytes / 1e6 / seconds, idle, peak, cpu: differences(before, after) };
}

/** Fails when a transfer took more memory than it may. */
export function assertWithinMemory({ idle, peak }: TransferFigures): void {
  for (const [who, grown] of namedDifferences(idle, peak)) {
    assert(grown <= TRANSFER_MIB, `the ${who} grew by ${grown.toFixed(1)} MiB`);
  }
  // What is promised for one peer and one transfer holds for them.
  const bound = memoryBoundMib({ maxPeers: 1, maxTransfers: 1 });
  for (const mib of peak) assert(mib <= bound, `${mib.toFixed(1)} MiB, ${bound} may be`);
}

/** What two daemons with an open session between them do when nobody wants anything. */
export interface IdleFigures {
  /** Share of a core. */
  readonly cpu: Both;
  /** Times a second that the event loop's thread woke up. */
  readonly wakeups: Both;
}

/** Lets two paired daemons be for some seconds. */
export async function measureIdle(seconds: number): Promise<IdleFigures> {
  await using pair = await Pair.start();
  await pairDaemons(pair.serverUrl, pair.alice, pair.bob);
  // What the pairing left to do, and compilers to finish.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const [cpu, wakeups] = [await pair.each(cpuSecondsOf), await pair.each(wakeupsOf)];
  const began = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const lasted = (performance.now() - began) / 1000;
  const rates = ([a, b]: Both): Both => [a / lasted, b / lasted];
  return {
    cpu: rates(differences(cpu, await pair.each(cpuSecondsOf))),
    wakeups: rates(differences(wakeups, await pair.each(wakeupsOf))),
  };
}

/** Options of {@linkcode measureChurn}. */
export interface ChurnOptions {
  /** Sessions before the first look: code and caches that stay are loaded by then. */
  readonly warmUp: number;
  /** Sessions between the two looks. */
  readonly count: number;
  /**
   * Before each look: the engine gives back what it does not need when it has been idle for some
   * 10 s, and until then keeps what the last full collection left, and half as much again.
   */
  readonly restSeconds: number;
}

/** What sessions that came and went have left. */
export interface ChurnFigures {
  /** Resident memory after the first few, in MiB. */
  readonly before: Both;
  /** And after all of them. */
  readonly after: Both;
}

/**
 * Opens and closes sessions between two daemons, one after the other. Fails when an open file of
 * theirs is left.
 */
export async function measureChurn(
  { warmUp, count, restSeconds }: ChurnOptions,
): Promise<ChurnFigures> {
  await using pair = await Pair.start();
  const { alice, bob, serverUrl } = pair;
  const first = await pairDaemons(serverUrl, alice, bob);
  await close(pair, first.alice.sessionId, first.bob.sessionId);
  for (let i = 1; i < warmUp; i++) await openAndClose(pair);
  const files = await restingFiles(pair);
  const resident = async () => {
    await new Promise((resolve) => setTimeout(resolve, restSeconds * 1000));
    return await pair.each(async (pid) => (await memoryOf(pid)).resident);
  };
  const before = await resident();
  for (let i = 0; i < count; i++) await openAndClose(pair);
  assertEquals(await restingFiles(pair), files);
  return { before, after: await resident() };
}

/** The open files, once nothing is being written: after a session its end is noted with the pin. */
async function restingFiles(pair: Pair): Promise<unknown> {
  for (let looks = 1;; looks++) {
    const files = await pair.each(openFilesOf);
    if (looks === MAX_LOOKS || !JSON.stringify(files).includes("/data/pins")) return files;
  }
}

/** After so many looks an open file counts as left. */
const MAX_LOOKS = 1000;

/** Both know each other by now: nobody is asked. */
async function openAndClose(pair: Pair): Promise<void> {
  const { offerer, answerer } = meeting(pair.serverUrl);
  const [a, b] = [await pair.alice.pair(offerer), await pair.bob.pair(answerer)];
  for (const [daemon, { sessionId }] of [[pair.alice, a], [pair.bob, b]] as const) {
    await Promise.race([
      daemon.event("session-opened", ({ session }) => session.sessionId === sessionId),
      daemon.event("session-closed", ({ session }) => session.sessionId === sessionId)
        .then(({ session }) => Promise.reject(new Error(JSON.stringify(session.failure)))),
    ]);
  }
  await close(pair, a.sessionId, b.sessionId);
}

async function close({ alice, bob }: Pair, forAlice: string, forBob: string): Promise<void> {
  await alice.client.closeSession(forAlice);
  for (const [daemon, id] of [[alice, forAlice], [bob, forBob]] as const) {
    await daemon.event("session-closed", ({ session }) => session.sessionId === id);
  }
}

/** By how much each has grown, with its name. */
export function namedDifferences(before: Both, after: Both): [string, number][] {
  const [a, b] = differences(before, after);
  return [["sender", a], ["receiver", b]];
}

function differences([a, b]: Both, [c, d]: Both): [number, number] {
  return [c - a, d - b];
}
