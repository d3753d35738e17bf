/**
 * A disk that is full for a while, between two linked daemons with everything real but the
 * connection, which is in memory: the file goes on by itself when there is space again.
 *
 * @module
 */
import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { ApiError } from "../../src/ipc/client/client.ts";
import type { Transfer } from "../../src/ipc/api/schemas.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { LocalDaemon } from "../support/daemon.ts";
import { connected, linkBoth } from "../support/links.ts";
import { lastPath, stallAfter } from "../support/memory_paths.ts";
import { SmallDisk } from "../support/small_disk.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { join } from "../support/paths.ts";
import { namesIn, Pair, sha256, someBytes, transferIn } from "../support/transfers.ts";

const MIB = 1024 ** 2;
const SIZE = 12 * MIB + 77;
/** With the reserve that a daemon leaves free, there is room for the file twice. */
const DISK_MIB = 48;

const ignore = !await SmallDisk.canMount();

/** Alice, and bob whose data folder is on a small disk; linked, and bob takes alice's files. */
class World implements AsyncDisposable {
  readonly network = new MemoryNetwork();
  readonly #stack: AsyncDisposableStack;

  private constructor(
    readonly folder: TempFolder,
    readonly disk: SmallDisk,
    readonly alicesDisk: SmallDisk,
    readonly toBob: string,
    readonly toAlice: string,
    readonly alice: LocalDaemon,
    readonly bob: LocalDaemon,
    network: MemoryNetwork,
    stack: AsyncDisposableStack,
  ) {
    this.network = network;
    this.#stack = stack;
  }

  static async make(): Promise<World> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await TempFolder.make());
    const disk = stack.use(await SmallDisk.mount(folder.path("disk"), DISK_MIB));
    const server = stack.use(startRendezvousServer());
    const network = new MemoryNetwork();
    const alicesDisk = stack.use(await SmallDisk.mount(folder.path("alices-disk"), DISK_MIB));
    const alice = stack.use(
      await LocalDaemon.start(network, { dataDir: join(alicesDisk.path, "alice") }),
    );
    const dataDir = join(disk.path, "bob");
    const bob = stack.use(await LocalDaemon.start(network, { dataDir, syncBytes: MIB }));
    const [a, b] = await linkBoth(server.url, alice, bob);
    await Promise.all([connected(alice, "bob"), connected(bob, "alice")]);
    return new World(folder, disk, alicesDisk, b, a, alice, bob, network, stack.move());
  }

  async send(name: string, content: Uint8Array, expireSecs?: number): Promise<Transfer> {
    const path = this.folder.path(name);
    await Deno.writeFile(path, content);
    const [sent] = await this.alice.client.send({
      paths: [path],
      identity: this.toBob,
      ...(expireSecs === undefined ? {} : { expireSecs }),
    });
    assert(sent !== undefined);
    return sent;
  }

  /** The transfer when it waits for space. */
  async waitsForSpace({ transferId }: Transfer): Promise<Transfer> {
    const { transfer } = await this.alice.event(
      "transfer-queued",
      ({ transfer }) => transfer.transferId === transferId && transfer.waitingFor === "peer-space",
    );
    return transfer;
  }

  /** Bob has it, once, and it is what was sent. */
  async assertArrived(name: string, content: Uint8Array): Promise<void> {
    const { files } = await this.bob.client.listReceived({});
    assertEquals(files.filter(({ path }) => path.endsWith(`/${name}`)).length, 1);
    assertEquals(sha256(await Deno.readFile(join(this.bob.inbox, name))), sha256(content));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

Deno.test({
  name: "a file that the peer's full disk stops midway goes on from there when space is freed",
  ignore,
  fn: async () => {
    await using world = await World.make();
    const { alice, bob } = world;
    const content = someBytes(SIZE);
    const stalled = stallAfter(lastPath(world.network), 4 * MIB);
    const sent = await world.send("backup", content);
    await stalled;
    {
      using _filler = await world.disk.fill();
      lastPath(world.network).resume();
      const { state, nextTryAt = "", expiresAt } = await world.waitsForSpace(sent);
      assertEquals([state, nextTryAt > "2", expiresAt], ["queued", true, sent.expiresAt]);
      // It is tried again and again: bob tells of it once.
      await alice.event(
        "transfer-queued",
        ({ transfer }) =>
          transfer.nextTryAt !== undefined &&
          Date.parse(transfer.nextTryAt) > Date.parse(nextTryAt),
      );
      const failed = bob.events.flatMap((event) =>
        event.type === "transfer-failed" ? [event.transfer] : []
      );
      assertEquals(failed.map(({ failure }) => failure?.code), ["DISK_FULL"]);
      assertGreater(failed[0]?.keptBytes ?? 0, MIB);
    }
    const { resumedFrom = 0, confirmed } = await transferIn(alice, sent, "completed");
    assertEquals(confirmed, true);
    assertGreater(resumedFrom, MIB);
    await world.assertArrived("backup", content);
    assertEquals(await namesIn(bob.inbox), ["backup"]);
    assertEquals(alice.events.filter(({ type }) => type === "transfer-failed"), []);
  },
});

Deno.test({
  name: "what fits goes past a file that the peer has no space for, which arrives once there is",
  ignore,
  fn: async () => {
    await using world = await World.make();
    const { alice } = world;
    const large = join(world.disk.path, "large");
    await Deno.writeFile(large, new Uint8Array((DISK_MIB - 20) * MIB));
    const content = someBytes(SIZE);
    const sent = await world.send("large", content);
    await world.waitsForSpace(sent);
    const small = await world.send("small", someBytes(10));
    await transferIn(alice, small, "completed");
    assertEquals((await alice.client.getTransfer(sent.transferId)).state, "queued");
    await Deno.remove(large);
    await transferIn(alice, sent, "completed");
    await world.assertArrived("large", content);
    await world.assertArrived("small", someBytes(10));
  },
});

Deno.test({
  name: "a file for which the peer has no space is given up when its time is over, which says why",
  ignore,
  fn: async () => {
    await using world = await World.make();
    using _filler = await world.disk.fill();
    const sent = await world.send("backup", someBytes(SIZE), 2);
    await world.waitsForSpace(sent);
    const { failure } = await transferIn(world.alice, sent, "interrupted");
    assertEquals(failure?.code, "TRANSFER_EXPIRED");
    assert(String(failure?.message).startsWith("the peer had no space for it"));
  },
});

Deno.test({
  name:
    "files for a linked peer that the sender's full disk can't keep are refused, all of them, and none is sent",
  ignore,
  fn: async () => {
    await using world = await World.make();
    const { alice, bob, folder, toBob: identity } = world;
    // More than fits into what the journal's last block has left.
    const paths = await Promise.all(Array.from({ length: 40 }, async (_, n) => {
      const path = folder.path(`file-${n}`);
      await Deno.writeTextFile(path, `${n}`);
      return path;
    }));
    for (const request of [{ paths, identity }, { paths, identity, idempotencyKey: "nightly" }]) {
      {
        using _filler = await world.alicesDisk.fill();
        const refusal = await assertRejects(() => alice.client.send(request), ApiError);
        assertEquals(refusal.code, "STORAGE_FAILED");
        assertEquals((await alice.client.listTransfers({})).transfers, []);
      }
    }
    const sent = await alice.client.send({ paths, identity, idempotencyKey: "nightly" });
    for (const one of sent) await transferIn(alice, one, "completed");
    assertEquals((await namesIn(bob.inbox)).length, paths.length);
  },
});

Deno.test({
  name: "without a link a full disk ends the file as before, with the peer's reason",
  ignore,
  fn: async () => {
    await using folder = await TempFolder.make();
    await using disk = await SmallDisk.mount(folder.path("disk"), DISK_MIB);
    await using pair = await Pair.make({ bob: ["--inbox", join(disk.path, "inbox")] });
    await pair.bob.client.setAutoAccept(pair.toAlice, { enabled: true });
    using _filler = await disk.fill();
    const path = folder.path("backup");
    await Deno.writeFile(path, someBytes(SIZE));
    const [sent] = await pair.alice.client.send({ paths: [path], identity: pair.toBob });
    assert(sent !== undefined);
    const { failure } = await transferIn(pair.alice, sent, "failed");
    assertEquals(failure?.code, "LIMIT_EXCEEDED");
    assertEquals(
      String(failure?.message),
      "the peer can't take the file: there is not enough space for it",
    );
  },
});
