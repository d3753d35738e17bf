/** What becomes of a file that comes without an offer while nobody decides, or the disk takes none. */
import { assertEquals } from "@std/assert";
import { OFFER_MS } from "../../../base/timing.ts";
import { logFor } from "../../../log/log.ts";
import { parseTransferId } from "../../../protocol/messages/transfer_id.ts";
import type { Transfers } from "../../../protocol/transfer/transfers.ts";
import { Journal } from "../../../storage/journal.ts";
import { openInbox, transferId } from "../../../storage/testing/inbox_fixture.ts";
import { TemporaryFolder } from "../../../storage/testing/temporary_folder.ts";
import { HandClock, MemoryEvents } from "../../testing/fixtures.ts";
import type { TransferEvent } from "../sessions/peer_session.ts";
import { EarlierTries } from "./earlier_tries.ts";
import { HELD_FILES, HeldFiles } from "./held_files.ts";
import { IncomingTransfer } from "./incoming_transfer.ts";
import type { SessionTransfers } from "./session_transfers.ts";
import { Slots } from "./slots.ts";
import type { TransferEntry } from "./transfer_entry.ts";
import { TransferRegistry } from "./transfer_registry.ts";

const log = logFor("test");
const IDENTITY = "ab".repeat(32);
const BYTES = 10;

/** Files of a peer that sends without an offer, and what the core was asked about them. */
class Arrivals implements AsyncDisposable {
  readonly clock = new HandClock();
  readonly asked: string[] = [];
  onAsked: () => void = () => {};
  /** Files that came whole and are on disk, or can't be. */
  readonly settled: number[] = [];
  readonly #registry: TransferRegistry;
  readonly #held = new HeldFiles();
  readonly #stack: AsyncDisposableStack;

  private constructor(
    readonly folder: TemporaryFolder,
    readonly journal: Journal,
    stack: AsyncDisposableStack,
  ) {
    this.#stack = stack;
    this.#registry = new TransferRegistry({
      journal,
      received: { record: () => Promise.resolve() },
      events: new MemoryEvents(),
      log,
      now: this.clock.now,
      dropPart: () => Promise.resolve(),
      pathOf: (name) => folder.at(name),
    });
  }

  static async make(): Promise<Arrivals> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await TemporaryFolder.make());
    const journal = stack.use(await Journal.open(folder.fs, stack.use(await folder.dataFolder())));
    return new Arrivals(folder, journal, stack.move());
  }

  /** A file of which so many of its two chunks have come; something may happen after the first. */
  async file(
    n: number,
    chunks: 1 | 2,
    afterFirst: (work: IncomingTransfer) => void = () => {},
  ): Promise<{ entry: TransferEntry; work: IncomingTransfer }> {
    const { entry, work, hear } = await this.offer(n, { implied: true });
    hear.started();
    for (let index = 0; index < chunks; index++) {
      hear.chunk(index);
      if (index === 0) afterFirst(work);
    }
    if (chunks === 2) hear.whole();
    return { entry, work };
  }

  /** A file that is offered, or not, and what may be heard of it. */
  async offer(n: number, { implied = false, resumes = false }) {
    const id = parseTransferId(transferId(n));
    if (id === undefined) throw new Error("unreachable");
    let hear: (event: TransferEvent) => void = () => {};
    const asked = (name: string) => () => {
      this.asked.push(`${name} ${n}`);
      this.onAsked();
      return [];
    };
    const names = ["pause", "resume", "cancel", "fail", "failWithReason", "takeBack", "accept"];
    const transfers = Object.fromEntries(names.map((name) => [name, asked(name)]));
    // The peer is told nothing by these.
    Object.assign(transfers, { willAccept: () => [], settled: () => [] });
    const session = {
      identity: IDENTITY,
      lost: false,
      resumes,
      peer: {
        act: (call: (transfers: Transfers, now: number) => unknown) =>
          call(transfers as unknown as Transfers, 0),
      },
      route: (_id: unknown, listener: typeof hear) => hear = listener,
      keep: (done: Promise<void>) => {
        done.then(() => this.settled.push(n));
      },
    } as unknown as SessionTransfers;
    const file = { transferId: id, filename: `f${n}`, size: 2 * BYTES, totalChunks: 2 };
    const facts = { transferId: transferId(n), identity: IDENTITY, name: file.filename };
    const entry = this.#registry.begin(
      { ...facts, size: file.size, direction: "incoming", priority: 0, createdAt: 1 },
      "offered",
    );
    const inbox = await openInbox(this.folder);
    const tries = new EarlierTries({
      ...{ registry: this.#registry, inbox, log, onAbort: "remove" },
      received: { find: () => Promise.resolve(undefined) },
      isPinned: () => false,
      steady: () => performance.now(),
      now: () => 0,
    });
    const work = new IncomingTransfer({
      entry,
      file: { ...file, implied },
      session,
      slots: new Slots({ limit: 1 }),
      registry: this.#registry,
      held: this.#held,
      ...{ inbox, tries },
      collision: "number",
      log,
      after: this.clock.after,
    });
    const of = { transferId: id, direction: "incoming" } as const;
    return {
      ...{ entry, work, inbox },
      hear: {
        started: () => hear({ type: "transfer-started", ...of }),
        chunk: (index: number) => {
          const data = new Uint8Array(BYTES);
          const chunk = { index, offset: index * BYTES, data, last: index === 1 };
          hear({ type: "transfer-chunk", transferId: id, ...chunk });
        },
        whole: () => {
          const end = { outcome: "completed", by: "remote", message: "all was received" } as const;
          hear({ type: "transfer-ended", ...of, ...end });
        },
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#registry.settled();
    await this.#stack.disposeAsync();
  }
}

for (const [what, chunks, word] of [["in part", 1, "cancel"], ["whole", 2, "takeBack"]] as const) {
  Deno.test(`a file that came ${what} without an offer waits as long as an offer for a decision`, async () => {
    await using arrivals = await Arrivals.make();
    const { entry } = await arrivals.file(1, chunks);
    arrivals.asked.length = 0;
    arrivals.clock.pass(OFFER_MS - 1);
    assertEquals(entry.progress.state, "offered");
    arrivals.clock.pass(1);
    const { state, failure } = entry.progress;
    assertEquals([state, failure?.code], ["cancelled", "OFFER_EXPIRED"]);
    assertEquals(arrivals.asked, [`${word} 1`]);
  });
}

Deno.test("a file that is decided about waits for no decision any more", async () => {
  await using arrivals = await Arrivals.make();
  const [accepted, declined] = [await arrivals.file(1, 2), await arrivals.file(2, 2)];
  accepted.work.prepare(undefined);
  declined.work.reject();
  assertEquals(arrivals.clock.waiting, 0);
  assertEquals(await accepted.work.run(), "done");
  assertEquals(accepted.entry.progress.state, "completed");
  assertEquals(declined.entry.progress.state, "rejected");
  assertEquals(arrivals.asked.filter((word) => !word.startsWith("pause")), ["takeBack 2"]);
});

Deno.test("files that were accepted before they came, and wait for the disk, are bounded too", async () => {
  await using arrivals = await Arrivals.make();
  const { files } = HELD_FILES.ofPeer;
  // Accepted between its first chunk and its last, and not run: the disk has not answered.
  const next = (n: number) => arrivals.file(n, 2, (work) => work.prepare(undefined));
  for (let n = 1; n <= files; n++) await next(n);
  const takenBack = () => arrivals.asked.filter((word) => word.startsWith("takeBack"));
  assertEquals(takenBack(), []);
  await next(files + 1);
  assertEquals(takenBack(), [`takeBack ${files + 1}`]);
});

Deno.test("a small file may come while its partial file is made, where the session can resume", async () => {
  await using arrivals = await Arrivals.make();
  const { entry, work, hear } = await arrivals.offer(1, { resumes: true });
  const accepted = Promise.withResolvers<void>();
  arrivals.onAsked = () => accepted.resolve();
  work.prepare(undefined);
  const run = work.run();
  await accepted.promise;
  assertEquals([arrivals.asked, entry.progress.transferred], [["accept 1"], 0]);
  hear.started();
  hear.chunk(0);
  hear.chunk(1);
  hear.whole();
  assertEquals(entry.progress.transferred, 0, "its partial file is not there yet");
  await run;
  assertEquals([entry.progress.state, arrivals.settled], ["completed", [1]]);
  assertEquals(arrivals.asked, ["accept 1"]);
});

Deno.test("a small file that came and whose partial file can't be made is taken back, and holds up nobody", async () => {
  await using arrivals = await Arrivals.make();
  const { entry, work, hear, inbox } = await arrivals.offer(1, { resumes: true });
  await Deno.writeTextFile(inbox.partPath(transferId(1)), "another program's");
  const accepted = Promise.withResolvers<void>();
  arrivals.onAsked = () => accepted.resolve();
  work.prepare(undefined);
  const run = work.run();
  await accepted.promise;
  hear.started();
  hear.chunk(0);
  hear.chunk(1);
  hear.whole();
  await run;
  assertEquals([entry.progress.state, entry.progress.failure?.code], ["failed", "NAME_TAKEN"]);
  assertEquals([arrivals.asked, arrivals.settled], [["accept 1", "failWithReason 1"], [1]]);
});
