import { assert, assertEquals } from "@std/assert";
import { IMPORTANCES, LineWriter } from "./line_writer.ts";

/** A stream whose reader takes what it is told to. */
class StalledStream {
  text = "";
  readonly writes: number[] = [];
  fails = false;
  #reading: PromiseWithResolvers<void> | undefined = Promise.withResolvers();

  async write(bytes: Uint8Array): Promise<number> {
    await this.#reading?.promise;
    if (this.fails) throw new Deno.errors.BrokenPipe("gone");
    this.text += new TextDecoder().decode(bytes);
    this.writes.push(bytes.length);
    return bytes.length;
  }

  /** The reader reads from now on. */
  read(): void {
    this.#reading?.resolve();
    this.#reading = undefined;
  }

  lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }
}

const noticeOf = (dropped: number) => `dropped ${dropped}`;

/** A writer that nobody reads; the first line is under way, and can't be dropped any more. */
function stalled(bounds: { maxBytes?: number; maxLines?: number }) {
  const stream = new StalledStream();
  const writer = new LineWriter(stream, { noticeOf, ...bounds });
  writer.write("first", "ordinary");
  return { stream, writer };
}

Deno.test("lines are written whole and in order, many small ones in one piece", async () => {
  const { stream, writer } = stalled({});
  const long = "x".repeat(9000);
  const said = ["a", "b", long, "c"];
  for (const [i, line] of said.entries()) {
    writer.write(line, IMPORTANCES[i % IMPORTANCES.length] ?? "ordinary");
  }
  stream.read();
  await writer.flush(1000);
  assertEquals(stream.lines(), ["first", ...said]);
  assertEquals(stream.writes, ["first\n".length, "a\nb\n".length, long.length + 1, 2]);
});

Deno.test("a line that comes at the very moment the last is written is not left behind", async () => {
  for (let turns = 0; turns < 12; turns++) {
    const stream = new StalledStream();
    stream.read();
    const writer = new LineWriter(stream, { noticeOf });
    writer.write("first", "ordinary");
    for (let turn = 0; turn < turns; turn++) await undefined;
    writer.write("second", "ordinary");
    await writer.flush(1000);
    assertEquals(stream.lines(), ["first", "second"], `after ${turns} turns`);
  }
});

Deno.test("without a reader no more is held than the bounds say, however much is logged", () => {
  const { writer } = stalled({ maxBytes: 10_000, maxLines: 50 });
  let most = 0;
  for (let i = 0; i < 5000; i++) {
    writer.write("y".repeat(i % 3000), IMPORTANCES[i % IMPORTANCES.length] ?? "ordinary");
    most = Math.max(most, writer.bytes);
  }
  assert(most > 7000 && most <= 10_000, String(most));
  writer.write("y".repeat(10_000), "error"); // longer than all that may be held
  assert(writer.bytes <= 10_000);
});

Deno.test("what is dropped is the oldest, and a line says how many when it flows again", async () => {
  const { stream, writer } = stalled({ maxLines: 4 });
  for (let i = 1; i <= 10; i++) writer.write(`line ${i}`, "ordinary");
  stream.read();
  await writer.flush(1000);
  assertEquals(stream.lines(), ["first", "dropped 7", "line 8", "line 9", "line 10"]);
  writer.write("later", "ordinary");
  await writer.flush(1000);
  assertEquals(stream.lines().at(-1), "later");
});

Deno.test("errors are the last to be dropped, tokens the last but those", async () => {
  const { stream, writer } = stalled({ maxLines: 5 });
  writer.write("error 1", "error");
  writer.write("token 1", "token");
  writer.write("token 2", "token");
  for (let i = 0; i < 100; i++) writer.write(`ordinary ${i}`, "ordinary");
  writer.write("error 2", "error"); // instead of the last ordinary one
  writer.write("token 3", "token"); // instead of token 1
  writer.write("ordinary", "ordinary"); // finds no room
  stream.read();
  await writer.flush(1000);
  assertEquals(stream.lines(), [
    "first",
    "dropped 102",
    "error 1",
    "token 2",
    "error 2",
    "token 3",
  ]);
});

Deno.test("with errors alone the newest stay: the last says how the run ended", async () => {
  const { stream, writer } = stalled({ maxLines: 3 });
  for (let i = 1; i <= 5; i++) writer.write(`error ${i}`, "error");
  writer.write("FATAL", "error");
  stream.read();
  await writer.flush(1000);
  assertEquals(stream.lines(), ["first", "dropped 4", "error 5", "FATAL"]);
});

Deno.test("a flush that nobody reads ends at its deadline", async () => {
  const { stream, writer } = stalled({});
  const start = performance.now();
  await writer.flush(20);
  assert(performance.now() - start < 10_000);
  assertEquals(stream.text, "");
  stream.read();
  await writer.flush(1000);
});

Deno.test("a stream that fails costs what waited, which is told when it works again", async () => {
  const { stream, writer } = stalled({});
  writer.write("second", "error");
  stream.fails = true;
  stream.read();
  await writer.flush(1000);
  writer.write("third", "ordinary");
  await writer.flush(1000);
  stream.fails = false;
  writer.write("fourth", "ordinary");
  await writer.flush(1000);
  assertEquals(stream.lines(), ["dropped 3", "fourth"]);
});
