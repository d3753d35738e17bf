import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { OperationError } from "../../../ipc/problem.ts";
import { memoryLog } from "../testing/fixtures.ts";
import { type ScheduledWork, Scheduler } from "./scheduler.ts";

/** Work that a test ends. */
class Work implements ScheduledWork {
  isReady = true;
  runs = 0;
  #ended = Promise.withResolvers<"done" | "again">();

  constructor(readonly name: string, readonly priority = 0, readonly log: string[] = []) {}

  ready(): boolean {
    return this.isReady;
  }

  run(): Promise<"done" | "again"> {
    this.runs++;
    this.log.push(this.name);
    this.#ended = Promise.withResolvers();
    return this.#ended.promise;
  }

  /** Ends a run, and lets the scheduler hear of it. */
  async end(outcome: "done" | "again" = "done"): Promise<void> {
    this.#ended.resolve(outcome);
    for (let i = 0; i < 5; i++) await Promise.resolve();
  }

  async fail(error: Error): Promise<void> {
    this.#ended.reject(error);
    for (let i = 0; i < 5; i++) await Promise.resolve();
  }
}

const scheduler = (maxActive = 1, maxWaiting?: number) =>
  new Scheduler({
    maxActive,
    log: memoryLog(),
    ...(maxWaiting === undefined ? {} : { maxWaiting }),
  });

Deno.test("higher priority first, then in the order asked, whatever they were added in", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 20 }),
    async (priorities) => {
      const log: string[] = [];
      const made = scheduler();
      const first = new Work("first", 0, log);
      made.add(first);
      const works = priorities.map((priority, i) => new Work(String(i), priority, log));
      for (const work of works) made.add(work);
      await first.end();
      for (const _ of works) {
        const running = works.find(({ name }) => name === log.at(-1));
        await running?.end();
      }
      const expected = works.toSorted((a, b) => b.priority - a.priority).map(({ name }) => name);
      assertEquals(log, ["first", ...expected]);
      assertEquals(made.active, 0);
    },
  ));
});

Deno.test("at most maxActive run at once, and the next begins when one ends", async () => {
  const made = scheduler(2);
  const works = ["a", "b", "c"].map((name) => new Work(name));
  for (const work of works) made.add(work);
  assertEquals(works.map(({ runs }) => runs), [1, 1, 0]);
  await works[1]?.end();
  assertEquals(works.map(({ runs }) => runs), [1, 1, 1]);
  assertEquals(made.active, 2);
});

Deno.test("work that is not ready does not hold up what is, and runs when woken", () => {
  const made = scheduler(2);
  const waits = new Work("waits", 9);
  waits.isReady = false;
  const runs = new Work("runs");
  made.add(waits);
  made.add(runs);
  assertEquals([waits.runs, runs.runs], [0, 1]);
  made.wake();
  assertEquals(waits.runs, 0);
  waits.isReady = true;
  made.wake();
  assertEquals(waits.runs, 1);
});

Deno.test("again puts work back where it was in the order", async () => {
  const log: string[] = [];
  const made = scheduler();
  const [a, b] = [new Work("a", 0, log), new Work("b", 0, log)];
  made.add(a);
  made.add(b);
  await a.end("again");
  assertEquals(log, ["a", "a"]);
  await a.end();
  assertEquals(log, ["a", "a", "b"]);
});

Deno.test("the queue is bounded: what finds no room is refused, and all that waits is kept", async () => {
  const made = scheduler(1, 2);
  const running = new Work("running");
  made.add(running);
  made.add(new Work("1"));
  made.checkRoom(1);
  const refused = assertThrows(() => made.checkRoom(2), OperationError);
  assertEquals(refused.code, "LIMIT_EXCEEDED");
  made.add(new Work("2"));
  assertThrows(() => made.add(new Work("3")), OperationError);
  await running.end();
  made.add(new Work("3"));
});

Deno.test("work is taken out only while it waits", async () => {
  const made = scheduler();
  const [running, waiting] = [new Work("a"), new Work("b")];
  made.add(running);
  made.add(waiting);
  assertEquals([made.remove(running), made.remove(waiting), made.remove(waiting)], [
    false,
    true,
    false,
  ]);
  await running.end();
  assertEquals(waiting.runs, 0);
});

Deno.test("work that fails unexpectedly is told of, and its place goes to the next", async () => {
  const log = memoryLog();
  const made = new Scheduler({ maxActive: 1, log });
  const [fails, next] = [new Work("a"), new Work("b")];
  made.add(fails);
  made.add(next);
  await fails.fail(new Error("no one expected this"));
  assertEquals(log.lines, [
    'error a transfer failed unexpectedly {"error":"no one expected this"}',
  ]);
  assertEquals(next.runs, 1);
});

Deno.test("stopped, it starts nothing any more and resolves when what runs has ended", async () => {
  const made = scheduler();
  const [running, waiting] = [new Work("a"), new Work("b")];
  made.add(running);
  made.add(waiting);
  let stopped = false;
  const stopping = made.stop().then(() => stopped = true);
  await Promise.resolve();
  assertEquals(stopped, false);
  await running.end("again");
  await stopping;
  assertEquals([running.runs, waiting.runs], [1, 0]);
});
