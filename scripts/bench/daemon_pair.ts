/**
 * Two real daemons that are paired, and what it costs them to move files.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { abortable } from "../../src/base/deadline.ts";
import type { ApiEvent } from "../../src/ipc/api/events.ts";
import * as support from "../../tests/support/daemon.ts";
import { join } from "../../tests/support/paths.ts";
import { cpuSecondsOf, forgetPeak, memoryOf } from "../../tests/support/process_usage.ts";
import type { Program } from "../../tests/support/program.ts";
import { TempFolder } from "../../tests/support/temp_folder.ts";
import type { Figures } from "./statistics.ts";

const MIB = 2 ** 20;
/** Most files of one request. */
const FILES_A_REQUEST = 100;
/** How long an event is waited for at most: the signal of a run comes before. */
const LONGEST_MS = 3_600_000;

/** Files that are sent, all in one folder. */
export interface FileSet {
  readonly folder: string;
  /** SHA-256 of each, in hex, by its name. */
  readonly hashes: ReadonlyMap<string, string>;
  /** Bytes of all of them. */
  readonly bytes: number;
}

/** Makes files of random bytes in a folder. */
export async function makeFiles(
  folder: string,
  { count, bytes }: { readonly count: number; readonly bytes: number },
): Promise<FileSet> {
  await Deno.mkdir(folder, { recursive: true });
  const hashes = new Map<string, string>();
  const piece = new Uint8Array(65_536);
  for (let i = 0; i < count; i++) {
    const name = `file-${i}.bin`;
    using file = await Deno.create(join(folder, name));
    const hash = createHash("sha256");
    for (let left = bytes; left > 0;) {
      const part = crypto.getRandomValues(piece).subarray(0, Math.min(left, piece.length));
      hash.update(part);
      for (let at = 0; at < part.length;) at += await file.write(part.subarray(at));
      left -= part.length;
    }
    hashes.set(name, hash.digest("hex"));
  }
  return { folder, hashes, bytes: count * bytes };
}

/** SHA-256 of a file, in hex. */
export async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const piece = new Uint8Array(MIB);
  for (let read = await file.read(piece); read !== null; read = await file.read(piece)) {
    hash.update(piece.subarray(0, read));
  }
  return hash.digest("hex");
}

/**
 * Looks at what has arrived, and removes it.
 *
 * @throws {Error} When a file is missing or is not what was sent.
 */
export async function checkArrived(folder: string, { hashes }: FileSet): Promise<void> {
  for (const [name, hash] of hashes) {
    const path = join(folder, name);
    if (await hashOf(path) !== hash) throw new Error(`${name} did not arrive as it was sent`);
    await Deno.remove(path);
  }
}

/** How daemons are started, paired and spoken to: each commit has its own. */
export interface Daemons {
  readonly support: Pick<typeof support, "ServedDaemon" | "meetingByFile" | "pairBy">;
  /** Has a daemon accept whatever a peer offers. */
  readonly acceptAll: (daemon: support.ServedDaemon, identity: string) => Promise<unknown>;
}

const OURS: Daemons = {
  support,
  acceptAll: ({ client }, identity) => client.setAutoAccept(identity, { enabled: true }),
};

/** How the daemons of a pair are started. */
export interface PairOptions {
  /** @default {those of this commit} */
  readonly daemons?: Daemons;
  /** More flags of `serve`. */
  readonly flags?: readonly string[];
  /** @default {each from source, with the documented flags} */
  readonly programs?: { readonly sender: Program; readonly receiver: Program };
  /** What brings them together. @default {two files} */
  readonly meetingIn?: Daemons["support"]["meetingByFile"];
}

/** Two daemons with a session. The receiver takes whatever comes. Disposing it kills both. */
export class DaemonPair implements AsyncDisposable {
  readonly sender: support.ServedDaemon;
  readonly receiver: support.ServedDaemon;
  readonly #identity: string;
  readonly #owned: AsyncDisposableStack;

  private constructor(
    parts: Pick<DaemonPair, "sender" | "receiver">,
    identity: string,
    owned: AsyncDisposableStack,
  ) {
    this.sender = parts.sender;
    this.receiver = parts.receiver;
    this.#identity = identity;
    this.#owned = owned;
  }

  /** Starts and pairs them. */
  static async start(
    { daemons = OURS, flags = [], programs, meetingIn = daemons.support.meetingByFile }:
      PairOptions,
  ): Promise<DaemonPair> {
    const { ServedDaemon, pairBy } = daemons.support;
    await using owned = new AsyncDisposableStack();
    const folder = owned.use(await TempFolder.make());
    const start = async (program: Program | undefined) =>
      owned.use(
        await ServedDaemon.start({ flags, ...program === undefined ? {} : { program } }),
      );
    const sender = await start(programs?.sender);
    const receiver = await start(programs?.receiver);
    const sessions = await pairBy(meetingIn(folder), sender, receiver);
    await daemons.acceptAll(receiver, sessions.bob.identity ?? "");
    return new DaemonPair({ sender, receiver }, sessions.alice.identity ?? "", owned.move());
  }

  /**
   * Sends files, and waits until both sides have said of each that it is finished.
   *
   * @returns Seconds from the first request to the last word.
   */
  async send({ folder, hashes }: FileSet, signal: AbortSignal): Promise<number> {
    const paths = [...hashes.keys()].map((name) => join(folder, name));
    const began = performance.now();
    const what = `the end of ${paths.length} transfers`;
    const ended = Promise.all(
      [this.sender, this.receiver].map(({ heard }) =>
        heard.find(what, endOf(paths.length), LONGEST_MS)
      ),
    );
    ended.catch(() => {}); // told below, unless something fails before
    for (let at = 0; at < paths.length; at += FILES_A_REQUEST) {
      const some = paths.slice(at, at + FILES_A_REQUEST);
      await this.sender.client.send({ paths: some, identity: this.#identity, priority: 0 });
    }
    for (const event of await abortable(ended, signal)) {
      if (event.type === "transfer-failed") throw new Error(JSON.stringify(event.transfer));
    }
    return (performance.now() - began) / 1000;
  }

  /** Sends files, compares what has arrived, and tells what it took. */
  async measure(files: FileSet, signal: AbortSignal): Promise<Figures> {
    const pids = [this.sender.run.pid, this.receiver.run.pid] as const;
    const each = <T>(of: (pid: number) => Promise<T>) => Promise.all([of(pids[0]), of(pids[1])]);
    await each(forgetPeak);
    const before = await each(cpuSecondsOf);
    const seconds = await this.send(files, signal);
    const [cpu, memory] = [await each(cpuSecondsOf), await each(memoryOf)];
    await checkArrived(this.receiver.inbox, files);
    const mib = files.bytes / MIB;
    const [sending, receiving] = [cpu[0] - before[0], cpu[1] - before[1]];
    return new Map([
      ["MB/s", files.bytes / 1e6 / seconds],
      ["files/s", files.hashes.size / seconds],
      ["CPU", 1000 * (sending + receiving) / mib],
      ["CPU of the sender", 1000 * sending / mib],
      ["CPU of the receiver", 1000 * receiving / mib],
      ["CPU a file", 1000 * (sending + receiving) / files.hashes.size],
      ["peak of the sender", memory[0].peak],
      ["peak of the receiver", memory[1].peak],
    ]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }
}

type TransferEnd = Extract<ApiEvent, { type: "transfer-finished" | "transfer-failed" }>;

/** Fits the event that ends the last of so many transfers, or the first that fails. */
function endOf(count: number): (event: ApiEvent) => event is TransferEnd {
  let left = count;
  return (event): event is TransferEnd =>
    event.type === "transfer-failed" || event.type === "transfer-finished" && --left === 0;
}
