import { assert, assertEquals } from "@std/assert";
import { abortable, Deadline } from "../../../base/deadline.ts";
import { type Paths, PathWatch } from "./path_watch.ts";

/** Pairs by name; those in `answering` answer at once, the others never do in time. */
class FakePaths implements Paths<string> {
  nominated = "first";
  isControlling = true;
  readonly answering = new Set<string>();
  readonly checks: { readonly pair: string; readonly nominate: boolean }[] = [];
  readonly #waiting: { isMet(): boolean; resolve(): void }[] = [];

  constructor(readonly pairs: readonly string[], answering: readonly string[] = pairs) {
    for (const pair of answering) this.answering.add(pair);
  }

  check(pair: string, nominate: boolean): Promise<boolean> {
    this.checks.push({ pair, nominate });
    this.#look();
    return Promise.resolve(this.answering.has(pair));
  }

  select(pair: string): void {
    this.nominated = pair;
    this.#look();
  }

  countOf(pair: string): number {
    return this.checks.filter((check) => check.pair === pair).length;
  }

  /** Resolves at the check or selection that makes `isMet` true. */
  async until(isMet: () => boolean): Promise<void> {
    using deadline = new Deadline(5000, { what: "a check" });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ isMet, resolve });
    this.#look();
    await abortable(promise, deadline.signal);
  }

  #look(): void {
    for (const { isMet, resolve } of this.#waiting) if (isMet()) resolve();
  }
}

interface Watched {
  readonly watch: PathWatch<string>;
  readonly gone: Promise<void>;
  readonly goneCount: () => number;
}

function watching(paths: FakePaths): Watched & Disposable {
  const { promise, resolve } = Promise.withResolvers<void>();
  let count = 0;
  const onGone = () => {
    count++;
    resolve();
  };
  const watch = new PathWatch(paths, { onGone, consentMs: 2, retryMs: 1 });
  return {
    watch,
    gone: promise,
    goneCount: () => count,
    [Symbol.dispose]: () => watch[Symbol.dispose](),
  };
}

Deno.test("the controlling side moves to the best pair that answers when its own dies, and nominates it", async () => {
  const paths = new FakePaths(["first", "dead", "good", "worse"], ["first", "good", "worse"]);
  using _ = watching(paths);
  await paths.until(() => paths.countOf("first") > 3);
  paths.answering.delete("first");
  await paths.until(() => paths.nominated === "good");
  await paths.until(() => paths.checks.some(({ pair, nominate }) => pair === "good" && nominate));
  assert(paths.checks.every(({ pair, nominate }) => !nominate || ["first", "good"].includes(pair)));
});

Deno.test("a pair that answers is not left, and no other is checked meanwhile", async () => {
  const paths = new FakePaths(["better", "first"]);
  using _ = watching(paths);
  await paths.until(() => paths.countOf("first") > 50);
  assertEquals([paths.nominated, paths.countOf("better")], ["first", 0]);
});

Deno.test("the controlled side moves nowhere by itself: without a nomination it ends", async () => {
  const paths = new FakePaths(["first", "other"], ["other"]);
  paths.isControlling = false;
  using watched = watching(paths);
  await watched.gone;
  assertEquals(paths.nominated, "first");
  assert(paths.countOf("other") > 0, "the peer learns of the path by our checks");
  assert(paths.checks.every(({ nominate }) => !nominate));
});

Deno.test("the controlled side follows a nomination, though its pair answers, once its check was answered", async () => {
  const paths = new FakePaths(["first", "other"]);
  paths.isControlling = false;
  using watched = watching(paths);
  watched.watch.onNomination("other");
  assertEquals(paths.nominated, "first");
  await paths.until(() => paths.nominated === "other");
});

Deno.test("a nomination of a pair that does not answer moves nobody", async () => {
  const paths = new FakePaths(["first", "forged"], ["first"]);
  paths.isControlling = false;
  using watched = watching(paths);
  for (let i = 0; i < 20; i++) watched.watch.onNomination("forged");
  assertEquals(paths.countOf("forged"), 1, "one check at a time");
  await paths.until(() => paths.countOf("first") > 20);
  assertEquals(paths.nominated, "first");
});

Deno.test("of two nominations the later one counts", async () => {
  const paths = new FakePaths(["first", "early", "late"]);
  paths.isControlling = false;
  const selected: string[] = [];
  const { select } = FakePaths.prototype;
  paths.select = (pair) => {
    selected.push(pair);
    select.call(paths, pair);
  };
  using watched = watching(paths);
  watched.watch.onNomination("early");
  watched.watch.onNomination("late");
  await paths.until(() => paths.nominated === "late");
  assertEquals(selected, ["late"]);
});

Deno.test("the controlling side takes no nomination", async () => {
  const paths = new FakePaths(["first", "other"]);
  using watched = watching(paths);
  watched.watch.onNomination("other");
  await paths.until(() => paths.countOf("first") > 20);
  assertEquals([paths.nominated, paths.countOf("other")], ["first", 0]);
});

Deno.test("requests that come in, nominations among them, keep no dead path alive", async () => {
  const paths = new FakePaths(["first", "other"], ["other"]);
  paths.isControlling = false;
  using watched = watching(paths);
  const { check } = FakePaths.prototype;
  paths.check = (pair, nominate) => {
    // As often as we ask, the peer is heard.
    if (pair === "first") {
      watched.watch.onNomination("first");
      void watched.watch.onRequest("other");
    }
    return check.call(paths, pair, nominate);
  };
  await watched.gone;
});

Deno.test("after fifteen checks without an answer the peer is gone, once, and nothing is checked any more", async () => {
  const paths = new FakePaths(["first"], []);
  using watched = watching(paths);
  await watched.gone;
  assertEquals(paths.countOf("first"), 15);
  await watched.watch.onRequest("first");
  watched.watch.onNomination("first");
  assertEquals([paths.countOf("first"), watched.goneCount()], [15, 1]);
});

Deno.test("an answer begins the count anew", async () => {
  const paths = new FakePaths(["first"], []);
  using watched = watching(paths);
  await paths.until(() => paths.countOf("first") === 14);
  paths.answering.add("first");
  await paths.until(() => paths.countOf("first") === 40);
  assertEquals(watched.goneCount(), 0);
});

Deno.test("all other pairs are tried before the end, ten at a time", async () => {
  const others = Array.from({ length: 99 }, (_, i) => `other ${i}`);
  const paths = new FakePaths(["first", ...others], []);
  using watched = watching(paths);
  await watched.gone;
  assert(others.every((pair) => paths.countOf(pair) > 0));
  const between = paths.checks.map(({ pair }) => pair).join().split("first");
  assert(between.every((group) => group.split("other").length - 1 <= 10));
});

Deno.test("a pair that is new when the path is in doubt is tried, and moved to", async () => {
  const pairs = ["first"];
  const paths = new FakePaths(pairs, ["first", "new"]);
  let doubts = 0;
  using _ = new PathWatch(paths, {
    onGone: () => {},
    onDoubt: () => {
      doubts++;
      if (pairs.length === 1) pairs.push("new");
    },
    consentMs: 2,
    retryMs: 1,
  });
  await paths.until(() => paths.countOf("first") > 3);
  assertEquals(doubts, 0, "nobody is asked while the path answers");
  paths.answering.delete("first");
  await paths.until(() => paths.nominated === "new");
  assert(doubts > 0);
});

Deno.test("who knows that the path can't work does not have to wait for three checks", async () => {
  const paths = new FakePaths(["first", "second"]);
  using watch = new PathWatch(paths, { onGone: () => {}, consentMs: 60_000, retryMs: 60_000 });
  await paths.until(() => paths.countOf("first") === 1);
  paths.answering.delete("first");
  watch.suspect();
  watch.suspect();
  await paths.until(() => paths.nominated === "second");
  assertEquals(paths.countOf("first"), 2, "it is asked once more, and no oftener");
});
