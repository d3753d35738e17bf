/**
 * The queue of a linked peer, attacked by local programs: floods, keys that race, sources that turn
 * into something else, a journal that can't be written or was cut, cancels that race the start.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ApiError } from "../../src/ipc/client/client.ts";
import type { Transfer } from "../../src/ipc/api/schemas.ts";
import { MAX_WAITING_FOR_PEER } from "../../src/app/daemon/transfers/queue_rules.ts";
import type { LocalDaemon } from "../support/daemon.ts";
import { refuses, send, World } from "../support/linked_world.ts";
import { join } from "../support/paths.ts";
import { namesIn, someBytes, transferIn } from "../support/transfers.ts";

/** All transfers of a daemon. */
async function allTransfers({ client }: LocalDaemon): Promise<Transfer[]> {
  const all: Transfer[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.listTransfers({
      limit: 200,
      ...(cursor === undefined ? {} : { cursor }),
    });
    all.push(...page.transfers);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return all;
}

const idsOf = (transfers: readonly Transfer[]) => transfers.map(({ transferId }) => transferId);

Deno.test("of 10,000 files that are queued at once as many wait as may, whole requests each, and are there after a crash", async () => {
  await using world = await World.make();
  let alice = await world.start("alice");
  const path = await world.file("small", someBytes(1));
  const paths = Array.from({ length: 100 }, () => path);
  const results: PromiseSettledResult<Transfer[]>[] = [];
  for (let n = 0; n < 100; n += 25) { // more at once than may be connected would be sent away
    results.push(
      ...await Promise.allSettled(
        Array.from({ length: 25 }, () => alice.client.send({ paths, identity: world.toBob })),
      ),
    );
  }
  const taken = results.filter(({ status }) => status === "fulfilled").length;
  assertEquals(taken * paths.length, MAX_WAITING_FOR_PEER);
  for (const result of results) {
    if (result.status === "fulfilled") continue;
    const { reason } = result;
    assert(reason instanceof ApiError, String(reason));
    assertEquals(reason.code, "LIMIT_EXCEEDED");
  }
  const before = await allTransfers(alice);
  assertEquals(before.length, MAX_WAITING_FOR_PEER);
  await world.crash("alice");
  alice = await world.start("alice");
  assertEquals(new Set(idsOf(await allTransfers(alice))), new Set(idsOf(before)));
});

Deno.test("fifty requests with one key at the same moment, and others with another body, send its files once", async () => {
  await using world = await World.make();
  let alice = await world.start("alice");
  const paths = [await world.file("a", someBytes(10)), await world.file("b", someBytes(10))];
  const request = { paths, identity: world.toBob, idempotencyKey: "nightly" };
  const others = Array.from({ length: 10 }, (_, i) => ({ ...request, priority: i + 1 }));
  const [same, different] = await Promise.all([
    Promise.all(Array.from({ length: 50 }, () => alice.client.send(request))),
    Promise.allSettled(others.map((other) => alice.client.send(other))),
  ]);
  const [first = []] = same;
  for (const one of same) assertEquals(idsOf(one), idsOf(first));
  for (const one of different) {
    assert(one.status === "rejected" && one.reason instanceof ApiError);
    assertEquals(one.reason.code, "IDEMPOTENCY_KEY_REUSED");
  }
  assertEquals((await allTransfers(alice)).length, 2);
  await world.crash("alice");
  alice = await world.start("alice");
  assertEquals(idsOf(await alice.client.send(request)), idsOf(first));
  const bob = await world.start("bob");
  for (const one of first) await transferIn(alice, one, "completed");
  assertEquals((await namesIn(bob.inbox)).toSorted(), ["a", "b"]);
});

Deno.test("how long a file waits, and what is asked with it, is bounded: nothing else is queued", async () => {
  await using world = await World.make();
  const alice = await world.start("alice");
  const path = await world.file("small", someBytes(1));
  for (const expireSecs of [0, -1, 0.5, 2_592_001, 1e308]) {
    await refuses("INVALID_PARAMETERS", () => send(alice, world.toBob, path, { expireSecs }));
  }
  for (const priority of [101, -101, 0.5, 1e308]) {
    await refuses("INVALID_PARAMETERS", () => send(alice, world.toBob, path, { priority }));
  }
  for (const paths of [[], Array.from({ length: 101 }, () => path), [`${path}\0`], ["small"]]) {
    await refuses(
      "INVALID_PARAMETERS",
      () => alice.client.send({ paths, identity: world.toBob }),
    );
  }
  await refuses("BODY_TOO_LARGE", () =>
    alice.client.send({
      paths: Array.from({ length: 100 }, () => `/${"x".repeat(4000)}`),
      identity: world.toBob,
    }));
  assertEquals(await allTransfers(alice), []);
});

Deno.test("a path that can't be kept is refused at once, whether its linked peer is there or not", async () => {
  await using world = await World.make();
  const alice = await world.start("alice");
  // Within what the system takes; as JSON twice as long.
  const folder = join(world.folder.path("deep"), ...Array(9).fill('"'.repeat(250)));
  await Deno.mkdir(folder, { recursive: true });
  const path = join(folder, "file");
  await Deno.writeFile(path, someBytes(1));
  const away = await assertRejects(() => send(alice, world.toBob, path), ApiError);
  assertEquals(away.code, "LIMIT_EXCEEDED");
  assertStringIncludes(away.message, "give it a shorter one");
  await world.stop("alice");
  const both = await world.startBoth();
  await refuses("LIMIT_EXCEEDED", () => send(both.alice, world.toBob, path));
  const good = await world.file("good", someBytes(1));
  await refuses(
    "LIMIT_EXCEEDED",
    () => both.alice.client.send({ paths: [good, path], identity: world.toBob }),
  );
  assertEquals(await allTransfers(both.alice), []);
});

Deno.test("names and times that are strange are kept over a crash, and sent", async () => {
  await using world = await World.make();
  let alice = await world.start("alice");
  const names = ["two\nlines", "\u202egnp", 'q"uo\\te', "\u{1f600}".repeat(60), "old", "late"];
  const sent: Transfer[] = [];
  for (const name of names) {
    const path = await world.file(name, someBytes(name.length));
    if (name === "old") await Deno.utime(path, -1, -1.5);
    if (name === "late") await Deno.utime(path, 9e9, 9e9);
    sent.push(await send(alice, world.toBob, path));
  }
  await world.crash("alice");
  alice = await world.start("alice");
  for (const one of sent) {
    assertEquals((await alice.client.getTransfer(one.transferId)).state, "queued");
  }
  await world.start("bob");
  for (const one of sent.slice(2)) await transferIn(alice, one, "completed");
  // What such names become is the receiver's rule; they hold nobody up.
  for (const one of sent.slice(0, 2)) {
    const { state } = await alice.client.getTransfer(one.transferId);
    assert(["completed", "rejected", "failed"].includes(state), state);
  }
});

Deno.test("a source that turned into something else while it waited ends, and holds up nobody; one that is as it was is sent", async () => {
  await using world = await World.make();
  const alice = await world.start("alice");
  const sent: Record<string, Transfer> = {};
  for (const name of ["fifo", "folder", "socket", "back", "good"]) {
    sent[name] = await send(alice, world.toBob, await world.file(name, someBytes(1000)));
  }
  const at = (name: string) => world.folder.path(name);
  const of = (name: string) => sent[name] ?? {} as Transfer;
  for (const name of ["fifo", "folder", "socket"]) await Deno.remove(at(name));
  const { success } = await new Deno.Command("mkfifo", { args: [at("fifo")] }).output();
  assert(success);
  await Deno.mkdir(at("folder"));
  using _listener = Deno.listen({ transport: "unix", path: at("socket") });
  const { mtime } = await Deno.stat(at("back"));
  await Deno.writeFile(at("back"), someBytes(2000));
  await Deno.writeFile(at("back"), someBytes(1000));
  await Deno.utime(at("back"), mtime ?? 0, mtime ?? 0);
  const bob = await world.start("bob");
  for (const name of ["fifo", "folder", "socket"]) {
    const { failure } = await transferIn(alice, of(name), "failed");
    assertEquals(failure?.code, "SOURCE_UNUSABLE", name);
  }
  await transferIn(alice, of("back"), "completed");
  await transferIn(alice, of("good"), "completed");
  assertEquals((await namesIn(bob.inbox)).toSorted(), ["back", "good"]);
});

Deno.test("a file that the journal does not take is refused and does not wait; with its key it is sent once when there is room again", async () => {
  await using world = await World.make();
  let alice = await world.start("alice");
  const path = await world.file("backup", someBytes(10));
  const first = await send(alice, world.toBob, await world.file("first", someBytes(10)));
  // As a full disk: nothing can be written in its place.
  const journal = join(world.data.alice, "journal.ndjson");
  await Deno.rename(journal, `${journal}.kept`);
  await Deno.mkdir(join(journal, "x"), { recursive: true });
  const request = { paths: [path], identity: world.toBob, idempotencyKey: "nightly" };
  for (const ask of [() => send(alice, world.toBob, path), () => alice.client.send(request)]) {
    await refuses("STORAGE_FAILED", ask);
  }
  const states = (await allTransfers(alice)).map(({ state, failure }) => [state, failure?.code]);
  assertEquals(states, [["queued", undefined]]);
  await Deno.remove(journal, { recursive: true });
  await Deno.rename(`${journal}.kept`, journal);
  const [sent] = await alice.client.send(request);
  assertEquals(idsOf(await alice.client.send(request)), [sent?.transferId]);
  await world.crash("alice");
  alice = await world.start("alice");
  assertEquals(idsOf(await alice.client.send(request)), [sent?.transferId]);
  const bob = await world.start("bob");
  await transferIn(alice, first, "completed");
  await transferIn(alice, sent ?? {} as Transfer, "completed");
  assertEquals((await namesIn(bob.inbox)).toSorted(), ["backup", "first"]);
});

Deno.test("a journal that was cut in its last line is that of a crash; one that was changed is refused and left alone", async () => {
  await using world = await World.make();
  let alice = await world.start("alice");
  const first = await send(alice, world.toBob, await world.file("first", someBytes(10)));
  const last = await send(alice, world.toBob, await world.file("last", someBytes(10)));
  await world.crash("alice");
  const journal = join(world.data.alice, "journal.ndjson");
  const whole = await Deno.readFile(journal);
  for (const cut of [1, 2, 100]) {
    await Deno.writeFile(journal, whole.subarray(0, whole.length - cut));
    alice = await world.start("alice");
    assertEquals((await alice.client.getTransfer(first.transferId)).state, "queued");
    await refuses("TRANSFER_NOT_FOUND", () => alice.client.getTransfer(last.transferId));
    await world.stop("alice");
  }
  const changed = new TextDecoder().decode(whole).replace('"expiresAt":1', '"expiresAt":9');
  await Deno.writeTextFile(journal, changed);
  await assertRejects(() => world.start("alice"), Error, "damaged or not a journal");
  assertEquals(await Deno.readTextFile(journal), changed);
});

Deno.test("a cancel that races the start of a file ends it one way or the other, and the queue goes on", async () => {
  await using world = await World.make();
  const alice = await world.start("alice");
  const sent: Transfer[] = [];
  for (let n = 0; n < 40; n++) {
    sent.push(await send(alice, world.toBob, await world.file(`f${n}`, someBytes(5000 + n))));
  }
  const bob = await world.start("bob");
  await alice.event("transfer-offered");
  await Promise.allSettled(
    sent.slice(0, -1).map(({ transferId }) => alice.client.cancelTransfer(transferId)),
  );
  const last = sent.at(-1);
  assert(last !== undefined);
  await transferIn(alice, last, "completed");
  const ended = await allTransfers(alice);
  for (const { state } of ended) assert(["completed", "cancelled"].includes(state), state);
  const completed = ended.filter(({ state }) => state === "completed").map(({ name }) => `${name}`);
  const arrived = await namesIn(bob.inbox);
  for (const name of completed) assert(arrived.includes(name), name);
});

Deno.test("a peer that gets another name, or whose link is made anew while it rests, gets what waits for it", async () => {
  await using world = await World.make();
  const alice = await world.start("alice");
  const sent = await send(alice, world.toBob, await world.file("backup", someBytes(10)));
  await alice.client.trust(world.toBob, { decision: "allow_always", name: "robert" });
  await alice.client.pauseLink("bob");
  assertEquals((await alice.client.getTransfer(sent.transferId)).state, "queued");
  const bob = await world.start("bob");
  await alice.client.resumeLink("bob");
  await transferIn(alice, sent, "completed");
  assertEquals(await namesIn(bob.inbox), ["backup"]);
});

Deno.test("a link that is removed while files are being queued for it leaves none that waits for nobody", async () => {
  await using world = await World.make();
  const alice = await world.start("alice");
  const path = await world.file("small", someBytes(1));
  const sending = Promise.allSettled(
    Array.from({ length: 20 }, () => send(alice, world.toBob, path)),
  );
  await alice.client.removeLink("bob");
  for (const result of await sending) {
    if (result.status === "fulfilled") await transferIn(alice, result.value, "interrupted");
    else {assertEquals(
        result.reason instanceof ApiError && result.reason.code,
        "PEER_NOT_CONNECTED",
      );}
  }
  const states = (await allTransfers(alice)).map(({ state }) => state);
  assertEquals(states.filter((state) => state !== "interrupted"), []);
});
