import { assertEquals, assertRejects } from "@std/assert";
import { StorageError } from "../base/errors.ts";
import { Serial } from "./serial.ts";
import { type Job, Together } from "./together.ts";

/** What one turn works on, until `done` is called. */
interface Turn {
  readonly items: readonly string[];
  readonly done: () => void;
}

/** Works on what waits when it is told to. */
class Held {
  readonly together: Together<string, string>;
  readonly #turns: Turn[] = [];
  #wake = Promise.withResolvers<void>();

  constructor(limit = 8) {
    this.together = new Together(new Serial(2), limit, (all) => this.#work(all));
  }

  /** The turn with this number, once it has begun. */
  async turn(number: number): Promise<Turn> {
    for (;;) {
      const turn = this.#turns[number];
      if (turn !== undefined) return turn;
      await this.#wake.promise;
    }
  }

  async #work(all: readonly Job<string, string>[]): Promise<void> {
    const { promise, resolve: done } = Promise.withResolvers<void>();
    this.#turns.push({ items: all.map(({ item }) => item), done });
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
    await promise;
    for (const { item, resolve, reject } of all) {
      if (item === "bad") reject(new Error(item));
      if (item === "left") throw new Error("the work failed");
      resolve(item.toUpperCase());
    }
  }
}

Deno.test("what is asked for while work runs is done together in the next turn", async () => {
  const held = new Held();
  const first = held.together.run("a");
  const { items, done } = await held.turn(0);
  assertEquals(items, ["a"]);
  const others = ["b", "c"].map((item) => held.together.run(item));
  done();
  assertEquals(await first, "A");
  const next = await held.turn(1);
  assertEquals(next.items, ["b", "c"]);
  next.done();
  assertEquals(await Promise.all(others), ["B", "C"]);
});

Deno.test("each gets its own failure, and that of the work when it has none", async () => {
  const held = new Held();
  const first = held.together.run("a");
  const { done } = await held.turn(0);
  const good = held.together.run("b");
  const bad = assertRejects(() => held.together.run("bad"), Error, "bad");
  const left = assertRejects(() => held.together.run("left"), Error, "the work failed");
  done();
  await first;
  (await held.turn(1)).done();
  assertEquals(await good, "B");
  await Promise.all([bad, left]);
});

Deno.test("no more wait than may, and turns are taken as long as there is always more to do", async () => {
  const held = new Held(2);
  let asked = [held.together.run("a")];
  for (let turn = 0; turn < 50; turn++) {
    const { done } = await held.turn(turn);
    const next = [held.together.run("b"), held.together.run("c")];
    await assertRejects(() => held.together.run("d"), StorageError, "too many writes wait");
    done();
    await Promise.all(asked);
    asked = next;
  }
  (await held.turn(50)).done();
  await Promise.all(asked);
});
