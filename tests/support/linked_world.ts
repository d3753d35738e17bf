/**
 * Two linked daemons, with everything real but the connection, which is in memory.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import type { Transfer } from "../../src/ipc/api/schemas.ts";
import { ApiError } from "../../src/ipc/client/client.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { LocalDaemon } from "./daemon.ts";
import { addLink, connected, identityOf, linkBetween } from "./links.ts";
import { copyFolder } from "./memory_paths.ts";
import { TempFolder } from "./temp_folder.ts";
import { someBytes } from "./transfers.ts";

const MIB = 1024 ** 2;
/** Many times what a channel takes at once. */
const SIZE = 12 * MIB + 77;
const SYNC = MIB;

type Who = "alice" | "bob";
type Flags = Readonly<Record<Who, readonly string[]>>;

/** Two linked daemons, over folders that outlive them. Alice makes the offers of connections. */
export class World implements AsyncDisposable {
  readonly network = new MemoryNetwork();
  readonly server = startRendezvousServer();
  readonly data: Record<Who, string>;
  readonly toBob: string = "";
  readonly toAlice: string = "";
  alice: LocalDaemon | undefined;
  bob: LocalDaemon | undefined;

  private constructor(readonly folder: TempFolder, readonly flags: Flags) {
    this.data = { alice: folder.path("alice"), bob: folder.path("bob") };
  }

  /** Links both, and has bob take alice's files without asking. Both are stopped then. */
  static async make(flags: Partial<Flags> = {}): Promise<World> {
    const world = new World(await TempFolder.make(), { alice: [], bob: [], ...flags });
    const [alice, bob] = [await world.start("alice"), await world.start("bob")];
    const ids = { alice: await identityOf(alice), bob: await identityOf(bob) };
    Object.assign(world, { toBob: ids.bob, toAlice: ids.alice });
    const told = linkBetween(
      world.server.url,
      { name: "alice", identity: ids.alice },
      { name: "bob", identity: ids.bob },
    );
    await addLink(alice, told.offerer);
    await addLink(bob, told.answerer);
    await bob.client.setAutoAccept(ids.alice, { enabled: true });
    await world.stop("alice");
    await world.stop("bob");
    return world;
  }

  async start(who: Who): Promise<LocalDaemon> {
    const options = { dataDir: this.data[who], flags: this.flags[who], syncBytes: SYNC };
    return this[who] = await LocalDaemon.start(this.network, options);
  }

  /** Starts both, and waits until they are connected. */
  async startBoth(): Promise<{ readonly alice: LocalDaemon; readonly bob: LocalDaemon }> {
    const [alice, bob] = [await this.start("alice"), await this.start("bob")];
    await Promise.all([connected(alice, "bob"), connected(bob, "alice")]);
    return { alice, bob };
  }

  /** Stops one in order. */
  async stop(who: Who): Promise<void> {
    await this[who]?.stop();
    await this[who]?.[Symbol.asyncDispose]();
    this[who] = undefined;
  }

  /** Ends one; its next start finds what a crash at this moment would leave. */
  async crash(who: Who): Promise<void> {
    const copy = this.folder.path(crypto.randomUUID());
    await copyFolder(this.data[who], copy);
    this.network.paths.at(-1)?.lose();
    await this[who]?.[Symbol.asyncDispose]();
    this[who] = undefined;
    this.data[who] = copy;
  }

  async file(name: string, bytes = someBytes(SIZE)): Promise<string> {
    const path = this.folder.path(name);
    await Deno.writeFile(path, bytes);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.alice?.[Symbol.asyncDispose]();
    await this.bob?.[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

/** Queues one file. */
export async function send(
  { client }: LocalDaemon,
  identity: string,
  path: string,
  more: { readonly priority?: number; readonly expireSecs?: number } = {},
): Promise<Transfer> {
  const [sent] = await client.send({ paths: [path], identity, ...more });
  assert(sent !== undefined);
  return sent;
}

/** Fails unless the call is refused with this code. */
export async function refuses(code: string, call: () => Promise<unknown>): Promise<void> {
  assertEquals((await assertRejects(call, ApiError)).code, code);
}
