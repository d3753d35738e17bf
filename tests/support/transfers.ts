/**
 * Two daemons that are paired, and files that go between them.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Transfer } from "../../src/ipc/api/schemas.ts";
import { byteLength } from "../../src/transport/receive_buffer.ts";
import type { MemoryPair } from "../../src/transport/testing/memory_channel.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { type DaemonUnderTest, LocalDaemon, meetingByFile, pairBy } from "./daemon.ts";
import { someBytes } from "./some_bytes.ts";
import { TempFolder } from "./temp_folder.ts";

export { someBytes } from "./some_bytes.ts";

/** SHA-256 as hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The names in a folder, sorted. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

/** Bytes of a file that flows until it is read: many times what a channel takes at once. */
export const LONG = 100_000_000;
/** Bytes of the file of {@linkcode Pair.heldMidway}. */
export const HELD = 300_000_000;

/** Bytes of a file that more than fills a channel, and less than what waits for a disk. */
export const SHORT = 3_000_000;

/**
 * A path that carries a first chunk of the offerer's, then nothing more until it is resumed.
 *
 * @returns Resolves when it carries nothing more.
 */
export function stallAtFirstChunk(path: MemoryPair | undefined): Promise<void> {
  if (path === undefined) throw new Error("there is no such path");
  const { offerer } = path;
  const { promise, resolve } = Promise.withResolvers<void>();
  const send = offerer.send.bind(offerer);
  offerer.send = (message, options) => {
    const sent = send(message, options);
    if (byteLength(message) > 60_000) {
      offerer.send = send;
      path.stall();
      resolve();
    }
    return sent;
  };
  return promise;
}

/** Options of {@linkcode Pair.make}. */
export interface PairOptions {
  /** Flags of the one who sends. */
  readonly alice?: readonly string[];
  /** Flags of the one who receives. */
  readonly bob?: readonly string[];
  /** Data folder of the one who receives, that outlives this pair. */
  readonly bobsData?: string;
}

/** Alice and bob, paired in memory. Disposing stops both. */
export class Pair implements AsyncDisposable {
  readonly network: MemoryNetwork;
  readonly folder: TempFolder;
  readonly alice: LocalDaemon;
  readonly bob: LocalDaemon;
  /** Bob's identity. */
  readonly toBob: string;
  /** Alice's identity. */
  readonly toAlice: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: Pick<Pair, "network" | "folder" | "alice" | "bob" | "toBob" | "toAlice">,
    stack: AsyncDisposableStack,
  ) {
    this.network = parts.network;
    this.folder = parts.folder;
    this.alice = parts.alice;
    this.bob = parts.bob;
    this.toBob = parts.toBob;
    this.toAlice = parts.toAlice;
    this.#stack = stack;
  }

  /** Starts and pairs two daemons. */
  static async make(options: PairOptions = {}): Promise<Pair> {
    await using stack = new AsyncDisposableStack();
    const network = new MemoryNetwork();
    const folder = stack.use(await TempFolder.make());
    const alice = stack.use(await LocalDaemon.start(network, { flags: options.alice ?? [] }));
    const bob = stack.use(
      await LocalDaemon.start(network, {
        flags: options.bob ?? [],
        ...(options.bobsData === undefined ? {} : { dataDir: options.bobsData }),
      }),
    );
    const sessions = await pairBy(meetingByFile(folder), alice, bob);
    const toBob = sessions.alice.identity ?? "";
    const toAlice = sessions.bob.identity ?? "";
    return new Pair({ network, folder, alice, bob, toBob, toAlice }, stack.move());
  }

  /** Makes a file that can be sent. Gives its path. */
  async file(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const path = this.folder.path(name);
    await Deno.writeFile(path, bytes);
    return path;
  }

  /** Queues a new file for bob. */
  async send(name: string, bytes: Uint8Array<ArrayBuffer>, priority = 0): Promise<Transfer> {
    const paths = [await this.file(name, bytes)];
    const [sent] = await this.alice.client.send({ paths, identity: this.toBob, priority });
    if (sent === undefined) throw new Error("nothing was queued");
    return sent;
  }

  /**
   * A transfer to bob that flows, of more than a channel takes at once; its path carries nothing
   * more until it is resumed, so that it can't have passed before something is done about it.
   */
  async flowing(): Promise<{ readonly sent: Transfer; readonly offer: Transfer }> {
    return await this.#accepted(await this.send("long", someBytes(LONG)));
  }

  /** A transfer of a sparse file of which something has arrived, held there by alice. */
  async heldMidway(size = HELD): Promise<{ readonly sent: Transfer; readonly offer: Transfer }> {
    const path = await this.file("long", new Uint8Array());
    await Deno.truncate(path, size);
    const [queued] = await this.alice.client.send({
      paths: [path],
      identity: this.toBob,
      priority: 0,
    });
    if (queued === undefined) throw new Error("nothing was queued");
    return await this.hold(queued);
  }

  /** Has bob accept what alice sends, and alice hold it when something has arrived. */
  async hold(queued: Transfer): Promise<{ readonly sent: Transfer; readonly offer: Transfer }> {
    const { sent, offer } = await this.#accepted(queued);
    await this.alice.client.pauseTransfer(sent.transferId);
    this.goOn();
    await transferIn(this.bob, offer, "paused");
    return { sent, offer };
  }

  /** The path between them carries what is sent again. */
  goOn(): void {
    this.network.paths.at(-1)?.resume();
  }

  async #accepted(sent: Transfer): Promise<{ readonly sent: Transfer; readonly offer: Transfer }> {
    const offer = await offerOf(this.bob, String(sent.name));
    const stalled = stallAtFirstChunk(this.network.paths.at(-1));
    await this.bob.client.acceptTransfer(offer.transferId, {});
    await transferIn(this.alice, sent, "active");
    await stalled;
    return { sent, offer };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** The offer that a daemon was made, by the name of its file. */
export async function offerOf(daemon: DaemonUnderTest, name: string): Promise<Transfer> {
  const { transfer } = await daemon.event(
    "transfer-offered",
    ({ transfer }) => transfer.direction === "incoming" && transfer.name === name,
  );
  return transfer;
}

/** The transfer when it has that state, told by whatever event. */
export async function transferIn(
  daemon: DaemonUnderTest,
  { transferId }: Pick<Transfer, "transferId">,
  state: Transfer["state"],
): Promise<Transfer> {
  const type = EVENT_OF[state];
  if (type === undefined) throw new Error(`no event tells of ${state}`);
  const { transfer } = await daemon.event(
    type,
    ({ transfer }) => transfer.transferId === transferId && transfer.state === state,
  );
  return transfer;
}

const EVENT_OF = {
  queued: "transfer-queued",
  offered: "transfer-offered",
  active: "transfer-started",
  paused: "transfer-paused",
  verifying: undefined,
  completed: "transfer-finished",
  rejected: "transfer-failed",
  cancelled: "transfer-failed",
  failed: "transfer-failed",
  interrupted: "transfer-failed",
} as const;
