import { assertEquals, assertRejects } from "@std/assert";
import { writeAll } from "./write_all.ts";

/** A stream that does what it is told at each write: takes so many bytes, or throws. */
function scripted(steps: (number | Error)[]) {
  const taken: number[] = [];
  return {
    taken,
    write(bytes: Uint8Array): Promise<number> {
      const step = steps.shift() ?? bytes.length;
      if (step instanceof Error) return Promise.reject(step);
      taken.push(...bytes.subarray(0, step));
      return Promise.resolve(Math.min(step, bytes.length));
    },
  };
}

const BYTES = Uint8Array.from({ length: 10 }, (_, i) => i);
const full = () => new Deno.errors.WouldBlock("full");

Deno.test("a stream that takes a part or is full for a while gets all bytes once, in order", async () => {
  const stream = scripted([3, full(), full(), 1, full()]);
  await writeAll(stream, BYTES);
  assertEquals(stream.taken, [...BYTES]);
});

Deno.test("another failure of the stream ends the write", async () => {
  const stream = scripted([3, new Deno.errors.BrokenPipe("gone")]);
  await assertRejects(() => writeAll(stream, BYTES), Deno.errors.BrokenPipe);
});

Deno.test("a signal ends the wait for a reader, whether the stream blocks or refuses", async () => {
  const reason = new Error("enough");
  const blocked = { write: () => new Promise<number>(() => {}) };
  const refusing = { write: () => Promise.reject(full()) };
  for (const stream of [blocked, refusing]) {
    const stop = new AbortController();
    const writing = assertRejects(() => writeAll(stream, BYTES, { signal: stop.signal }));
    stop.abort(reason);
    assertEquals(await writing, reason);
  }
});
