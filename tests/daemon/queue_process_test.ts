/**
 * A file for a linked peer, between real daemons that are killed: `boltctl send --wait` ends as the
 * transfer does, and nobody else touches anything.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { boltctl } from "../boltctl/support/boltctl.ts";
import { ServedDaemon } from "../support/daemon.ts";
import {
  addLink,
  connected,
  identityOf,
  linkBetween,
  linkBoth,
  WITHIN_MS,
} from "../support/links.ts";
import { join } from "../support/paths.ts";
import { Run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { namesIn, sha256, someBytes } from "../support/transfers.ts";

/** Windows has no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

/** More than flows between an event and the answer to it. */
const SIZE = 200_000_000;

/**
 * Holds the file as soon as it flows, so that it can't have passed when its daemon is killed.
 *
 * @param before The try before, which is not meant.
 */
async function holdMidway(daemon: ServedDaemon, before?: string): Promise<void> {
  const { transfer: { transferId } } = await daemon.event(
    "transfer-started",
    ({ transfer }) => transfer.transferId !== before,
    WITHIN_MS,
  );
  await daemon.client.pauseTransfer(transferId);
}

test("sent while the peer was away, a file arrives once though both daemons are killed in its middle", async () => {
  await using server = startRendezvousServer();
  await using folder = await TempFolder.make();
  await using stack = new AsyncDisposableStack();
  const start = async (who: "alice" | "bob") =>
    stack.use(await ServedDaemon.start({ dataDir: folder.path(who) }));
  const kill = async ({ run }: ServedDaemon) => {
    run.kill("SIGKILL");
    await run.outcome();
  };
  let [alice, bob] = [await start("alice"), await start("bob")];
  await linkBoth(server.url, alice, bob);
  await connected(alice, "bob");
  await bob.stop();

  const path = folder.path("backup");
  const content = someBytes(SIZE);
  await Deno.writeFile(path, content);
  const program = boltctl(join(alice.dataDir, "daemon.sock"));
  await using sending = stack.use(new Run(program, ["send", "--to", "bob", "--wait", path]));
  const { transfer: sent } = await alice.event("transfer-queued");
  assertEquals([sent.state, sent.waitingFor], ["queued", "peer"]);

  bob = await start("bob");
  const [, { transfer: { transferId: first } }] = await Promise.all([
    holdMidway(alice),
    bob.event("transfer-started"),
  ]);
  await kill(alice);
  alice = await start("alice");
  await holdMidway(bob, first);
  await kill(bob);
  bob = await start("bob");

  const { code, stdout, stderr } = await sending.outcome();
  assertEquals(code, 0, stderr);
  assertMatch(stdout, /^Sent to bob/m);
  const { state, confirmed } = await alice.client.getTransfer(sent.transferId);
  assertEquals([state, confirmed], ["completed", true]);
  assertEquals((await alice.client.listTransfers({})).transfers.length, 1);
  assertEquals(await namesIn(bob.inbox), ["backup"]);
  assertEquals(sha256(await Deno.readFile(join(bob.inbox, "backup"))), sha256(content));
  await alice.stop();
  await bob.stop();
});

Deno.test("boltctl send with a key sends once, however often it is run and its daemon is killed; with another file it ends with 2", async () => {
  await using server = startRendezvousServer();
  await using folder = await TempFolder.make();
  await using stack = new AsyncDisposableStack();
  const start = async () => stack.use(await ServedDaemon.start({ dataDir: folder.path("alice") }));
  let alice = await start();
  const bob = "3f2a".padEnd(64, "0");
  const told = linkBetween(
    server.url,
    { name: "alice", identity: await identityOf(alice) },
    { name: "bob", identity: bob },
  );
  await addLink(alice, told.offerer);
  const [path, other] = [folder.path("backup"), folder.path("other")];
  for (const one of [path, other]) await Deno.writeFile(one, someBytes(10));
  const program = boltctl(join(alice.dataDir, "daemon.sock"));
  const send = async (file: string) => {
    await using run = new Run(program, ["send", "--idempotency-key", "nightly", "--json", file]);
    return await run.outcome();
  };
  const ids = new Set<string>();
  for (const killed of ["before its answer, perhaps", "after it"]) {
    // To the only linked peer, which is away.
    const asked = send(path);
    if (killed === "after it") await asked;
    else await alice.event("transfer-queued");
    alice.run.kill("SIGKILL");
    await alice.run.outcome();
    await asked;
    alice = await start();
    const { code, stdout, stderr } = await send(path);
    assertEquals(code, 0, stderr);
    ids.add(JSON.parse(stdout).transferId);
  }
  assertEquals((await send(other)).code, 2);
  assertEquals(ids.size, 1);
  assertEquals((await alice.client.listTransfers({})).transfers.length, 1);
  await alice.stop();
});
