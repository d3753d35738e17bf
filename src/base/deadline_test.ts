import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { abortable, Deadline } from "./deadline.ts";
import { DeadlineError } from "./errors.ts";

function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(signal.reason), { once: true })
  );
}

Deno.test("a deadline aborts with phase timeout expired and what was waited for", async () => {
  using deadline = new Deadline(1, { what: "the answer" });
  const reason = await aborted(deadline.signal);
  assertInstanceOf(reason, DeadlineError);
  assertEquals(reason.message, "phase timeout expired: waiting for the answer (after 0.001 s)");
});

Deno.test("a deadline aborts with its parent's reason, also one that was there before", () => {
  const parent = new AbortController();
  using deadline = new Deadline(60_000, { parent: parent.signal, what: "x" });
  assert(!deadline.signal.aborted);
  parent.abort("enough");
  assertEquals(deadline.signal.reason, "enough");
  using late = new Deadline(60_000, { parent: parent.signal, what: "x" });
  assertEquals(late.signal.reason, "enough");
});

Deno.test("a deadline beyond the longest timer does not fire at once", async () => {
  using long = new Deadline(999999999999 * 1000, { what: "x" });
  using short = new Deadline(20, { what: "y" });
  await aborted(short.signal);
  assert(!long.signal.aborted);
});

Deno.test("abortable gives the outcome, or the signal's reason when that is first", async () => {
  const control = new AbortController();
  assertEquals(await abortable(Promise.resolve(1), control.signal), 1);
  const { promise, reject } = Promise.withResolvers<never>();
  const waiting = abortable(promise, control.signal);
  control.abort(new Error("stopped"));
  await assertRejects(() => waiting, Error, "stopped");
  reject(new Error("too late: must not be an unhandled rejection"));
  await assertRejects(() => abortable(Promise.resolve(1), control.signal), Error, "stopped");
});
