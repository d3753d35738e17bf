import { assertEquals, assertRejects } from "@std/assert";
import type { SendParameters } from "../../../ipc/api/operations.ts";
import { OperationError } from "../../../ipc/api/problem.ts";
import { RequestStore } from "../../../storage/request_store.ts";
import { TemporaryFolder } from "../../../storage/testing/temporary_folder.ts";
import { type ChosenIds, KeyedSends } from "./keyed_sends.ts";
import { TransferEntry } from "./transfer_entry.ts";

const BOB = "ab".repeat(32);
const REQUEST: SendParameters = { paths: ["/a", "/b", "/c"], identity: BOB, priority: 0 };

/** Sends that only remember what they were asked to send, over a store on disk. */
class Bench implements AsyncDisposable {
  readonly entries = new Map<string, TransferEntry>();
  /** Paths, in the order in which their transfers began. */
  readonly began: string[] = [];
  /** After so many files the daemon crashes. */
  crashAfter = Infinity;
  refusal: OperationError | undefined;
  /** Refused when the key is on disk already. */
  lateRefusal: OperationError | undefined;
  now = 1000;
  #random = 0;

  private constructor(
    readonly dir: TemporaryFolder,
    readonly folder: Awaited<ReturnType<TemporaryFolder["dataFolder"]>>,
  ) {}

  static async make(): Promise<Bench> {
    const dir = await TemporaryFolder.make();
    return new Bench(dir, await dir.dataFolder());
  }

  /** The sends of a run of the daemon that begins now. */
  async start(): Promise<KeyedSends> {
    return new KeyedSends({
      store: await RequestStore.open(this.dir.fs, this.folder),
      sent: (id) => this.entries.get(id),
      send: (parameters, ids) => this.#send(parameters, ids),
      random: (length) => new Uint8Array(length).fill(++this.#random),
      now: () => this.now,
    });
  }

  async #send({ paths }: SendParameters, ids: ChosenIds): Promise<TransferEntry[]> {
    if (this.refusal !== undefined) throw this.refusal;
    await ids.commit();
    if (this.lateRefusal !== undefined) throw this.lateRefusal;
    return paths.map((path, i) => {
      if (this.began.length >= this.crashAfter) throw new Error("crashed");
      const facts = { direction: "outgoing", identity: BOB, name: path, size: 1 } as const;
      const transferId = ids.transferIds[i] ?? "";
      const entry = new TransferEntry(
        { ...facts, transferId, priority: 0, createdAt: 1 },
        "queued",
      );
      this.entries.set(transferId, entry);
      this.began.push(path);
      return entry;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.folder[Symbol.dispose]();
    await this.dir[Symbol.asyncDispose]();
  }
}

const idsOf = (entries: readonly TransferEntry[]) => entries.map(({ facts }) => facts.transferId);

async function refuses(code: string, call: () => Promise<unknown>): Promise<void> {
  assertEquals((await assertRejects(call, OperationError)).code, code);
}

Deno.test("the same request with the same key is sent once: at the same moment, later, and after a restart", async () => {
  await using bench = await Bench.make();
  const sends = await bench.start();
  const many = await Promise.all([1, 2, 3].map(() => sends.send(REQUEST, "k")));
  many.push(await sends.send(REQUEST, "k"));
  many.push(await (await bench.start()).send(REQUEST, "k"));
  assertEquals(bench.began, ["/a", "/b", "/c"]);
  const [first = []] = many;
  assertEquals(many.map(idsOf), Array(5).fill(idsOf(first)));
  assertEquals(first.map(({ facts }) => facts.name), ["/a", "/b", "/c"]);
});

Deno.test("another key sends anew; the same key with another request is refused, whatever differs", async () => {
  await using bench = await Bench.make();
  const sends = await bench.start();
  await sends.send(REQUEST, "k");
  await sends.send(REQUEST, "K");
  assertEquals(bench.began.length, 6);
  const { paths, priority } = REQUEST;
  const others: SendParameters[] = [
    { ...REQUEST, paths: ["/a", "/b"] },
    { ...REQUEST, paths: ["/b", "/a", "/c"] },
    { ...REQUEST, priority: 1 },
    { ...REQUEST, expireSecs: 1 },
    { ...REQUEST, identity: "cd".repeat(32) },
    { paths, priority, sessionId: BOB },
  ];
  for (const other of others) {
    await refuses("IDEMPOTENCY_KEY_REUSED", () => sends.send(other, "k"));
  }
  assertEquals(bench.began.length, 6);
});

Deno.test("a request that was refused leaves its key free", async () => {
  await using bench = await Bench.make();
  const sends = await bench.start();
  bench.refusal = new OperationError("PEER_NOT_CONNECTED", "away");
  await refuses("PEER_NOT_CONNECTED", () => sends.send(REQUEST, "k"));
  bench.refusal = undefined;
  bench.lateRefusal = new OperationError("LIMIT_EXCEEDED", "others came first");
  await refuses("LIMIT_EXCEEDED", () => sends.send(REQUEST, "k"));
  bench.lateRefusal = undefined;
  const again = await bench.start();
  await again.send({ ...REQUEST, paths: ["/d"] }, "k");
  assertEquals(bench.began, ["/d"]);
});

for (const files of [0, 1, 2, 3]) {
  Deno.test(`a crash after ${files} of the files began: the others are made up for, none twice`, async () => {
    await using bench = await Bench.make();
    bench.crashAfter = files;
    const first = (await bench.start()).send(REQUEST, "k");
    if (files < 3) await assertRejects(() => first, Error, "crashed");
    else await first;
    bench.crashAfter = Infinity;
    const sends = await bench.start();
    const entries = await sends.send(REQUEST, "k");
    assertEquals(bench.began, ["/a", "/b", "/c"]);
    assertEquals(entries.map(({ facts }) => facts.name), ["/a", "/b", "/c"]);
    assertEquals(idsOf(await sends.send(REQUEST, "k")), idsOf(entries));
  });
}

Deno.test("what was sent is not sent again when its transfers are forgotten", async () => {
  await using bench = await Bench.make();
  const sends = await bench.start();
  await sends.send(REQUEST, "k");
  bench.entries.clear();
  await refuses("TRANSFER_NOT_FOUND", () => sends.send(REQUEST, "k"));
  assertEquals(bench.began.length, 3);
});

Deno.test("a clock that is put back by days, in a run or between two, makes no key forgotten", async () => {
  await using bench = await Bench.make();
  const first = idsOf(await (await bench.start()).send(REQUEST, "k"));
  const day = 24 * 3600 * 1000;
  bench.now = 1e12;
  const sends = await bench.start();
  const later = idsOf(await sends.send(REQUEST, "later"));
  for (const back of [1, 8 * day, 300 * day]) {
    bench.now = 1e12 - back;
    assertEquals(idsOf(await sends.send(REQUEST, "later")), later);
    await sends.send(REQUEST, `other ${back}`);
    assertEquals(idsOf(await (await bench.start()).send(REQUEST, "later")), later);
  }
  assertEquals(bench.began.length, (2 + 3) * REQUEST.paths.length);
  assertEquals(first.length, REQUEST.paths.length);
});

Deno.test("after its time a key is as a fresh one", async () => {
  await using bench = await Bench.make();
  const sends = await bench.start();
  const first = await sends.send(REQUEST, "k");
  bench.now += 7 * 24 * 3600 * 1000;
  const second = await sends.send({ ...REQUEST, priority: 1 }, "k");
  assertEquals(bench.began.length, 6);
  assertEquals(new Set([...idsOf(first), ...idsOf(second)]).size, 6);
});
