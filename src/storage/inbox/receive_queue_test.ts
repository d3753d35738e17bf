import { assertEquals, assertLess, assertThrows } from "@std/assert";
import { StorageError } from "../../base/errors.ts";
import { ReceiveQueue, type ReceiveQueueOptions } from "./receive_queue.ts";

/** A disk that writes one chunk each time it is told to. */
class GatedDisk {
  readonly written: number[] = [];
  readonly events: string[] = [];
  #gate = Promise.withResolvers<void>();

  readonly options: ReceiveQueueOptions = {
    onPause: () => this.events.push("pause"),
    onResume: () => this.events.push("resume"),
    onFailure: (error) => this.events.push(`failure ${error}`),
    highWater: 10_000,
    lowWater: 3_000,
    limit: 20_000,
  };

  /** A queue that is written to this disk. */
  queue(): ReceiveQueue {
    const queue = new ReceiveQueue(this.options);
    queue.start(async (bytes) => {
      await this.#gate.promise;
      this.written.push(bytes[0] ?? -1);
    });
    return queue;
  }

  open(): void {
    this.#gate.resolve();
  }

  fail(error: string): void {
    this.#gate.reject(error);
  }
}

const chunk = (n: number) => new Uint8Array(1000).fill(n);

Deno.test("chunks are written in order, one at a time, and wait for the start", async () => {
  let running = 0;
  const written: number[] = [];
  const queue = new ReceiveQueue(new GatedDisk().options);
  for (let n = 0; n < 5; n++) queue.push(chunk(n));
  queue.start(async (bytes) => {
    assertEquals(++running, 1);
    await Promise.resolve();
    written.push(bytes[0] ?? -1);
    running--;
  });
  for (let n = 5; n < 10; n++) queue.push(chunk(n));
  await queue.drained();
  for (let n = 10; n < 15; n++) queue.push(chunk(n));
  await queue.drained();
  assertEquals(written, Array.from({ length: 15 }, (_, n) => n));
  assertEquals(queue.heldBytes, 0);
});

Deno.test("a slow disk pauses the peer at the high mark and resumes it at the low one", async () => {
  const disk = new GatedDisk();
  const queue = disk.queue();
  for (let n = 0; n < 7; n++) queue.push(chunk(n));
  assertEquals(disk.events, []);
  for (let n = 7; n < 12; n++) queue.push(chunk(n));
  assertEquals(disk.events, ["pause"]);
  disk.open();
  await queue.drained();
  assertEquals(disk.events, ["pause", "resume"]);
  assertEquals(disk.written.length, 12);
});

Deno.test("memory is bounded: a peer that goes on after the pause is refused", () => {
  const disk = new GatedDisk();
  const queue = disk.queue();
  const error = assertThrows(() => {
    for (let n = 0; n < 1000; n++) {
      queue.push(chunk(n));
      assertLess(queue.heldBytes, 20_001);
    }
  }, StorageError);
  assertEquals(error.code, "QUEUE_FULL");
  queue.stop();
});

Deno.test("memory is bounded for a flood of tiny chunks too", () => {
  const queue = new GatedDisk().queue();
  let pushed = 0;
  assertThrows(() => {
    for (;; pushed++) queue.push(new Uint8Array(1));
  }, StorageError);
  assertEquals(pushed, Math.floor(20_000 / 257));
});

Deno.test("a failed write is told once, drops what waits, and later chunks are ignored", async () => {
  const disk = new GatedDisk();
  const queue = disk.queue();
  for (let n = 0; n < 12; n++) queue.push(chunk(n));
  disk.fail("disk full");
  await queue.drained();
  queue.push(chunk(99));
  await queue.drained();
  assertEquals(disk.events, ["pause", "failure disk full"]);
  assertEquals(disk.written, []);
  assertEquals(queue.heldBytes, 0);
});

Deno.test("after a stop nothing more is written than the chunk under way", async () => {
  const disk = new GatedDisk();
  const queue = disk.queue();
  for (let n = 0; n < 12; n++) queue.push(chunk(n));
  queue.stop();
  assertEquals(queue.heldBytes, 1256);
  disk.open();
  await queue.drained();
  assertEquals(disk.written, [0]);
  assertEquals(disk.events, ["pause"]);
});
