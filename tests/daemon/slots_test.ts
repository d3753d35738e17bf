/**
 * A slot is held by what flows: whoever decides, pauses or is silent holds up their own transfer
 * and nobody else's. All with the default of one transfer at once.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ApiError } from "../../src/ipc/client/client.ts";
import type { Transfer } from "../../src/ipc/api/schemas.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { type DaemonUnderTest, LocalDaemon, meetingByFile, pairBy } from "../support/daemon.ts";
import { HandDrivenPeer } from "../support/hand_driven_peer.ts";
import { join } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";
import {
  LONG,
  namesIn,
  offerOf,
  Pair,
  sha256,
  SHORT,
  someBytes,
  stallAtFirstChunk,
  transferIn,
} from "../support/transfers.ts";

Deno.test("a queue that is full leaves room for what comes in, also in the journal", async () => {
  await using pair = await Pair.make();
  const { alice, bob } = pair;
  const path = await pair.file("a", someBytes(1));
  const hundred = { paths: Array.from({ length: 100 }, () => path), priority: 0 };
  // The first is offered, which nobody decides about: the rest is what waits.
  const to = { ...hundred, identity: pair.toBob };
  for (let i = 0; i < 10; i++) await alice.client.send(to);
  await offerOf(bob, "a");
  await alice.client.send({ ...to, paths: [path] });
  await assertRejects(() => alice.client.send({ ...to, paths: [path] }), ApiError, "may");
  await using peer = await HandDrivenPeer.meet(pair.network, pair.folder, alice);
  await peer.befriend(alice);
  peer.offer({ filename: "in", size: 10, fileHash: "00".repeat(32) });
  const { transferId } = await offerOf(alice, "in");
  const journal = await Deno.readTextFile(join(alice.dataDir, "journal.ndjson"));
  assert(journal.includes(transferId));
});

/** The transfer as it is now. */
const now = (daemon: DaemonUnderTest, { transferId }: Pick<Transfer, "transferId">) =>
  daemon.client.getTransfer(transferId);

/** Three daemons, each paired with each. */
class Three implements AsyncDisposable {
  readonly #identities = new Map<LocalDaemon, string>();

  private constructor(
    readonly network: MemoryNetwork,
    readonly folder: TempFolder,
    readonly all: readonly [LocalDaemon, LocalDaemon, LocalDaemon],
    readonly stack: AsyncDisposableStack,
  ) {}

  static async make(): Promise<Three> {
    await using stack = new AsyncDisposableStack();
    const network = new MemoryNetwork();
    const folder = stack.use(await TempFolder.make());
    const start = async () => stack.use(await LocalDaemon.start(network));
    const all = [await start(), await start(), await start()] as const;
    const [a, b, c] = all;
    const three = new Three(network, folder, all, stack.move());
    for (const daemon of all) {
      three.#identities.set(daemon, (await daemon.client.status()).identity);
    }
    for (const [one, other] of [[a, b], [b, c], [c, a]] as const) {
      await pairBy(meetingByFile(folder), one, other);
    }
    return three;
  }

  async send(
    from: LocalDaemon,
    to: LocalDaemon,
    name: string,
    length = 10,
    priority = 0,
  ): Promise<Transfer> {
    const path = this.folder.path(name);
    await Deno.writeFile(path, someBytes(length));
    const identity = this.#identities.get(to) ?? "";
    const [sent] = await from.client.send({ paths: [path], identity, priority });
    if (sent === undefined) throw new Error("nothing was queued");
    return sent;
  }

  /** Lets a daemon take whatever the others offer. */
  async open(daemon: LocalDaemon): Promise<void> {
    for (const [other, identity] of this.#identities) {
      if (other !== daemon) await daemon.client.setAutoAccept(identity, { enabled: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}

Deno.test("an offer that waits for a peer's decision stops neither an accepted file to us nor one to a second peer", async () => {
  await using three = await Three.make();
  const [alice, bob, carol] = three.all;
  const undecided = await three.send(alice, bob, "undecided");
  await offerOf(bob, "undecided");
  await three.open(alice);
  await three.open(carol);
  await transferIn(carol, await three.send(carol, alice, "in"), "completed");
  await transferIn(alice, await three.send(alice, carol, "out"), "completed");
  const { state, waitingFor } = await now(alice, undecided);
  assertEquals([state, waitingFor], ["offered", "peer-decision"]);
  const asked = await offerOf(bob, "undecided");
  assertEquals((await now(bob, asked)).waitingFor, "decision");
  await bob.client.acceptTransfer(asked.transferId, {});
  await transferIn(alice, undecided, "completed");
});

Deno.test("a transfer that a peer paused, or our own application, does not stop others", async () => {
  await using three = await Three.make();
  const [alice, bob, carol] = three.all;
  await three.open(carol);
  await three.open(alice);
  const sent = await three.send(alice, bob, "paused", LONG);
  const offer = await offerOf(bob, "paused");
  await bob.client.acceptTransfer(offer.transferId, {});
  await transferIn(alice, sent, "active");
  await bob.client.pauseTransfer(offer.transferId);
  assertEquals((await transferIn(alice, sent, "paused")).waitingFor, "peer-resume");
  assertEquals((await now(bob, offer)).waitingFor, "resume");
  assertEquals((await alice.client.status()).transfers, { active: 0, waiting: 1, limit: 1 });
  await transferIn(alice, await three.send(alice, carol, "out"), "completed");
  await transferIn(carol, await three.send(carol, alice, "in"), "completed");
  await transferIn(carol, await three.send(carol, bob, "to the one who pauses"), "offered");
  await bob.client.resumeTransfer(offer.transferId);
  await transferIn(alice, sent, "completed");
});

Deno.test("three daemons in a ring that offer to each other: all three files arrive", async () => {
  await using three = await Three.make();
  const [a, b, c] = three.all;
  const ring = [[a, b, "a to b"], [b, c, "b to c"], [c, a, "c to a"]] as const;
  const sent: (readonly [LocalDaemon, Transfer])[] = [];
  for (const [from, to, name] of ring) {
    sent.push([from, await three.send(from, to, name, LONG)]);
    await offerOf(to, name);
  }
  // All decide at the same moment.
  await Promise.all(ring.map(async ([, to, name]) => {
    await to.client.acceptTransfer((await offerOf(to, name)).transferId, {});
  }));
  for (const [from, transfer] of sent) await transferIn(from, transfer, "completed");
  for (const [, to, name] of ring) assertEquals(await namesIn(to.inbox), [name]);
});

Deno.test("among what could flow the highest priority goes first, whoever was accepted first", async () => {
  await using pair = await Pair.make();
  await using stack = new AsyncDisposableStack();
  const others = [];
  for (const priority of [-5, 0, 7]) {
    const daemon = stack.use(await LocalDaemon.start(pair.network));
    const { alice } = await pairBy(meetingByFile(pair.folder), pair.alice, daemon);
    others.push({ daemon, priority, identity: alice.identity ?? "" });
  }
  // Bob's holds the slot: his path takes no more than its window.
  const held = await pair.send("held", someBytes(SHORT));
  stallAtFirstChunk(pair.network.paths[0]);
  await pair.bob.client.acceptTransfer((await offerOf(pair.bob, "held")).transferId, {});
  await transferIn(pair.alice, held, "active");
  const waiting: Transfer[] = [];
  for (const { daemon, priority, identity } of others) {
    const name = `priority ${priority}`;
    const paths = [await pair.file(name, someBytes(SHORT))];
    waiting.push(...await pair.alice.client.send({ paths, identity, priority }));
    await daemon.client.acceptTransfer((await offerOf(daemon, name)).transferId, {});
  }
  for (const one of waiting) {
    assertEquals((await transferIn(pair.alice, one, "paused")).waitingFor, "slot");
  }
  pair.network.paths[0]?.resume();
  for (const one of waiting) await transferIn(pair.alice, one, "completed");
  const started = pair.alice.events.flatMap((event) =>
    event.type === "transfer-started" ? [String(event.transfer.name)] : []
  );
  assertEquals(started, ["held", "priority 7", "priority 0", "priority -5"]);
});

/** A daemon with the only slot in the hands of a peer that has sent nothing yet, and another peer. */
async function busy(stack: AsyncDisposableStack) {
  const folder = stack.use(await TempFolder.make());
  const network = new MemoryNetwork();
  const bob = stack.use(await LocalDaemon.start(network));
  const meet = async () => {
    const peer = stack.use(await HandDrivenPeer.meet(network, folder, bob));
    await peer.befriend(bob);
    return peer;
  };
  const bytes = someBytes(LONG);
  const offers = async (peer: HandDrivenPeer, filename: string) => {
    const id = peer.offer({ filename, size: bytes.length, fileHash: sha256(bytes) });
    const offer = await offerOf(bob, filename);
    await bob.client.acceptTransfer(offer.transferId, {});
    await peer.event("transfer-started");
    let sent = 0;
    const sendChunk = () => peer.sendChunk(id, (length) => bytes.subarray(sent, sent += length));
    /** Sends all that is left, as fast as bob takes it. */
    const sendAll = async () => {
      while (sent < bytes.length) {
        const before = sent;
        sendChunk();
        if (sent === before) await peer.event("transfer-resumed");
        else await new Promise((resolve) => setTimeout(resolve, 0));
      }
    };
    return { id, offer, sendChunk, sendAll };
  };
  return { bob, meet, offers, bytes };
}

Deno.test("a file accepted without a free slot: its sender is paused at once, and told to go on at its turn", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, meet, offers, bytes } = await busy(stack);
  const [first, second] = [await meet(), await meet()];
  const held = await offers(first, "held");
  const waits = await offers(second, "waits");
  assertEquals((await second.event("transfer-paused")).by, "remote");
  const { waitingFor, transferred } = await transferIn(bob, waits.offer, "paused");
  assertEquals([waitingFor, transferred], ["slot", 0]);
  await held.sendAll();
  await transferIn(bob, held.offer, "completed");
  await second.event("transfer-resumed");
  await waits.sendAll();
  const { path = "" } = await transferIn(bob, waits.offer, "completed");
  assertEquals(await Deno.readFile(path), bytes);
});

Deno.test("a peer that ends its pause while no slot is free is paused again", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, meet, offers } = await busy(stack);
  const [first, second] = [await meet(), await meet()];
  const pauses = await offers(first, "pauses");
  first.act((transfers, now) => transfers.pause(pauses.id, now));
  assertEquals((await transferIn(bob, pauses.offer, "paused")).waitingFor, "peer-resume");
  // Its slot went to the next.
  const takes = await offers(second, "takes");
  await transferIn(bob, takes.offer, "active");
  await first.event("transfer-paused");
  first.act((transfers, now) => transfers.resume(pauses.id, now));
  for (;;) if ((await first.event("transfer-paused")).by === "remote") break;
  assertEquals((await now(bob, pauses.offer)).waitingFor, "slot");
  await takes.sendAll();
  await transferIn(bob, takes.offer, "completed");
  for (;;) if ((await first.event("transfer-resumed")).by === "remote") break;
  await pauses.sendAll();
  await transferIn(bob, pauses.offer, "completed");
});

Deno.test("a peer that goes and comes with pauses and offers leaves nothing behind: each session has one offer each way", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, meet } = await busy(stack);
  const peers = [await meet(), await meet(), await meet()];
  for (const [i, peer] of peers.entries()) {
    peer.offer({ filename: `first ${i}`, size: 1, fileHash: "00".repeat(32) });
    await offerOf(bob, `first ${i}`);
  }
  const { transfers } = await bob.client.listTransfers({ limit: 50 });
  assertEquals(transfers.map(({ waitingFor }) => String(waitingFor)), peers.map(() => "decision"));
  const [one] = transfers;
  for (const { transferId } of transfers) await bob.client.acceptTransfer(transferId, {});
  assert(one !== undefined);
  assertEquals((await bob.client.status()).transfers.limit, 1);
  for (const peer of peers) await peer.event("transfer-started");
  assertEquals((await bob.client.status()).transfers, { active: 1, waiting: 2, limit: 1 });
  for (const peer of peers) peer.path.lose();
  for (const transfer of transfers) await transferIn(bob, transfer, "interrupted");
  assertEquals((await bob.client.status()).transfers, { active: 0, waiting: 0, limit: 1 });
  assertEquals(await namesIn(join(bob.dataDir, "inbox")), []);
});
