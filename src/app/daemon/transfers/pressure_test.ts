/**
 * A slow disk and a slow network hold the sender, memory stays bounded, and what the receiver's
 * disk makes of the file is the sender's end too: two sessions over a channel in memory, which as
 * the wire's has no receive pressure of its own.
 *
 * @module
 */
import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { Hash } from "node:crypto";
import { EventHub } from "../../../ipc/server/event_hub.ts";
import { logFor } from "../../../log/log.ts";
import { KeyPair } from "../../../protocol/crypto/keys.ts";
import { seededRandom } from "../../../protocol/testing/seeded_random.ts";
import { Session, type SessionOptions } from "../../../protocol/session/session.ts";
import type { OfferedFile } from "../../../protocol/transfer/file_receiver.ts";
import {
  BINARY_ENCODING,
  CAPABILITIES,
  type Capability,
} from "../../../protocol/messages/capabilities.ts";
import { CHUNK_BYTES } from "../../../protocol/transfer/daemon_dialect.ts";
import { DEFAULT_CHUNK_BYTES, MAX_CHUNK_BYTES } from "../../../protocol/transfer/limits.ts";
import type { DataFolder } from "../../../storage/data_folder.ts";
import { Journal } from "../../../storage/journal.ts";
import { openInbox, transferId } from "../../../storage/testing/inbox_fixture.ts";
import { TemporaryFolder } from "../../../storage/testing/temporary_folder.ts";
import type { Channel } from "../../../transport/channel.ts";
import { byteLength } from "../../../transport/receive_buffer.ts";
import { type MemoryPair, memoryPair } from "../../../transport/testing/memory_channel.ts";
import { SEND_WINDOW } from "../../../transport/send_window.ts";
import { PeerSession } from "../sessions/peer_session.ts";
import { HeldFiles } from "./held_files.ts";
import { EarlierTries } from "./earlier_tries.ts";
import { IncomingTransfer } from "./incoming_transfer.ts";
import { OutgoingTransfer } from "./outgoing_transfer.ts";
import { Slots } from "./slots.ts";
import { SessionTransfers, type SessionTransfersOptions } from "./session_transfers.ts";
import { TransferRegistry } from "./transfer_registry.ts";
import type { TransferEntry } from "./transfer_entry.ts";

/** More than the receive queue's limit of 16 MiB: what holds nobody back fails. */
const SIZE = 20 * 1024 * 1024;
/** Chunks of the smaller kind. */
const CHUNKS = SIZE / CHUNK_BYTES;
/** The receive queue's high mark. */
const HIGH_WATER = 4 * 1024 * 1024;
/** The chunk that passes the mark, one that was read meanwhile, and one on its way. */
const SLACK_CHUNKS = 3;

/** An encoding of messages, and what a chunk is in it. */
interface Encoding {
  readonly capabilities: readonly Capability[];
  readonly chunkBytes: number;
  /** Bytes of a sealed chunk and all that is around it. */
  readonly largestFrame: number;
}

const JSON_ENCODING: Encoding = {
  capabilities: CAPABILITIES,
  chunkBytes: CHUNK_BYTES,
  largestFrame: 120_000,
};
const ENCODINGS: Readonly<Record<string, Encoding>> = {
  json: JSON_ENCODING,
  binary: {
    capabilities: [...CAPABILITIES, BINARY_ENCODING],
    chunkBytes: MAX_CHUNK_BYTES,
    largestFrame: 131_300,
  },
};
const log = logFor("test");

/** One end: its own disk, its own list of transfers, a session. */
class Side implements AsyncDisposable {
  readonly registry: TransferRegistry;
  readonly offered = Promise.withResolvers<OfferedFile>();
  readonly opened = Promise.withResolvers<void>();
  readonly transfers: SessionTransfers;
  readonly #peer: PeerSession;
  readonly #journal: Journal;

  private constructor(
    readonly folder: TemporaryFolder,
    channel: Channel,
    options: SessionOptions,
    more: Pick<SessionTransfersOptions, "fileSaveMs">,
    readonly data: DataFolder,
    journal: Journal,
  ) {
    this.#journal = journal;
    this.registry = new TransferRegistry({
      journal,
      received: { record: () => Promise.resolve() },
      events: new EventHub(),
      log,
      now: () => Date.now(),
      dropPart: () => Promise.resolve(),
      pathOf: (name) => folder.at(name),
    });
    this.#peer = new PeerSession({
      session: new Session(options),
      channel,
      listener: {
        established: () => {
          this.#peer.approve(this.transfers);
          this.opened.resolve();
        },
        ending: () => {},
      },
    });
    this.transfers = new SessionTransfers({
      sessionId: "session",
      identity: "ab".repeat(32),
      peer: this.#peer,
      onOffer: (file) => this.offered.resolve(file),
      proven: true,
      resumes: false,
      onRefused: () => {},
      acceptsFiles: false,
      onEnded: () => {},
      onClosing: () => {},
      backpressure: () => undefined,
      ...more,
    });
  }

  static async make(
    channel: Channel,
    options: SessionOptions,
    more: Pick<SessionTransfersOptions, "fileSaveMs"> = {},
  ): Promise<Side> {
    const folder = await TemporaryFolder.make();
    const data = await folder.dataFolder();
    const journal = await Journal.open(folder.fs, data);
    const side = new Side(folder, channel, options, more, data, journal);
    side.#peer.start();
    return side;
  }

  /** Chunks that were read from, or written to, files with this name. */
  count(operation: "read" | "write", name: RegExp): number {
    return this.folder.fs.calls.filter((call) => call.startsWith(operation) && name.test(call))
      .length;
  }

  begin(direction: "outgoing" | "incoming", state: "queued" | "offered"): TransferEntry {
    const facts = { transferId: transferId(1), identity: "ab".repeat(32), name: "big", size: SIZE };
    return this.registry.begin({ ...facts, direction, priority: 0, createdAt: 1 }, state);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#peer.close();
    await this.#peer.ended;
    await this.registry.settled();
    this.#journal[Symbol.dispose]();
    this.data[Symbol.dispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

/** A file on its way from one side to the other. */
class Flow implements AsyncDisposable {
  readonly #running: Promise<unknown>[] = [];
  /** Most chunks that had been read and not yet written. */
  mostUnderWay = 0;

  private constructor(
    readonly path: MemoryPair,
    readonly sender: Side,
    readonly receiver: Side,
    readonly sent: TransferEntry,
    readonly received: TransferEntry,
  ) {}

  static async start(
    ofReceiver: Pick<SessionTransfersOptions, "fileSaveMs"> = {},
    { capabilities }: Encoding = JSON_ENCODING,
  ): Promise<Flow> {
    const random = seededRandom("pressure");
    const keys = () => ({
      capabilities,
      identity: KeyPair.generate("identity", random).publicKey,
      ephemeral: KeyPair.generate("ephemeral", random),
      random,
    });
    const path = memoryPair();
    const [a, b] = [keys(), keys()];
    const [sender, receiver] = await Promise.all([
      Side.make(path.offerer, { ...a, remoteEphemeral: b.ephemeral.publicKey }),
      Side.make(path.answerer, { ...b, remoteEphemeral: a.ephemeral.publicKey }, ofReceiver),
    ]);
    await Promise.all([sender.opened.promise, receiver.opened.promise]);
    const source = sender.folder.at("big");
    {
      using file = await Deno.open(source, { write: true, createNew: true });
      await file.truncate(SIZE);
    }
    const flow = new Flow(
      path,
      sender,
      receiver,
      sender.begin("outgoing", "queued"),
      receiver.begin("incoming", "offered"),
    );
    const { registry, transfers } = sender;
    const outgoing = new OutgoingTransfer({
      entry: flow.sent,
      path: source,
      queuedFor: transfers,
      session: () => transfers,
      slots: new Slots({ limit: 1 }),
      hashSlots: new Slots({ limit: 1 }),
      registry,
      fs: sender.folder.fs,
      random,
      now: Date.now,
      onRested: () => {},
    });
    flow.#running.push(outgoing.run());
    return flow;
  }

  /** Takes the offer. */
  async accept(): Promise<IncomingTransfer> {
    const { folder, registry, offered, transfers } = this.receiver;
    const inbox = await openInbox(folder);
    const incoming = new IncomingTransfer({
      entry: this.received,
      file: await offered.promise,
      session: transfers,
      slots: new Slots({ limit: 1 }),
      registry,
      held: new HeldFiles(),
      tries: new EarlierTries({
        registry,
        received: { find: () => Promise.resolve(undefined) },
        inbox,
        onAbort: "remove",
        isPinned: () => true,
        log,
        steady: () => performance.now(),
        now: () => Date.now(),
      }),
      inbox,
      collision: "number",
      log,
    });
    // From here on the sender reads chunks, no more for the hash.
    this.sender.folder.fs.calls.length = 0;
    incoming.prepare(undefined);
    this.#running.push(incoming.run());
    return incoming;
  }

  /** Chunks that the sender has read for sending. */
  get read(): number {
    const read = this.sender.count("read", /big$/);
    this.mostUnderWay = Math.max(this.mostUnderWay, read - this.written);
    return read;
  }

  /** Chunks that the receiver's disk was given. */
  get written(): number {
    return this.receiver.count("write", /\.part$/);
  }

  /** Resolves when a condition holds, asked after each call of a disk; fails when a side ends first. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      for (const { isFinal, progress } of [this.sent, this.received]) {
        assert(!isFinal, `it ended: ${JSON.stringify(progress)}`);
      }
      await this.barrier(1);
    }
  }

  /** As many calls of a disk as asked for have been made and answered. */
  async barrier(calls: number): Promise<void> {
    for (let i = 0; i < calls; i++) await Deno.lstat(this.sender.folder.path);
  }

  /** How it ended for the sender and the receiver. */
  async ends(): Promise<readonly [string, string]> {
    await Promise.all(this.#running);
    return [this.sent.progress.state, this.received.progress.state];
  }

  /** All has arrived. */
  async finished(): Promise<void> {
    assertEquals(await this.ends(), ["completed", "completed"]);
    assertEquals((await Deno.stat(this.receiver.folder.at("inbox/big"))).size, SIZE);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.path.resume();
    await Promise.all([this.sender, this.receiver].map((side) => side[Symbol.asyncDispose]()));
  }
}

for (const [name, encoding] of Object.entries(ENCODINGS)) {
  Deno.test(`a slow disk: the receiver holds the sender with pause and resume, and memory stays bounded (${name})`, async () => {
    await using flow = await Flow.start({}, encoding);
    const highWaterChunks = HIGH_WATER / encoding.chunkBytes;
    const disk = flow.receiver.folder.fs;
    let gate = Promise.withResolvers<void>();
    disk.inject({ on: "write", path: /\.part$/, action: { before: () => gate.promise } });
    await flow.accept();
    await flow.until(() => flow.sent.progress.state === "paused");
    // Time for a sender that is not held to read all of the file.
    await flow.barrier(2 * CHUNKS);
    assertEquals(flow.written, 1, "the disk has one write at a time");
    assertLess(flow.read, highWaterChunks + SLACK_CHUNKS + 1);
    assertEquals(
      flow.received.progress.state,
      "active",
      "nobody asked for this pause: it is not told",
    );
    // The disk moves, one chunk a time, until there is room again.
    while (flow.sent.progress.state === "paused") {
      const before = flow.written;
      gate.resolve();
      gate = Promise.withResolvers();
      await flow.until(() => flow.written > before);
    }
    assert(flow.written >= highWaterChunks / 2, "it does not go on before the queue is low");
    gate.resolve();
    disk.inject({ on: "write", action: { before: () => void flow.read } });
    await flow.finished();
    assertLess(flow.mostUnderWay, highWaterChunks + SLACK_CHUNKS + 1);
  });
}

/** Counts what is handed to a channel from now on. */
function countSent(channel: Channel): { messages: number; bytes: number; largest: number } {
  const sent = { messages: 0, bytes: 0, largest: 0 };
  const send = channel.send.bind(channel);
  channel.send = (message, options) => {
    const bytes = byteLength(message);
    sent.messages++;
    sent.bytes += bytes;
    sent.largest = Math.max(sent.largest, bytes);
    return send(message, options);
  };
  return sent;
}

for (const [name, encoding] of Object.entries(ENCODINGS)) {
  Deno.test(`a slow network: Backpressure: if peer cannot accept data, pause reading from disk (${name})`, async () => {
    await using flow = await Flow.start({}, encoding);
    const chunks = SIZE / encoding.chunkBytes;
    await flow.accept();
    await flow.until(() => flow.read > 0);
    // Nothing is acknowledged from here on; all before was, at once.
    flow.path.stall();
    const sent = countSent(flow.path.offerer);
    const before = flow.read;
    // However long the disk takes; what comes after that must not be sent.
    await flow.until(() => sent.bytes >= SEND_WINDOW.high);
    await flow.barrier(2 * CHUNKS);
    const held = flow.read;
    assert(sent.bytes >= SEND_WINDOW.high, "the window is used");
    assert(sent.bytes < SEND_WINDOW.high + sent.largest, `${sent.bytes} bytes wait for the peer`);
    const { largestFrame, chunkBytes } = encoding;
    assert(sent.largest <= largestFrame, `${sent.largest} bytes for a chunk of ${chunkBytes}`);
    // "read chunk, encrypt, send, release": one had been read ahead, and one is.
    assert(held - before <= sent.messages, "one chunk is read that the channel has no room for");
    assertLess(held, chunks);
    await flow.barrier(CHUNKS);
    assertEquals(flow.read, held, "not a chunk more");
    flow.path.resume();
    await flow.finished();
  });
}

Deno.test("the contract tells the bounds of what is in flight", async () => {
  const contract = await Deno.readTextFile(
    new URL("../../../../docs/DAEMON_CONTRACT.md", import.meta.url),
  );
  const [, section = ""] = contract.split('"One chunk in flight at a time per transfer"');
  const chunks = [CHUNK_BYTES, DEFAULT_CHUNK_BYTES, MAX_CHUNK_BYTES];
  const { high, low, most } = SEND_WINDOW;
  for (const bytes of [...chunks, high, high - low]) {
    assertStringIncludes(section, `${bytes / 1024} KiB`);
  }
  assertStringIncludes(section, `${most / 1024 ** 2} MiB`);
  for (const { largestFrame } of Object.values(ENCODINGS)) {
    assertStringIncludes(section, largestFrame.toLocaleString("en"));
  }
});

Deno.test("nothing is sent while the sender's journal has no space: after a crash it would arrive twice", async () => {
  await using flow = await Flow.start();
  await flow.until(() => flow.sent.progress.state === "offered");
  await flow.sender.registry.settled();
  const disk = flow.sender.folder.fs;
  const reads: number[] = [];
  const journal = { on: "write", path: /journal/, times: 1 } as const;
  disk.inject({ ...journal, action: { fail: "ENOSPC" } });
  disk.inject({
    ...journal,
    action: {
      before: async () => {
        await flow.barrier(CHUNKS);
        reads.push(flow.read);
      },
    },
  });
  await flow.accept();
  await flow.finished();
  assertEquals(reads, [0]);
});

Deno.test("a sent file is not completed before the receiver has it on disk under its name", async () => {
  await using flow = await Flow.start();
  const told: string[] = [];
  const lookTwice = async () => {
    told.push(flow.sent.progress.state);
    await flow.barrier(CHUNKS);
    told.push(flow.sent.progress.state);
  };
  flow.receiver.folder.fs.inject({ on: "link", action: { before: lookTwice } });
  await flow.accept();
  await flow.finished();
  assertEquals(told, ["active", "active"]);
});

Deno.test("a disk that takes too long to keep the file holds the session no longer", async () => {
  await using flow = await Flow.start({ fileSaveMs: 10 });
  const untilSent = async () => {
    while (!flow.sent.isFinal) await flow.barrier(1);
  };
  flow.receiver.folder.fs.inject({ on: "link", action: { before: untilSent } });
  await flow.accept();
  await flow.finished();
});

Deno.test("a file that came whole and can't be kept is not completed for its sender either", async () => {
  await using flow = await Flow.start();
  flow.receiver.folder.fs.inject({ on: "link", action: { fail: "EIO" } });
  await flow.accept();
  assertEquals(await flow.ends(), ["cancelled", "failed"]);
});

Deno.test("an accepted file that is cancelled before it has a partial file never gets one", async () => {
  await using flow = await Flow.start();
  const incoming = await flow.accept();
  incoming.cancel();
  assertEquals(await flow.ends(), ["rejected", "cancelled"]);
  assertEquals(flow.receiver.folder.fs.calls.filter((call) => call.endsWith(".part")), []);
});

/** Counts the bytes that any hash of this process is fed, until it is disposed. */
function countHashed(): Disposable & { bytes: number } {
  const { update } = Hash.prototype;
  const count = { bytes: 0, [Symbol.dispose]: () => void (Hash.prototype.update = update) };
  Hash.prototype.update = function (
    this: Hash,
    data: string | { byteLength: number },
    encoding?: unknown,
  ) {
    if (typeof data !== "string") count.bytes += data.byteLength;
    return Reflect.apply(update, this, [data, encoding]);
  };
  return count;
}

Deno.test("each byte is hashed once a pass: for the offer, while it is sent, while it is written", async () => {
  using hashed = countHashed();
  await using flow = await Flow.start();
  await flow.accept();
  await flow.finished();
  // What else is hashed are keys: no more than a chunk together.
  assert(hashed.bytes >= 3 * SIZE);
  assertLess(hashed.bytes, 3 * SIZE + CHUNK_BYTES);
});
