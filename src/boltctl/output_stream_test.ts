import { assertEquals, assertRejects } from "@std/assert";
import { ServedFake } from "../ipc/testing/served_fake.ts";
import { events } from "./commands/events.ts";
import { CommandError } from "./exit_codes.ts";
import { flushedBoth, OutputStream } from "./output_stream.ts";
import { contextFor, MemoryTerminal } from "./testing/memory_terminal.ts";

/** Windows has no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const never = new AbortController().signal;

/** A stream that fails from the second write on. */
function failing(error: Error) {
  const written: string[] = [];
  return {
    written,
    write(bytes: Uint8Array): Promise<number> {
      if (written.length === 1) return Promise.reject(error);
      written.push(new TextDecoder().decode(bytes));
      return Promise.resolve(bytes.length);
    },
  };
}

Deno.test("after a gap nothing more is written, and it is told as a failure", async () => {
  const inner = failing(new Error("anything"));
  const stream = new OutputStream(inner, "stdout", () => {});
  for (const text of ["a", "b", "c"]) stream.write(text);
  await assertRejects(() => stream.flushed(never), CommandError, "could be written to stdout");
  assertEquals(inner.written, ["a"]);
});

Deno.test("a reader that has gone ends the program with 1", async () => {
  const codes: number[] = [];
  const stream = new OutputStream(
    failing(new Deno.errors.BrokenPipe("gone")),
    "stdout",
    (code) => codes.push(code),
  );
  stream.write("a");
  stream.write("b");
  await stream.settled(1000);
  assertEquals(codes, [1]);
});

/** A terminal that takes what was written when the test says so. */
class SlowTerminal extends MemoryTerminal {
  readonly #asked = Array.from({ length: 3 }, () => Promise.withResolvers<() => void>());
  #flushes = 0;

  override flushed(): Promise<void> {
    const taken = Promise.withResolvers<void>();
    this.#asked[this.#flushes++]?.resolve(taken.resolve);
    return taken.promise;
  }

  /** Resolves when that flush is waited for, with what ends it. */
  flush(number: number): Promise<() => void> | undefined {
    return this.#asked[number]?.promise;
  }
}

test("the next event is printed when the last is written: no more than one waits in memory", async () => {
  await using fake = await ServedFake.start();
  const progress = (number: number) =>
    fake.events.publish({
      type: "transfer-progress",
      transferId: String(number).repeat(32),
      transferred: 1,
      size: 2,
      bytesPerSecond: 3,
    });
  const first = progress(0);
  for (const number of [1, 2, 3]) progress(number);
  const terminal = new SlowTerminal();
  const words = ["events", "--json", "--count=3", "--after", first];
  const running = events(contextFor(words, terminal, fake.socketPath));
  for (const number of [0, 1, 2]) {
    const take = await terminal.flush(number);
    assertEquals(terminal.stdout.split("\n").length - 1, number + 1);
    take?.();
  }
  await running;
});

Deno.test("the sentence about a stdout that can't be written is waited for", async () => {
  const failing = { write: () => Promise.reject(new Error("the disk is full")) };
  const read = Promise.withResolvers<void>();
  let told = "";
  const slow = {
    write: async (bytes: Uint8Array) => {
      await read.promise;
      told += new TextDecoder().decode(bytes);
      return bytes.length;
    },
  };
  const [stdout, stderr] = [new OutputStream(failing, "stdout"), new OutputStream(slow, "stderr")];
  stdout.write("the result");
  stderr.write("a sentence");
  const { signal } = new AbortController();
  const flushed = assertRejects(() => flushedBoth(stdout, stderr, signal), CommandError);
  await stdout.settled(1000);
  read.resolve();
  await flushed;
  assertEquals(told, "a sentence");
});
