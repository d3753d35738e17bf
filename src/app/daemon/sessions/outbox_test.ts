import { assertEquals, assertRejects } from "@std/assert";
import { memoryPair } from "../../../transport/testing/memory_channel.ts";
import { MAX_OUTBOX_BYTES, MAX_WAITING_FRAMES, Outbox } from "./outbox.ts";

const { signal } = new AbortController();
const close = (pair: ReturnType<typeof memoryPair>) =>
  Promise.all([pair.offerer, pair.answerer].map((end) => end.close({ graceful: false })));

/** A channel that takes one frame and no more until its peer reads. */
const narrow = () => memoryPair({ acknowledge: "reading", high: 1, low: 0 });

Deno.test("frames leave in their order, one at a time, as the channel takes them", async () => {
  const pair = narrow();
  const outbox = new Outbox(pair.offerer, () => {});
  const frames = ["a", "b", "c"];
  for (const frame of frames) assertEquals(outbox.push(frame), true);
  for (const frame of frames) assertEquals(await pair.answerer.receive(), frame);
  await outbox.flushed(signal);
  await close(pair);
});

Deno.test("the outbox is bounded in frames: one more than fits is not taken", async () => {
  const pair = narrow();
  const outbox = new Outbox(pair.offerer, () => {});
  outbox.push("under way");
  for (let i = 0; i < MAX_WAITING_FRAMES; i++) assertEquals(outbox.push("x"), true);
  assertEquals(outbox.push("x"), false);
  // One that leaves makes room for one.
  await pair.answerer.receive();
  await pair.answerer.receive();
  assertEquals(outbox.push("x"), true);
  outbox.stop();
  await close(pair);
});

Deno.test("the outbox is bounded in characters", async () => {
  const pair = narrow();
  const outbox = new Outbox(pair.offerer, () => {});
  outbox.push("under way");
  const large = "x".repeat(200_000);
  let waiting = 0;
  while (outbox.push(large)) waiting += large.length;
  assertEquals(waiting <= MAX_OUTBOX_BYTES && waiting + large.length > MAX_OUTBOX_BYTES, true);
  outbox.stop();
  await close(pair);
});

Deno.test("flushed waits for the channel to take the last frame, or for its signal", async () => {
  const pair = narrow();
  const outbox = new Outbox(pair.offerer, () => {});
  outbox.push("a");
  const given = new AbortController();
  const waiting = outbox.flushed(given.signal);
  given.abort(new Error("enough"));
  await assertRejects(() => waiting, Error, "enough");
  await pair.answerer.receive();
  await outbox.flushed(signal);
  await close(pair);
});

Deno.test("a channel that is lost is told of once, and nothing more is sent", async () => {
  const pair = narrow();
  const failures: unknown[] = [];
  const outbox = new Outbox(pair.offerer, (error) => failures.push(error));
  outbox.push("a");
  outbox.push("b");
  pair.lose();
  await outbox.flushed(signal);
  outbox.push("c");
  await outbox.flushed(signal);
  assertEquals(failures.length, 1);
  await close(pair);
});
