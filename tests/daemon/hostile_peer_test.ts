/**
 * What a paired peer may try: names that lead elsewhere, floods, false claims about a file.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ApiError } from "../../src/ipc/client/client.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { type DaemonUnderTest, LocalDaemon } from "../support/daemon.ts";
import { HandDrivenPeer } from "../support/hand_driven_peer.ts";
import { SmallDisk } from "../support/small_disk.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { namesIn, sha256, someBytes, transferIn } from "../support/transfers.ts";

/** Windows has no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

/** A daemon, and a peer that it has let in. */
class Attack implements AsyncDisposable {
  private constructor(
    readonly folder: TempFolder,
    readonly bob: LocalDaemon,
    readonly peer: HandDrivenPeer,
    readonly stack: AsyncDisposableStack,
  ) {}

  static async make(flags: readonly string[] = []): Promise<Attack> {
    await using stack = new AsyncDisposableStack();
    const network = new MemoryNetwork();
    const folder = stack.use(await TempFolder.make());
    const bob = stack.use(await LocalDaemon.start(network, { flags }));
    const peer = stack.use(await HandDrivenPeer.meet(network, folder, bob));
    await peer.befriend(bob);
    return new Attack(folder, bob, peer, stack.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}

/** The incoming offer with that id on the wire. */
async function offered(bob: DaemonUnderTest, transferId: string) {
  const fits = ({ transfer }: { transfer: { transferId: string } }) =>
    transfer.transferId === transferId;
  return (await bob.event("transfer-offered", fits)).transfer;
}

const NAMES: readonly (readonly [hostile: string, lands: string | undefined])[] = [
  ["../escaped.txt", undefined],
  ["/etc/bolt-escaped", undefined],
  ["..", undefined],
  ["a/../escaped.txt", undefined],
  ["nul\0byte", undefined],
  ["\u3164\u2800", undefined],
  [" ".repeat(80), undefined],
  ["a\\..\\escaped.txt", "a_.._escaped.txt"],
  ["C:\\escaped.txt", "C__escaped.txt"],
  ["\\\\host\\share\\x", "__host_share_x"],
  ["line\nfeed", "line_feed"],
  ["c:stream.txt", "c_stream.txt"],
  ["\u202egnp.exe", "_gnp.exe"],
  ["CON", "_CON"],
  ["dots...", "dots"],
  [".hidden", "_.hidden"],
  ["x".repeat(300) + ".txt", "x".repeat(244) + ".txt"],
];

test("a hostile name never lands outside the inbox, and is escaped wherever it is told", async () => {
  await using attack = await Attack.make();
  const { bob, peer } = attack;
  const bytes = someBytes(3);
  const landed: string[] = [];
  for (const [filename, lands] of NAMES) {
    const id = peer.offer({ filename, size: bytes.length, fileHash: sha256(bytes) });
    const offer = await offered(bob, id);
    assert(!/[\p{Cc}\p{Cf}\u2800\u3164]/u.test(offer.name), "nothing told acts or hides");
    assert(/\S/.test(offer.name), "something shows");
    if (lands === undefined) {
      const refused = await assertRejects(() => bob.client.acceptTransfer(id, {}), ApiError);
      assertEquals(refused.code, "NAME_REFUSED");
      await bob.client.rejectTransfer(id);
    } else {
      await bob.client.acceptTransfer(id, {});
      await peer.event("transfer-started");
      peer.sendChunk(id, () => bytes);
      await transferIn(bob, offer, "completed");
      landed.push(lands);
    }
    await peer.event("transfer-ended");
  }
  assertEquals(await namesIn(bob.inbox), landed.sort());
  // Beside the inbox is what was there before.
  assertEquals(
    await namesIn(bob.dataDir),
    [
      "daemon.sock",
      "daemon.sock.lock",
      "identity.key",
      "inbox",
      "journal.ndjson",
      "lock",
      "pins",
      "received",
    ],
  );
});

Deno.test("a file with another hash than was offered is discarded: INTEGRITY_FAILED at both ends, and the session is over", async () => {
  await using attack = await Attack.make();
  const { bob, peer } = attack;
  const id = peer.offer({ filename: "other", size: 3, fileHash: sha256(someBytes(4)) });
  const offer = await offered(bob, id);
  await bob.client.acceptTransfer(id, {});
  await peer.event("transfer-started");
  peer.sendChunk(id, () => someBytes(3));
  const { failure } = await transferIn(bob, offer, "failed");
  assertEquals(failure?.code, "INTEGRITY_FAILED");
  assertEquals((await peer.ended).error?.code, "INTEGRITY_FAILED");
  assertEquals(await namesIn(bob.inbox), []);
});

Deno.test("an offer beyond the wire format's limits is refused for that transfer only: it is counted, and no transfer", async () => {
  await using attack = await Attack.make();
  const { bob, peer } = attack;
  peer.offer({ filename: "huge", size: 11 * 2 ** 30, fileHash: "00".repeat(32) });
  const { outcome, error } = await peer.event("transfer-ended");
  assertEquals([outcome, error?.code], ["failed", "LIMIT_EXCEEDED"]);
  const next = peer.offer({ filename: "small", size: 1, fileHash: "00".repeat(32) });
  assertEquals((await offered(bob, next)).state, "offered");
  assertEquals((await bob.client.listTransfers({ limit: 50 })).transfers.length, 1);
  assertStringIncludes(
    await bob.client.metrics(),
    'bolt_refusals_total{code="LIMIT_EXCEEDED"} 1\n',
  );
});

Deno.test("a peer that offers and cancels again and again gets every offer ended, and the daemon answers", async () => {
  await using attack = await Attack.make();
  const { bob, peer } = attack;
  const COUNT = 200;
  for (let i = 0; i < COUNT; i++) {
    const id = peer.offer({ filename: "flood", size: 1, fileHash: "00".repeat(32) });
    peer.act((transfers) => transfers.cancel(id, "changed my mind"));
    if (i % 50 !== 49) continue;
    // Hears what it is answered, as it would over a network.
    await bob.event("transfer-failed", ({ transfer }) => transfer.transferId === id);
  }
  const { transfers } = await bob.client.listTransfers({ limit: 200 });
  assertEquals(transfers.length, COUNT);
  assertEquals(new Set(transfers.map(({ state }) => state)), new Set(["cancelled"]));
});

Deno.test("a message that is no envelope ends the session, not the daemon", async () => {
  await using attack = await Attack.make();
  const { bob, peer } = attack;
  await peer.channel.send("x".repeat(100_000));
  const { session } = await bob.event("session-closed");
  assertEquals(session.failure?.code, "ENVELOPE_INVALID");
  assertEquals((await bob.client.status()).state, "running");
});

Deno.test({
  name:
    "free space is checked before a file is taken, and a disk that fills up meanwhile fails that transfer only",
  ignore: !await SmallDisk.canMount(),
}, async (t) => {
  await using folder = await TempFolder.make();
  const inbox = folder.path("inbox");
  await using _disk = await SmallDisk.mount(inbox, 20);
  await using attack = await Attack.make(["--inbox", inbox]);
  const { bob, peer } = attack;
  const take = async (filename: string, size: number) => {
    const id = peer.offer({ filename, size, fileHash: "00".repeat(32) });
    const offer = await offered(bob, id);
    await bob.client.acceptTransfer(id, {});
    return { id, offer };
  };
  await t.step("before", async () => {
    const { offer } = await take("large", 19_000_000);
    const { failure } = await transferIn(bob, offer, "failed");
    assertEquals(failure?.code, "DISK_FULL");
    const { error } = await peer.event("transfer-ended");
    assertEquals(error?.code, "LIMIT_EXCEEDED");
    // What is free here is not the peer's to know.
    assertEquals(error?.message, "the peer can't take the file: there is not enough space for it");
  });
  await t.step("meanwhile", async () => {
    const { id, offer } = await take("fits", 3_000_000);
    await peer.event("transfer-started");
    // Somebody else takes all that is left.
    await Deno.writeFile(`${inbox}/other`, new Uint8Array(25_000_000)).catch(() => {});
    for (let i = 0; i < 20; i++) {
      peer.sendChunk(id, (length) => new Uint8Array(length));
    }
    assertEquals((await transferIn(bob, offer, "failed")).failure?.code, "DISK_FULL");
    assertEquals(await namesIn(inbox), ["other"]);
    assertEquals((await bob.client.listSessions())[0]?.state, "open");
  });
});
