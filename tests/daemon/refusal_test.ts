/**
 * What nobody will decide about is refused at once: the sender learns what the protocol lets it
 * learn, the receiver's API, event and log say exactly why, and the next file is not held up.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { LocalDaemon, pairDaemons, ServedDaemon } from "../support/daemon.ts";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { HandDrivenPeer } from "../support/hand_driven_peer.ts";
import { join } from "../support/paths.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { offerOf, Pair, someBytes, transferIn } from "../support/transfers.ts";

/** Alice and bob, who takes all that she sends without asking. */
async function autoAccepting(flags: readonly string[] = []): Promise<Pair> {
  const pair = await Pair.make({ bob: flags });
  await pair.bob.client.setAutoAccept(pair.toAlice, { enabled: true });
  return pair;
}

/** How the next incoming transfer of that name ended at bob. */
async function refusedAt(pair: Pair, name: string) {
  const { transfer } = await pair.bob.event(
    "transfer-failed",
    ({ transfer }) => transfer.direction === "incoming" && transfer.name === name,
  );
  assertEquals((await pair.bob.client.getTransfer(transfer.transferId)).failure, transfer.failure);
  return transfer;
}

/** A file after it is taken as ever. */
async function nextArrives(pair: Pair): Promise<void> {
  const sent = await pair.send("next", someBytes(10));
  await transferIn(pair.alice, sent, "completed");
}

for (
  const [what, filename, why] of [
    ["that shows nothing", "\u3164\u2800", "it has no visible character"],
    ["of eighty blanks", " ".repeat(80), "it has no visible character"],
  ] as const
) {
  Deno.test(`auto-accept, a name ${what}: refused at once, with the reason on both sides`, async () => {
    await using pair = await autoAccepting();
    const sent = await pair.send(filename, someBytes(10));
    const { state, failure } = await transferIn(pair.alice, sent, "failed");
    assertEquals([state, failure?.code], ["failed", "LIMIT_EXCEEDED"]);
    assertStringIncludes(failure?.message ?? "", `the file's name can't be used: ${why}`);
    const { transfer } = await pair.bob.event("transfer-failed");
    assertEquals([transfer.state, transfer.failure?.code], ["failed", "NAME_REFUSED"]);
    assertStringIncludes(transfer.failure?.message ?? "", why);
    assertStringIncludes(transfer.failure?.message ?? "", "have it sent under another");
    await nextArrives(pair);
  });
}

Deno.test("auto-accept, a name with a line feed or a backslash: made safe, and the file arrives", async () => {
  await using pair = await autoAccepting();
  for (const [filename, lands] of [["line\nfeed", "line_feed"], ["a\\b", "a_b"]] as const) {
    const sent = await pair.send(filename, someBytes(10));
    await transferIn(pair.alice, sent, "completed");
    assertEquals((await Deno.stat(join(pair.bob.inbox, lands))).size, 10);
  }
});

Deno.test("auto-accept, the name is taken and --on-collision refuse: refused at once, with the reason on both sides", async () => {
  await using pair = await autoAccepting(["--on-collision", "refuse"]);
  await Deno.writeTextFile(join(pair.bob.inbox, "a.txt"), "mine");
  const sent = await pair.send("a.txt", someBytes(10));
  const { failure } = await transferIn(pair.alice, sent, "failed");
  assertEquals(failure?.code, "LIMIT_EXCEEDED");
  assertEquals((await refusedAt(pair, "a.txt")).failure?.code, "NAME_TAKEN");
  await nextArrives(pair);
});

Deno.test("auto-accept, the inbox is gone: refused at once; of our own trouble the sender learns that it is over", async () => {
  await using pair = await autoAccepting();
  await Deno.rename(pair.bob.inbox, `${pair.bob.inbox}.away`);
  const sent = await pair.send("a.txt", someBytes(10));
  const { failure } = await transferIn(pair.alice, sent, "rejected");
  assertEquals(failure?.code, "TRANSFER_REJECTED");
  assertMatch(failure?.message ?? "", /gave no reason: it was declined.*name.*space/);
  assertEquals((await refusedAt(pair, "a.txt")).failure?.code, "INBOX_CHANGED");
  await Deno.rename(`${pair.bob.inbox}.away`, pair.bob.inbox);
  await nextArrives(pair);
});

Deno.test("a refusal takes no slot and waits for none: the sender hears of it while another file flows", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const network = new MemoryNetwork();
  const bob = stack.use(await LocalDaemon.start(network));
  const [busy, refused] = [
    stack.use(await HandDrivenPeer.meet(network, folder, bob)),
    stack.use(await HandDrivenPeer.meet(network, folder, bob)),
  ];
  for (const peer of [busy, refused]) {
    await peer.befriend(bob);
    await bob.client.setAutoAccept(peer.identity, { enabled: true });
  }
  busy.offer({ filename: "flows", size: 10, fileHash: "00".repeat(32) });
  await busy.event("transfer-started");
  await transferIn(bob, await offerOf(bob, "flows"), "active");
  refused.offer({ filename: "../up", size: 10, fileHash: "00".repeat(32) });
  const { outcome, error } = await refused.event("transfer-ended");
  assertEquals([outcome, error?.code], ["failed", "LIMIT_EXCEEDED"]);
  assertStringIncludes(error?.message ?? "", "it is a path");
});

Deno.test("the receiver's log says which file was refused, whose, and why", async () => {
  await using server = startRendezvousServer();
  await using folder = await TempFolder.make();
  await using alice = await ServedDaemon.start();
  await using bob = await ServedDaemon.start();
  const sessions = await pairDaemons(server.url, alice, bob);
  const toAlice = sessions.bob.identity ?? "";
  await bob.client.setAutoAccept(toAlice, { enabled: true });
  const path = folder.path("\u3164");
  await Deno.writeFile(path, someBytes(10));
  await alice.client.send({ paths: [path], identity: sessions.alice.identity ?? "", priority: 0 });
  const { transfer } = await bob.event("transfer-failed");
  await bob.run.said("a file could not be received");
  const line = bob.run.stderr.split("\n").find((one) => one.includes("could not be received")) ??
    "";
  for (
    const part of [transfer.transferId, toAlice, "NAME_REFUSED", "it has no visible character"]
  ) {
    assertStringIncludes(line, part);
  }
  assert(!line.includes("\u3164"));
});
