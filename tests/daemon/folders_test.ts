/**
 * Folders from one daemon to another: sent as archives that are on no disk, gone on with, and what is
 * never sent.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { packTar, unpackTar } from "modern-tar";
import { ApiError } from "../../src/ipc/client/client.ts";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { boltctl } from "../boltctl/support/boltctl.ts";
import { run } from "../support/program.ts";
import { ServedDaemon } from "../support/daemon.ts";
import { connected, linkBoth, WITHIN_MS } from "../support/links.ts";
import { join } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { namesIn, offerOf, Pair, sha256, someBytes, transferIn } from "../support/transfers.ts";

/** Files by their paths inside a folder. */
async function makeTree(root: string, files: { readonly [path: string]: Uint8Array }) {
  for (const [path, bytes] of Object.entries(files)) {
    await Deno.mkdir(join(root, path, ".."), { recursive: true });
    await Deno.writeFile(join(root, path), bytes);
  }
}

const TREE = {
  "report.txt": someBytes(1000),
  "photos/one.jpg": someBytes(300_000),
  "photos/two.jpg": someBytes(0),
};

/** What an archive holds, by path; folders have no bytes. */
async function contentOf(path: string): Promise<{ readonly [path: string]: Uint8Array }> {
  const entries = await unpackTar(await Deno.readFile(path), { strict: true });
  return Object.fromEntries(
    entries.filter(({ header }) => header.type === "file")
      .map(({ header, data }) => [header.name, data ?? new Uint8Array()]),
  );
}

Deno.test("a folder arrives as an archive, links in it are told, and no archive is left at the sender", async () => {
  await using pair = await Pair.make();
  await using folder = await TempFolder.make();
  const root = folder.path("work");
  await makeTree(root, TREE);
  await Deno.symlink("report.txt", join(root, "link"));
  await pair.bob.client.setAutoAccept(pair.toAlice, { enabled: true });
  const [sent] = await pair.alice.client.send({ identity: pair.toBob, paths: [`${root}/`] });
  assert(sent !== undefined);
  assertEquals([sent.name, sent.path, sent.archive], ["work.tar", root, {
    paths: [root],
    skipped: 1,
    skippedNames: ["work/link (symbolic link)"],
  }]);
  const done = await transferIn(pair.alice, sent, "completed");
  assertEquals([done.transferred, done.confirmed], [sent.size, true]);
  const path = join(pair.bob.inbox, "work.tar");
  const bytes = await Deno.readFile(path);
  assertEquals([bytes.length, sha256(bytes)], [sent.size, done.fileHash]);
  assertEquals(await contentOf(path), {
    "work/report.txt": TREE["report.txt"],
    "work/photos/one.jpg": TREE["photos/one.jpg"],
    "work/photos/two.jpg": TREE["photos/two.jpg"],
  });
  assertEquals(await namesIn(folder.path("")), ["work"]);
});

Deno.test("several names are transfers of their own, or one archive under a name", async () => {
  await using pair = await Pair.make();
  await using folder = await TempFolder.make();
  await makeTree(folder.path(""), { "a/x": someBytes(10), "b/x": someBytes(20), c: someBytes(30) });
  await pair.bob.client.setAutoAccept(pair.toAlice, { enabled: true });
  const paths = ["a", "b", "c"].map((name) => folder.path(name));
  const each = await pair.alice.client.send({ identity: pair.toBob, paths });
  for (const transfer of each) await transferIn(pair.alice, transfer, "completed");
  assertEquals(await namesIn(pair.bob.inbox), ["a.tar", "b.tar", "c"]);
  const all = { identity: pair.toBob, paths, as: "all.tar", idempotencyKey: "once" };
  const [one, ...others] = await pair.alice.client.send(all);
  assert(one !== undefined);
  assertEquals([one.path, one.archive?.paths, others], [undefined, paths, []]);
  await transferIn(pair.alice, one, "completed");
  assertEquals(Object.keys(await contentOf(join(pair.bob.inbox, "all.tar"))), ["a/x", "b/x", "c"]);
  const [again] = await pair.alice.client.send(all);
  assertEquals(again?.transferId, one.transferId);
  const other = { ...all, as: "other.tar" };
  const reused = await assertRejects(() => pair.alice.client.send(other), ApiError);
  assertEquals(reused.code, "IDEMPOTENCY_KEY_REUSED");
});

Deno.test("a folder that changes between its offer and the decision ends with SOURCE_CHANGED", async () => {
  await using pair = await Pair.make();
  await using folder = await TempFolder.make();
  const root = folder.path("work");
  await makeTree(root, TREE);
  const [sent] = await pair.alice.client.send({ identity: pair.toBob, paths: [root] });
  assert(sent !== undefined);
  const offer = await offerOf(pair.bob, "work.tar");
  await Deno.writeTextFile(join(root, "new.txt"), "new");
  await pair.bob.client.acceptTransfer(offer.transferId, {});
  const { failure } = await transferIn(pair.alice, sent, "failed");
  assertEquals(failure?.code, "SOURCE_CHANGED");
  await transferIn(pair.bob, offer, "cancelled");
  assertEquals(await namesIn(pair.bob.inbox), []);
});

Deno.test("the daemon's own data is never sent: by its path, by a link to it, or in a folder around it", async () => {
  await using pair = await Pair.make();
  await using folder = await TempFolder.make();
  const { dataDir, client } = pair.alice;
  await Deno.symlink(dataDir, folder.path("link"));
  await Deno.link(join(dataDir, "identity.key"), folder.path("harmless"));
  const own = [
    dataDir,
    join(dataDir, "identity.key"),
    join(dataDir, "pins"),
    join(dataDir, "pins", "trust.json"),
    join(folder.path("link"), "identity.key"),
    folder.path("harmless"),
  ];
  for (const path of own) {
    for (const as of [undefined, "all.tar"]) {
      const request = { identity: pair.toBob, paths: [path], ...(as === undefined ? {} : { as }) };
      const refused = await assertRejects(() => client.send(request), ApiError);
      assertEquals([path, refused.code], [path, "FILE_UNREADABLE"]);
      assert(refused.message.includes("never sent"), refused.message);
    }
  }
  // A file with two names is looked for among the daemon's own, and is none of them.
  await Deno.writeTextFile(join(dataDir, "..", "mine"), "mine");
  await pair.bob.client.setAutoAccept(pair.toAlice, { enabled: true });
  const around = join(dataDir, "..");
  const [sent] = await client.send({ identity: pair.toBob, paths: [around], as: "around.tar" });
  assert(sent !== undefined);
  assertEquals(sent.archive?.skippedNames?.some((name) => name.includes("own data")), true);
  await transferIn(pair.alice, sent, "completed");
  const names = Object.keys(await contentOf(join(pair.bob.inbox, "around.tar")));
  assertEquals(names.map((name) => name.slice(name.indexOf("/"))), ["/mine"]);
});

Deno.test("a folder whose daemon is killed in its middle goes on where it was, with the same hash", async () => {
  await using server = startRendezvousServer();
  await using folder = await TempFolder.make();
  await using stack = new AsyncDisposableStack();
  const start = async (who: "alice" | "bob") =>
    stack.use(await ServedDaemon.start({ dataDir: folder.path(who) }));
  let alice = await start("alice");
  const bob = await start("bob");
  const [, b] = await linkBoth(server.url, alice, bob);
  await connected(alice, "bob");

  const root = folder.path("backup");
  await makeTree(root, {
    "small/one": someBytes(700),
    "large/a": someBytes(60_000_000),
    "large/b": someBytes(50_000_000),
    "small/two": someBytes(1),
  });
  const [sent] = await alice.client.send({ identity: b, paths: [root] });
  assert(sent !== undefined);
  // Held as soon as it flows, so that it can't have passed when its daemon is killed.
  const started = await bob.event("transfer-started", undefined, WITHIN_MS);
  const { transferId: first } = started.transfer;
  const flows = ({ transferId, transferred }: { transferId: string; transferred: number }) =>
    transferId === first && transferred > 0;
  await bob.event("transfer-progress", flows, WITHIN_MS);
  await bob.client.pauseTransfer(first);
  alice.run.kill("SIGKILL");
  await alice.run.outcome();
  alice = await start("alice");
  const fits = ({ transfer }: { transfer: { transferId: string } }) =>
    transfer.transferId === sent.transferId;
  const { transfer: done } = await alice.event("transfer-finished", fits, WITHIN_MS);
  assert((done.resumedFrom ?? 0) > 0, "it began anew");
  assertEquals([done.confirmed, done.size, done.archive], [true, sent.size, { paths: [root] }]);
  const hashes = [done.fileHash, started.transfer.fileHash];
  const arrived = sha256(await Deno.readFile(join(bob.inbox, "backup.tar")));
  assertEquals(hashes, [arrived, arrived]);
  await alice.stop();
  await bob.stop();
});

Deno.test("accepted to be unpacked, a folder arrives as a folder; other files as they are", async () => {
  await using pair = await Pair.make();
  await using folder = await TempFolder.make();
  const root = folder.path("work");
  await makeTree(root, { ...TREE, ".hidden/x": someBytes(9) });
  await Deno.chmod(join(root, "report.txt"), 0o755);
  const [sent] = await pair.alice.client.send({ identity: pair.toBob, paths: [root] });
  assert(sent !== undefined);
  const offer = await offerOf(pair.bob, "work.tar");
  await pair.bob.client.acceptTransfer(offer.transferId, { unpack: true });
  const received = await transferIn(pair.bob, offer, "completed");
  const path = join(pair.bob.inbox, "work");
  assertEquals([received.path, received.unpacked, received.size], [path, true, sent.size]);
  await transferIn(pair.alice, sent, "completed");
  assertEquals(await namesIn(pair.bob.inbox), ["work"]);
  await assertSameTree(root, path);
  const { mode } = await Deno.lstat(join(path, "report.txt"));
  assertEquals((mode ?? 0) & 0o7777, 0o755);
  const { files } = await pair.bob.client.listReceived({});
  assertEquals(files.map(({ path, name }) => [path, name]), [[path, "work.tar"]]);

  await pair.bob.client.setAutoAccept(pair.toAlice, { enabled: true, unpack: true });
  const paths = [root, join(root, "report.txt")];
  const [again, plain] = await pair.alice.client.send({ identity: pair.toBob, paths });
  assert(again !== undefined && plain !== undefined);
  await transferIn(pair.alice, again, "completed");
  await transferIn(pair.alice, plain, "completed");
  assertEquals(await namesIn(pair.bob.inbox), ["report.txt", "work", "work (1)"]);
  await assertSameTree(root, join(pair.bob.inbox, "work (1)"));
});

Deno.test("a hostile archive stays the file that arrived, and the transfer says why", async () => {
  await using pair = await Pair.make();
  const link = { header: { name: "../out", size: 1 }, body: "x" };
  const archive = await packTar([link]);
  const sent = await pair.send("evil.tar", archive);
  const offer = await offerOf(pair.bob, "evil.tar");
  await pair.bob.client.acceptTransfer(offer.transferId, { unpack: true });
  const { unpacked, unpackFailure, path } = await transferIn(pair.bob, offer, "completed");
  assertEquals([unpacked, unpackFailure?.code], [undefined, "ARCHIVE_REFUSED"]);
  await transferIn(pair.alice, sent, "completed");
  assertEquals(path, join(pair.bob.inbox, "evil.tar"));
  assertEquals(await Deno.readFile(path ?? ""), archive);
  assertEquals(await namesIn(pair.bob.inbox), ["evil.tar"]);
});

Deno.test("boltctl sends a folder, says what is left out, and unpacks it where that is asked for", async () => {
  await using pair = await Pair.make();
  await using folder = await TempFolder.make();
  const root = folder.path("work");
  await makeTree(root, TREE);
  await Deno.symlink("report.txt", join(root, "link"));
  const asAlice = boltctl(join(pair.alice.dataDir, "daemon.sock"));
  const asBob = boltctl(join(pair.bob.dataDir, "daemon.sock"));
  const sent = await run(asAlice, ["send", root]);
  assertEquals([sent.code, sent.stderr], [0, ""]);
  assertMatch(
    sent.stdout,
    /^Queued for .*: work\.tar, .*\nNot in work\.tar: work\/link \(symbolic link\)\n$/,
  );
  const taken = await run(asBob, ["accept", "--wait-for-offer", "--unpack", "--wait"]);
  assertEquals([taken.code, taken.stderr], [0, ""]);
  const path = join(pair.bob.inbox, "work");
  assertMatch(taken.stdout, /Received: .*, hash verified, unpacked\n$/);
  assert(taken.stdout.includes(`Received: ${path},`), taken.stdout);
  const { stdout } = await run(asBob, ["received", "--null"]);
  assertEquals(stdout, `${path}\0`);

  const report = join(root, "report.txt");
  const again = await run(asAlice, ["send", "--as", "broken.tar", report]);
  assertEquals([again.code, again.stderr], [0, ""]);
  await Deno.mkdir(join(pair.bob.inbox, "broken"));
  const offer = await offerOf(pair.bob, "broken.tar");
  const other = await run(asBob, ["accept", offer.transferId, "--unpack", "--wait"]);
  assertEquals([other.code, other.stderr], [0, ""]);
  assert(other.stdout.includes(join(pair.bob.inbox, "broken (1)")), other.stdout);

  await pair.send("no.tar", someBytes(2000));
  const refused = await run(asBob, ["accept", "--wait-for-offer", "--unpack", "--wait"]);
  assertEquals(refused.code, 1);
  assertMatch(refused.stdout, /Received: .*no\.tar, .*, hash verified\n$/);
  assertMatch(refused.stderr, /no\.tar has arrived and stays an archive: .* no tar archive/);
  const [latest] = (await pair.bob.client.listTransfers({ limit: 1 })).transfers;
  const shown = await run(asBob, ["transfers", latest?.transferId ?? ""]);
  assertMatch(shown.stdout, /unpacked +no: .*ARCHIVE_REFUSED/);
  const wrong = await run(asAlice, ["send", "--as", "a/b.tar", report]);
  assertEquals(wrong.code, 2);
});

/** Whether two folders hold the same files with the same content. */
async function assertSameTree(one: string, other: string): Promise<void> {
  const [names, others] = [await namesIn(one), await namesIn(other)];
  assertEquals(others, names);
  for (const name of names) {
    const [a, b] = [join(one, name), join(other, name)];
    const { isDirectory } = await Deno.lstat(a);
    if (isDirectory) await assertSameTree(a, b);
    else assertEquals(await Deno.readFile(b), await Deno.readFile(a), name);
  }
}
