import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import fc from "fast-check";
import { OperationError } from "../../../ipc/api/problem.ts";
import { memoryLog } from "../../testing/fixtures.ts";
import { type ScheduledWork, Scheduler } from "./scheduler.ts";

/** The session that all work goes over, one at a time. */
class Line {
  isBusy = false;
}

/** Work that a test ends. */
class Work implements ScheduledWork {
  isReady = true;
  rests = false;
  runs = 0;
  asked = 0;
  prepared = 0;
  line = new Line();
  #ended = Promise.withResolvers<"done" | "again">();

  constructor(readonly name: string, readonly priority = 0, readonly log: string[] = []) {}

  get queuedFor(): Line {
    return this.line;
  }

  ready(): boolean {
    this.asked++;
    return this.isReady && !this.line.isBusy;
  }

  prepare(): void {
    this.prepared++;
  }

  run(): Promise<"done" | "again"> {
    this.runs++;
    this.line.isBusy = true;
    this.log.push(this.name);
    this.#ended = Promise.withResolvers();
    return this.#ended.promise;
  }

  /** Goes over the same session as others. */
  over(line: Line): this {
    this.line = line;
    return this;
  }

  /** Ends a run, and lets the scheduler hear of it. */
  async end(outcome: "done" | "again" = "done"): Promise<void> {
    this.line.isBusy = false;
    this.#ended.resolve(outcome);
    for (let i = 0; i < 5; i++) await Promise.resolve();
  }

  async fail(error: Error): Promise<void> {
    this.line.isBusy = false;
    this.#ended.reject(error);
    for (let i = 0; i < 5; i++) await Promise.resolve();
  }
}

const scheduler = (maxWaiting?: number) =>
  new Scheduler({
    log: memoryLog(),
    ...(maxWaiting === undefined ? {} : { maxWaiting }),
  });

Deno.test("what rests lets those behind it go first, keeps its place, and counts as waiting", async () => {
  const made = scheduler(2);
  const line = new Line();
  const log: string[] = [];
  const [first, second] = ["first", "second"].map((name) => new Work(name, 0, log).over(line));
  const last = new Work("last", 0, log).over(line);
  assert(first !== undefined && second !== undefined);
  first.rests = true;
  made.add(first);
  line.isBusy = true;
  made.add(second);
  assertThrows(() => made.checkCapacity(1), OperationError, "wait already");
  line.isBusy = false;
  made.wake();
  made.add(last);
  first.rests = false;
  await second.end();
  await first.end();
  assertEquals(log, ["second", "first", "last"]);
  await last.end();
});

Deno.test("what an earlier run had taken is taken back beyond the bound, and counts in it", () => {
  const made = scheduler(1);
  for (const name of ["a", "b"]) {
    const work = new Work(name);
    work.isReady = false;
    made.restore(work);
  }
  assertThrows(() => made.add(new Work("c")), OperationError, "2 transfers wait already");
});

Deno.test("higher priority first, then in the order asked, whatever they were added in", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 20 }),
    async (priorities) => {
      const log: string[] = [];
      const made = scheduler();
      const line = new Line();
      const first = new Work("first", 0, log).over(line);
      made.add(first);
      const works = priorities.map((priority, i) => new Work(String(i), priority, log).over(line));
      for (const work of works) made.add(work);
      await first.end();
      for (const _ of works) {
        const running = works.find(({ name }) => name === log.at(-1));
        await running?.end();
      }
      const expected = works.toSorted((a, b) => b.priority - a.priority).map(({ name }) => name);
      assertEquals(log, ["first", ...expected]);
      assertEquals(made.running, 0);
    },
  ));
});

Deno.test("each session's next begins when its last has ended, whatever other sessions wait for", async () => {
  const made = scheduler();
  const [one, other] = [new Line(), new Line()];
  const works = [new Work("a").over(one), new Work("b").over(one), new Work("c").over(other)];
  for (const work of works) made.add(work);
  assertEquals(works.map(({ runs }) => runs), [1, 0, 1]);
  await works[0]?.end();
  assertEquals(works.map(({ runs }) => runs), [1, 1, 1]);
  assertEquals(made.running, 2);
});

Deno.test("when work begins the one after it in its queue is told, and no other", () => {
  const [line, other] = [new Line(), new Line()];
  const works = ["a", "b", "c"].map((name) => new Work(name).over(line));
  const elsewhere = new Work("d").over(other);
  line.isBusy = other.isBusy = true;
  const runs = scheduler();
  for (const work of [...works, elsewhere]) runs.add(work);
  line.isBusy = false;
  runs.wake();
  assertEquals([...works, elsewhere].map(({ prepared }) => prepared), [0, 1, 0, 0]);
});

Deno.test("an accepted offer of a peer begins at once, however many files wait to be sent", async () => {
  const made = scheduler(1);
  const waits = new Work("waits");
  waits.isReady = false;
  made.add(waits);
  const accepted = new Work("accepted");
  made.begin(accepted);
  assertEquals([accepted.runs, made.running], [1, 1]);
  await accepted.end();
  assertEquals(made.running, 0);
});

Deno.test("work that is not ready does not hold up what is, and runs when woken", () => {
  const made = scheduler();
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

Deno.test("however many wait for a session, one of them is asked whether it can begin", async () => {
  const made = scheduler();
  const line = new Line();
  const works = Array.from({ length: 1_000 }, (_, i) => new Work(String(i)).over(line));
  for (const work of works) made.add(work);
  for (const work of works) work.asked = 0;
  made.wake();
  assertEquals(works.reduce((sum, { asked }) => sum + asked, 0), 1);
  await works[0]?.end();
  assertEquals(works.map(({ runs }) => runs).slice(0, 3), [1, 1, 0]);
  assertLess(works.reduce((sum, { asked }) => sum + asked, 0), 5);
});

Deno.test("what was queued for two sessions and goes over one keeps its order by priority", async () => {
  const log: string[] = [];
  const made = scheduler();
  const line = new Line();
  const queued = (name: string, priority: number, queuedFor: Line) => {
    const work = new Work(name, priority, log).over(line);
    Object.defineProperty(work, "queuedFor", { value: queuedFor });
    made.add(work);
    return work;
  };
  const [before, after] = [new Line(), new Line()];
  const works = [
    queued("first", 0, before),
    queued("low", 1, before),
    queued("high", 2, after),
    queued("lowest", 0, after),
    queued("lowest, later", 0, before),
  ];
  for (let i = 0; i < works.length; i++) {
    await works.find(({ name }) => name === log.at(-1))?.end();
  }
  assertEquals(log, ["first", "high", "low", "lowest", "lowest, later"]);
});

Deno.test("again puts work back where it was in the order", async () => {
  const log: string[] = [];
  const made = scheduler();
  const line = new Line();
  const [a, b] = [new Work("a", 0, log).over(line), new Work("b", 0, log).over(line)];
  made.add(a);
  made.add(b);
  await a.end("again");
  assertEquals(log, ["a", "a"]);
  await a.end();
  assertEquals(log, ["a", "a", "b"]);
});

Deno.test("the queue is bounded: what finds no room is refused, and all that waits is kept", async () => {
  const made = scheduler(2);
  const line = new Line();
  const running = new Work("running").over(line);
  made.add(running);
  made.add(new Work("1").over(line));
  made.checkCapacity(1);
  const refused = assertThrows(() => made.checkCapacity(2), OperationError);
  assertEquals(refused.code, "LIMIT_EXCEEDED");
  made.add(new Work("2").over(line));
  assertThrows(() => made.add(new Work("3").over(line)), OperationError);
  await running.end();
  made.add(new Work("3").over(line));
});

Deno.test("work is taken out only while it waits", async () => {
  const made = scheduler();
  const line = new Line();
  const [running, waiting] = [new Work("a").over(line), new Work("b").over(line)];
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
  const made = new Scheduler({ log });
  const line = new Line();
  const [fails, next] = [new Work("a").over(line), new Work("b").over(line)];
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
  const line = new Line();
  const [running, waiting] = [new Work("a").over(line), new Work("b").over(line)];
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
