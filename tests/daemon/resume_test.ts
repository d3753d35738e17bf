/**
 * Files that were lost on their way and go on in another session, between two daemons in memory.
 *
 * @module
 */
import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { byteLength } from "../../src/transport/receive_buffer.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import type { Transfer } from "../../src/ipc/api/schemas.ts";
import {
  LocalDaemon,
  type LocalDaemonOptions,
  meetingByFile,
  openedSession,
  pairBy,
} from "../support/daemon.ts";
import { copyFolder, lastPath, muteAfterOneMessage, stallAfter } from "../support/memory_paths.ts";
import { join } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { namesIn, sha256, someBytes, transferIn } from "../support/transfers.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** A chunk with the binary encoding. */
const CHUNK = 128 * KIB;
/** Many times what a channel takes at once. */
const SIZE = 12 * MIB + 77;
const SYNC = MIB;

type Who = "alice" | "bob";

/** Two data folders whose daemons come and go, and what is sent between them. */
class World implements AsyncDisposable {
  readonly network = new MemoryNetwork();
  readonly folder: TempFolder;
  readonly flags: { alice: readonly string[]; bob: readonly string[] };
  readonly data: Record<Who, string>;
  alice!: LocalDaemon;
  bob!: LocalDaemon;
  toBob = "";

  private constructor(folder: TempFolder, flags: World["flags"]) {
    this.folder = folder;
    this.flags = flags;
    this.data = { alice: folder.path("alice"), bob: folder.path("bob") };
  }

  /** Two that are pinned to each other, and connected. */
  static async make(flags: Partial<World["flags"]> = {}): Promise<World> {
    const world = new World(await TempFolder.make(), { alice: [], bob: [], ...flags });
    for (const who of ["alice", "bob"] as const) await world.start(who);
    const { alice, bob } = world;
    const sessions = await pairBy(meetingByFile(world.folder), alice, bob);
    world.toBob = sessions.alice.identity ?? "";
    return world;
  }

  /** Starts one, over its folder. */
  async start(who: Who, options: LocalDaemonOptions = {}): Promise<void> {
    this[who] = await LocalDaemon.start(this.network, {
      dataDir: this.data[who],
      flags: this.flags[who],
      syncBytes: SYNC,
      ...options,
    });
  }

  /** Stops one in order, and starts it again. */
  async restart(who: Who): Promise<void> {
    await this[who].stop();
    await this[who][Symbol.asyncDispose]();
    await this.start(who);
  }

  /** What a crash at this moment would leave of one is what its next start finds. */
  async crash(who: Who): Promise<void> {
    const copy = this.folder.path(crypto.randomUUID());
    await copyFolder(this.data[who], copy);
    this.network.paths.at(-1)?.lose();
    await this[who][Symbol.asyncDispose]();
    this.data[who] = copy;
    await this.start(who);
  }

  /** Connects the two, who know each other. */
  async connect(): Promise<void> {
    const { offerer, answerer } = meetingByFile(this.folder);
    const [forAlice, forBob] = [await this.alice.pair(offerer), await this.bob.pair(answerer)];
    await openedSession(this.alice, forAlice);
    await openedSession(this.bob, forBob);
  }

  async file(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const path = this.folder.path(name);
    await Deno.writeFile(path, bytes);
    return path;
  }

  /** Queues a file for bob. */
  async send(path: string): Promise<Transfer> {
    const [sent] = await this.alice.client.send({
      paths: [path],
      identity: this.toBob,
      priority: 0,
    });
    if (sent === undefined) throw new Error("nothing was queued");
    return sent;
  }

  /** Sends a file that bob accepts, and stops its path when so many bytes went over it. */
  async sendUntil(path: string, bytes: number): Promise<{ sent: Transfer; offer: Transfer }> {
    const stalled = this.stallAfter(bytes);
    const sent = await this.send(path);
    const offer = await this.offered(sent);
    await this.bob.client.acceptTransfer(offer.transferId, {});
    await stalled;
    return { sent, offer };
  }

  /** The offer at bob that belongs to what alice sends. */
  async offered(sent: Transfer): Promise<Transfer> {
    const { transfer } = await this.alice.event(
      "transfer-offered",
      ({ transfer }) => transfer.transferId === sent.transferId,
    );
    const id = transfer.protocolTransferId;
    return (await this.bob.event(
      "transfer-offered",
      ({ transfer }) => transfer.protocolTransferId === id,
    )).transfer;
  }

  /** Stops the present path when so many bytes of alice's went over it. */
  stallAfter(bytes: number): Promise<void> {
    return stallAfter(lastPath(this.network), bytes);
  }

  /** Counts the bytes that alice sends over the present path. */
  counted(): () => number {
    const path = lastPath(this.network);
    let bytes = 0;
    const send = path.offerer.send.bind(path.offerer);
    path.offerer.send = (message, options) => {
      bytes += byteLength(message);
      return send(message, options);
    };
    return () => bytes;
  }

  /** Cuts the path that was stopped; both have told how their transfers ended. */
  async cut({ sent, offer }: { sent: Transfer; offer: Transfer }): Promise<Transfer> {
    this.network.paths.at(-1)?.lose();
    await transferIn(this.alice, sent, "interrupted");
    return await transferIn(this.bob, offer, "interrupted");
  }

  /** Sends a file again that goes on by itself, to its end. */
  async goesOn(path: string): Promise<{ sent: Transfer; received: Transfer }> {
    const again = await this.send(path);
    const offer = await this.offered(again);
    const received = await transferIn(this.bob, offer, "completed");
    return { sent: await transferIn(this.alice, again, "completed"), received };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.alice?.[Symbol.asyncDispose]();
    await this.bob?.[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

/** Whether that file alone is in bob's inbox, with its content. */
async function assertArrived(
  { bob }: World,
  content: Uint8Array,
  name = "backup.bin",
): Promise<void> {
  assertEquals(await namesIn(bob.inbox), [name]);
  assertEquals(sha256(await Deno.readFile(join(bob.inbox, name))), sha256(content));
}

for (
  const [encoding, flags, chunk] of [
    ["binary", [], CHUNK],
    ["as published", ["--extensions", "proven-identity,resume"], 64 * KIB],
  ] as const
) {
  Deno.test(`a file whose path is cut goes on in the next session without anybody being asked, encoding ${encoding}`, async () => {
    await using world = await World.make({ alice: flags });
    const content = someBytes(SIZE);
    const path = await world.file("backup.bin", content);
    const ended = await world.cut(await world.sendUntil(path, 4 * MIB));
    const kept = ended.keptBytes ?? 0;
    // All that has come is kept, not only what was synced in between.
    assertGreater(kept, MIB);
    assertEquals([kept, kept % chunk], [ended.transferred, 0]);
    await world.connect();
    const bytes = world.counted();
    const { sent, received } = await world.goesOn(path);
    assertEquals([sent.resumedFrom, received.resumedFrom], [kept, kept]);
    assertEquals([sent.confirmed, sent.transferred, received.transferred], [true, SIZE, SIZE]);
    assertLessOrEqual(bytes(), (SIZE - kept) * (encoding === "binary" ? 1.01 : 1.8) + 4 * KIB);
    await assertArrived(world, content);
    // Neither the part nor what was known of it is left.
    const earlier = await world.bob.client.getTransfer(ended.transferId);
    assertEquals([earlier.state, earlier.keptBytes], ["interrupted", undefined]);
  });
}

Deno.test("it goes on with chunks of another size", async () => {
  await using world = await World.make({ alice: ["--extensions", "proven-identity,resume"] });
  const content = someBytes(SIZE);
  const path = await world.file("backup.bin", content);
  const small = 64 * KIB;
  let kept = 0;
  // Until what is kept is no number of larger chunks.
  for (let i = 0; kept % CHUNK === 0; i++) {
    const { sent, offer } = await world.sendUntil(path, (i + 1) * 100 * KIB + 2 * MIB);
    kept = (await world.cut({ sent, offer })).keptBytes ?? 0;
    assertEquals(kept % small, 0);
    if (kept % CHUNK === 0) {
      await Deno.writeFile(path, content.fill(i, 0, 1)); // another file
      await world.connect();
    }
  }
  world.flags.alice = [];
  await world.restart("alice");
  await world.connect();
  const { received } = await world.goesOn(path);
  assertEquals(received.resumedFrom, kept - small);
  assertEquals(
    sha256(await Deno.readFile(join(world.bob.inbox, "backup.bin"))),
    sha256(content),
  );
});

for (const who of ["alice", "bob"] as const) {
  Deno.test(`a file goes on after ${who}'s daemon stopped in order and started again`, async () => {
    await using world = await World.make();
    const content = someBytes(SIZE);
    const path = await world.file("backup.bin", content);
    const { sent, offer } = await world.sendUntil(path, 4 * MIB);
    const other = who === "alice" ? world.bob : world.alice;
    const stopping = world.restart(who);
    await world[who].event("daemon-stopping");
    world.network.paths.at(-1)?.resume();
    await transferIn(other, who === "alice" ? offer : sent, "interrupted");
    await stopping;
    const ended = await world.bob.client.getTransfer(offer.transferId);
    assertEquals(ended.state, "interrupted");
    await world.connect();
    const { received } = await world.goesOn(path);
    // Nothing that has come is sent again.
    assertEquals(received.resumedFrom, ended.keptBytes);
    await assertArrived(world, content);
  });

  Deno.test(`a file goes on after a crash of ${who}'s daemon`, async () => {
    await using world = await World.make();
    const content = someBytes(SIZE);
    const path = await world.file("backup.bin", content);
    const { offer } = await world.sendUntil(path, 5 * MIB);
    const { transferred } = await world.bob.client.getTransfer(offer.transferId);
    await world.crash(who);
    if (who === "alice") await transferIn(world.bob, offer, "interrupted");
    const { state, keptBytes = 0 } = await world.bob.client.getTransfer(offer.transferId);
    assertEquals(state, "interrupted");
    if (who === "bob") {
      // No more is believed than was journaled, and that is not long ago.
      assertLessOrEqual(keptBytes, transferred);
      assertLess(transferred - keptBytes, SYNC + CHUNK);
      const part = join(world.bob.inbox, `.${offer.transferId}.part`);
      assertEquals((await Deno.stat(part)).size, keptBytes);
    }
    await world.connect();
    const { received } = await world.goesOn(path);
    assertEquals(received.resumedFrom, keptBytes);
    await assertArrived(world, content);
  });
}

Deno.test("a file that arrived whose sender died, or lost the path, before it heard of it, arrives once", async () => {
  for (const size of [0, 1, CHUNK, SIZE]) {
    for (const how of ["lost", "alice dies", "bob dies"] as const) {
      await using world = await World.make();
      const content = someBytes(size);
      const path = await world.file("backup.bin", content);
      const sent = await world.send(path);
      const offer = await world.offered(sent);
      // What bob says after his accept does not arrive.
      const lane = lastPath(world.network);
      muteAfterOneMessage(lane);
      await world.bob.client.acceptTransfer(offer.transferId, {});
      await transferIn(world.bob, offer, "completed");
      if (how === "lost") {
        lane.lose();
        await transferIn(world.alice, sent, "interrupted");
      } else await world.crash(how === "alice dies" ? "alice" : "bob");
      const { state } = await world.alice.client.getTransfer(sent.transferId);
      assertEquals(state, "interrupted", `${size} bytes, ${how}`);
      await world.connect();
      const bytes = world.counted();
      const again = await world.send(path);
      const { confirmed, resumedFrom } = await transferIn(world.alice, again, "completed");
      assertEquals([confirmed, resumedFrom], [true, size]);
      assertLessOrEqual(bytes(), 4 * KIB);
      await assertArrived(world, content);
      // One file arrived, so one transfer is told of.
      const { transfers } = await world.bob.client.listTransfers({ limit: 10 });
      assertEquals(transfers.map(({ state }) => state), ["completed"]);
    }
  }
});

Deno.test("sent again on purpose after it was confirmed, a file arrives twice", async () => {
  await using world = await World.make();
  const path = await world.file("twice", someBytes(1000));
  for (const name of ["twice", "twice (1)"]) {
    const sent = await world.send(path);
    await world.bob.client.acceptTransfer((await world.offered(sent)).transferId, {});
    await transferIn(world.alice, sent, "completed");
    assert((await namesIn(world.bob.inbox)).includes(name));
  }
});

Deno.test("two transfers of one file: the part is one's, and both arrive", async () => {
  await using world = await World.make();
  const content = someBytes(SIZE);
  const path = await world.file("backup.bin", content);
  const ended = await world.cut(await world.sendUntil(path, 4 * MIB));
  await world.connect();
  const [first, second] = [await world.send(path), await world.send(path)];
  const received = await transferIn(world.bob, await world.offered(first), "completed");
  assertEquals(received.resumedFrom, ended.keptBytes);
  const offer = await world.offered(second);
  assertEquals((await world.bob.client.getTransfer(offer.transferId)).state, "offered");
  await world.bob.client.acceptTransfer(offer.transferId, {});
  assertEquals((await transferIn(world.bob, offer, "completed")).resumedFrom, undefined);
  assertEquals(await namesIn(world.bob.inbox), ["backup (1).bin", "backup.bin"]);
});

Deno.test("a source that has changed is another file: somebody is asked, and it starts at its first byte", async () => {
  await using world = await World.make();
  const path = await world.file("backup.bin", someBytes(SIZE));
  await world.cut(await world.sendUntil(path, 4 * MIB));
  const content = someBytes(SIZE, 1);
  await Deno.writeFile(path, content);
  await world.connect();
  const again = await world.send(path);
  const offer = await world.offered(again);
  assertEquals((await world.bob.client.getTransfer(offer.transferId)).state, "offered");
  await world.bob.client.acceptTransfer(offer.transferId, {});
  const received = await transferIn(world.bob, offer, "completed");
  assertEquals(received.resumedFrom, undefined);
  await transferIn(world.alice, again, "completed");
  assertEquals(
    sha256(await Deno.readFile(join(world.bob.inbox, "backup.bin"))),
    sha256(content),
  );
});

Deno.test("consent goes on once: a second loss that brought nothing on is asked about again", async () => {
  await using world = await World.make();
  const content = someBytes(SIZE);
  const path = await world.file("backup.bin", content);
  const first = await world.cut(await world.sendUntil(path, 4 * MIB));
  await world.connect();
  // Goes on by itself, and is lost at once.
  const lane = world.stallAfter(CHUNK);
  const sent = await world.send(path);
  const offer = await world.offered(sent);
  await lane;
  const second = await world.cut({ sent, offer });
  assertEquals([first.keptBytes ?? 0, second.resumedFrom], [second.resumedFrom, first.keptBytes]);
  await world.connect();
  const again = await world.send(path);
  const asked = await world.offered(again);
  assertEquals((await world.bob.client.getTransfer(asked.transferId)).waitingFor, "decision");
  await world.bob.client.acceptTransfer(asked.transferId, {});
  const received = await transferIn(world.bob, asked, "completed");
  assertEquals(received.resumedFrom, second.keptBytes);
  await assertArrived(world, content);
});

Deno.test("a try that brought the file on gives consent to the next", async () => {
  await using world = await World.make();
  const content = someBytes(SIZE);
  const path = await world.file("backup.bin", content);
  await world.cut(await world.sendUntil(path, 3 * MIB));
  for (let i = 0; i < 2; i++) {
    await world.connect();
    const lane = world.stallAfter(3 * MIB);
    const sent = await world.send(path);
    const offer = await world.offered(sent);
    await lane;
    await world.cut({ sent, offer });
  }
  await world.connect();
  await world.goesOn(path);
  await assertArrived(world, content);
});

/** Sends a file that bob's rule takes, and cuts it off after so many bytes. */
async function cutOfRule(world: World, path: string, bytes: number): Promise<Transfer> {
  const stalled = world.stallAfter(bytes);
  const sent = await world.send(path);
  const offer = await world.offered(sent);
  await stalled;
  return await world.cut({ sent, offer });
}

Deno.test("what a rule has taken has nobody's consent: turned off, it is asked about when it goes on", async () => {
  await using world = await World.make();
  const { identity } = await world.alice.client.status();
  const content = someBytes(SIZE);
  const path = await world.file("backup.bin", content);
  await world.bob.client.setAutoAccept(identity, { enabled: true });
  const ended = await cutOfRule(world, path, 4 * MIB);
  await world.bob.client.setAutoAccept(identity, { enabled: false });
  await world.connect();
  const sent = await world.send(path);
  const offer = await world.offered(sent);
  assertEquals((await world.bob.client.getTransfer(offer.transferId)).waitingFor, "decision");
  await world.bob.client.acceptTransfer(offer.transferId, {});
  const received = await transferIn(world.bob, offer, "completed");
  assertEquals(received.resumedFrom, ended.keptBytes);
  await assertArrived(world, content);
});

Deno.test("a file that a rule takes and that goes on counts for the day", async () => {
  await using world = await World.make();
  const { identity } = await world.alice.client.status();
  const content = someBytes(SIZE);
  const path = await world.file("backup.bin", content);
  await world.bob.client.setAutoAccept(identity, { enabled: true, perDay: 1 });
  const ended = await cutOfRule(world, path, 4 * MIB);
  await world.connect();
  const { received } = await world.goesOn(path);
  assertEquals(received.resumedFrom, ended.keptBytes);
  await assertArrived(world, content);
  const sent = await world.send(await world.file("second.bin", someBytes(10)));
  const offer = await world.offered(sent);
  await world.bob.client.metrics();
  assertEquals((await world.bob.client.getTransfer(offer.transferId)).waitingFor, "decision");
});

Deno.test("consent is to one name: under another the part is used, and somebody is asked", async () => {
  await using world = await World.make();
  const content = someBytes(SIZE);
  const path = await world.file("backup.bin", content);
  const ended = await world.cut(await world.sendUntil(path, 4 * MIB));
  await world.connect();
  const other = await world.file("other.bin", content);
  const sent = await world.send(other);
  const offer = await world.offered(sent);
  assertEquals((await world.bob.client.getTransfer(offer.transferId)).waitingFor, "decision");
  await world.bob.client.acceptTransfer(offer.transferId, {});
  const received = await transferIn(world.bob, offer, "completed");
  assertEquals(received.resumedFrom, ended.keptBytes);
  await assertArrived(world, content, "other.bin");
});

Deno.test("the name that was chosen for a file is the name that it gets when it goes on", async () => {
  await using world = await World.make();
  const content = someBytes(SIZE);
  const path = await world.file("backup.bin", content);
  const stalled = world.stallAfter(4 * MIB);
  const sent = await world.send(path);
  const offer = await world.offered(sent);
  await world.bob.client.acceptTransfer(offer.transferId, { name: "mine.bin" });
  await stalled;
  await world.cut({ sent, offer });
  await world.restart("bob");
  await world.connect();
  await world.goesOn(path);
  await assertArrived(world, content, "mine.bin");
});

for (const how of ["alice cancels", "bob cancels", "untrust", "deny"] as const) {
  Deno.test(`${how}: part and consent are gone`, async () => {
    await using world = await World.make();
    const content = someBytes(SIZE);
    const path = await world.file("backup.bin", content);
    const { alice, bob } = world;
    const toAlice = (await alice.client.status()).identity;
    const lost = await world.sendUntil(path, 4 * MIB);
    if (how === "alice cancels" || how === "bob cancels") {
      world.network.paths.at(-1)?.resume();
      const [who, { transferId }] = how === "alice cancels"
        ? [alice, lost.sent] as const
        : [bob, lost.offer] as const;
      await who.client.cancelTransfer(transferId);
      await transferIn(bob, lost.offer, "cancelled");
    } else {
      await world.cut(lost);
      assertEquals((await namesIn(bob.inbox)).length, 1);
      if (how === "untrust") await bob.client.untrust(toAlice);
      else await bob.client.trust(toAlice, { decision: "deny_always" });
    }
    assertEquals(await namesIn(bob.inbox), []);
    assertEquals(
      (await bob.client.getTransfer(lost.offer.transferId)).keptBytes,
      undefined,
    );
  });
}

Deno.test("nothing is kept of a peer that is let in once, of one that proves nothing, and where --on-interrupt remove is", async () => {
  const cases = [
    { flags: { bob: ["--on-interrupt", "remove"] }, once: false },
    { flags: { alice: ["--extensions", "none"] }, once: false },
    { flags: { alice: ["--extensions", "binary-encoding,proven-identity"] }, once: false },
    { flags: {}, once: true },
  ];
  for (const { flags, once } of cases) {
    await using world = await World.make(flags);
    if (once) {
      const toAlice = (await world.alice.client.status()).identity;
      await world.bob.client.untrust(toAlice);
      const { offerer, answerer } = meetingByFile(world.folder);
      const [forAlice, forBob] = [
        await world.alice.pair(offerer),
        await world.bob.pair(answerer),
      ];
      const { pairing } = await world.bob.event(
        "pairing-requested",
        ({ pairing }) => pairing.sessionId === forBob.sessionId,
      );
      const { pairingId, sas } = pairing;
      await world.bob.client.decidePairing(pairingId, { decision: "allow_once", sas });
      await openedSession(world.alice, forAlice);
    }
    const content = someBytes(SIZE);
    const path = await world.file("backup.bin", content);
    await world.cut(await world.sendUntil(path, 4 * MIB));
    assertEquals(await namesIn(world.bob.inbox), []);
  }
});

Deno.test("to and from a peer without the extension a file is sent whole again", async () => {
  for (const who of ["alice", "bob"] as const) {
    await using world = await World.make();
    const content = someBytes(SIZE);
    const path = await world.file("backup.bin", content);
    await world.cut(await world.sendUntil(path, 4 * MIB));
    world.flags[who] = ["--extensions", "binary-encoding,proven-identity"];
    await world.restart(who);
    await world.connect();
    const again = await world.send(path);
    const offer = await world.offered(again);
    await world.bob.client.acceptTransfer(offer.transferId, {});
    const received = await transferIn(world.bob, offer, "completed");
    assertEquals(received.resumedFrom, undefined);
    await transferIn(world.alice, again, "completed");
    await assertArrived(world, content);
  }
});

for (
  const [what, spoil] of [
    ["a byte of it is another", async (part: string) => {
      using file = await Deno.open(part, { write: true });
      await file.seek(1000, Deno.SeekMode.Start);
      await file.write(new Uint8Array([1, 2, 3]));
    }],
    ["it is shorter", (part: string) => Deno.truncate(part, MIB)],
    ["it is gone", (part: string) => Deno.remove(part)],
    ["a link is in its place", async (part: string) => {
      await Deno.rename(part, `${part}.away`);
      await Deno.symlink(`${part}.away`, part);
    }],
    ["it has a second name", (part: string) => Deno.link(part, `${part}.away`)],
    ["a folder is in its place", async (part: string) => {
      await Deno.remove(part);
      await Deno.mkdir(part);
    }],
  ] as const
) {
  Deno.test(`a kept part that is not what it was, ${what}: the file comes anew from its first byte`, async () => {
    await using world = await World.make();
    const content = someBytes(SIZE);
    const path = await world.file("backup.bin", content);
    const ended = await world.cut(await world.sendUntil(path, 4 * MIB));
    const part = join(world.bob.inbox, `.${ended.transferId}.part`);
    await spoil(part);
    const away = await Deno.readFile(`${part}.away`).catch(() => undefined);
    await world.connect();
    const { received } = await world.goesOn(path);
    assertEquals(received.resumedFrom, undefined);
    assertEquals(
      sha256(await Deno.readFile(join(world.bob.inbox, "backup.bin"))),
      sha256(content),
    );
    // What a link leads to is not touched.
    if (away !== undefined) assertEquals(await Deno.readFile(`${part}.away`), away);
  });
}

Deno.test("another peer that offers the same file neither gets its part nor its consent, nor is it told that it has arrived", async () => {
  await using world = await World.make();
  const content = someBytes(SIZE);
  const path = await world.file("backup.bin", content);
  const ended = await world.cut(await world.sendUntil(path, 4 * MIB));
  await using eve = await LocalDaemon.start(world.network);
  await pairBy(meetingByFile(world.folder), eve, world.bob);
  const send = async () => {
    const [sent] = await eve.client.send({ paths: [path], identity: world.toBob, priority: 0 });
    if (sent === undefined) throw new Error("nothing was queued");
    const { transfer } = await eve.event(
      "transfer-offered",
      ({ transfer }) => transfer.transferId === sent.transferId,
    );
    const { transfer: offer } = await world.bob.event(
      "transfer-offered",
      (event) => event.transfer.protocolTransferId === transfer.protocolTransferId,
    );
    assertEquals((await world.bob.client.getTransfer(offer.transferId)).waitingFor, "decision");
    await world.bob.client.acceptTransfer(offer.transferId, {});
    assertEquals((await transferIn(world.bob, offer, "completed")).resumedFrom, undefined);
    const { resumedFrom } = await transferIn(eve, sent, "completed");
    assertEquals(resumedFrom, undefined);
  };
  await send();
  // The other's part is untouched.
  assertEquals(
    (await world.bob.client.getTransfer(ended.transferId)).keptBytes,
    ended.keptBytes,
  );
  await world.connect();
  assertEquals((await world.goesOn(path)).received.resumedFrom, ended.keptBytes);
});

Deno.test("an offer of what another session still saves waits for its end", async () => {
  await using world = await World.make({ alice: ["--shutdown-timeout-secs", "1"] });
  const content = someBytes(SIZE);
  const path = await world.file("backup.bin", content);
  const lost = await world.sendUntil(path, 4 * MIB);
  // Alice is gone and comes again, before bob has noticed.
  await world.alice[Symbol.asyncDispose]();
  await world.start("alice");
  await world.connect();
  const { received } = await world.goesOn(path);
  const ended = await transferIn(world.bob, lost.offer, "interrupted");
  assertGreater(received.resumedFrom ?? 0, 0);
  assertEquals(ended.failure?.code, "CONNECTION_LOST");
  await assertArrived(world, content);
});
