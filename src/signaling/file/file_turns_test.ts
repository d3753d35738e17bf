import { assertEquals, assertRejects } from "@std/assert";
import { FileTurns } from "./file_turns.ts";

const { signal } = new AbortController();

Deno.test("no more pieces of work run at once than the bound; the rest follow", async () => {
  const turns = new FileTurns(2);
  let [running, most] = [0, 0];
  const work = async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 0));
    running--;
  };
  await Promise.all(Array.from({ length: 20 }, () => turns.run(work, signal)));
  assertEquals([running, most], [0, 2]);
});

Deno.test("work that hangs lets its caller go, and keeps its turn until it ends", async () => {
  const turns = new FileTurns(1);
  const hanging = Promise.withResolvers<string>();
  const giveUp = new AbortController();
  const first = turns.run(() => hanging.promise, giveUp.signal);
  const waiter = new AbortController();
  const second = turns.run(() => Promise.resolve("never begun"), waiter.signal);
  giveUp.abort(new Error("gave up"));
  await assertRejects(() => first, Error, "gave up");
  waiter.abort(new Error("gave up too"));
  await assertRejects(() => second, Error, "gave up too");
  const third = turns.run(() => Promise.resolve("third"), signal);
  hanging.resolve("late");
  assertEquals(await third, "third");
});

Deno.test("work that fails gives its turn on; its failure is the caller's", async () => {
  const turns = new FileTurns(1);
  await assertRejects(() => turns.run(() => Promise.reject(new Error("no")), signal), Error, "no");
  assertEquals(await turns.run(() => Promise.resolve("next"), signal), "next");
});
