import { assert, assertEquals, assertRejects } from "@std/assert";
import { StorageError } from "../../../base/errors.ts";
import type { AcceptRule } from "../../../vocabulary/accept_rule.ts";
import { AcceptRules, brokenBy, type RuleState, type RuleVerdict } from "./accept_rules.ts";

const FILE = { name: "report.pdf", size: 100 };
const known = (bytes: number): RuleState => ({ freeAfter: { known: true, bytes } });

const BROKEN: readonly (readonly [AcceptRule, RuleState, string | undefined])[] = [
  [{}, {}, undefined],
  [{ maxSize: 100 }, {}, undefined],
  [{ maxSize: 99 }, {}, "it has more than 99 bytes"],
  [{ names: "*.pdf" }, {}, undefined],
  [{ names: "*.PDF" }, {}, "its name does not fit *.PDF"],
  [{ minFree: 5 }, known(5), undefined],
  [{ minFree: 5 }, known(4), "less than 5 bytes would stay free"],
  [{ minFree: 5 }, known(-4), "less than 5 bytes would stay free"],
  [{ minFree: 5 }, { freeAfter: { known: false, reason: "" } }, "free space can't be asked for"],
  [{ minFree: 5 }, {}, "free space can't be asked for"],
  [{ perDay: 2 }, { taken: 1 }, undefined],
  [{ perDay: 2 }, { taken: 2 }, "2 files were taken today"],
  [{ maxSize: 100, names: "*", minFree: 5, perDay: 2 }, { ...known(5), taken: 1 }, undefined],
  [
    { maxSize: 100, names: "*", minFree: 5, perDay: 2 },
    { ...known(5), taken: 2 },
    "2 files were taken today",
  ],
];

Deno.test("a file meets a rule that meets each of its conditions", () => {
  for (const [rule, state, why] of BROKEN) {
    assertEquals(brokenBy(rule, FILE, state), why, JSON.stringify([rule, state]));
  }
});

/** Rules over a count in memory. */
function rulesOf(rule: AcceptRule | undefined) {
  const state = { rule, taken: 0, fails: false, asking: Promise.resolve() };
  const rules = new AcceptRules({
    trust: {
      acceptRule: () => state.rule,
      takenAt: async () => {
        await state.asking;
        return state.taken;
      },
      countTaken: () => {
        if (state.fails) return Promise.reject(new StorageError("DISK_FULL", "full"));
        state.taken++;
        return Promise.resolve();
      },
    },
    inbox: { freeAfter: (bytes) => Promise.resolve({ known: true, bytes: 1000 - bytes }) },
    now: () => 0,
  });
  return { state, rules, judge: () => rules.judge("a", FILE) };
}

function met(verdict: RuleVerdict) {
  assert(verdict.kind === "met", verdict.kind);
  return verdict.accepted;
}

Deno.test("without a rule people are asked", async () => {
  assertEquals(await rulesOf(undefined).judge(), { kind: "no-rule" });
});

Deno.test("what is kept of a file takes no space again, and counts for its size all the same", async () => {
  const { rules } = rulesOf({ minFree: 950 });
  assertEquals((await rules.judge("a", FILE)).kind, "broken");
  assertEquals((await rules.judge("a", { ...FILE, kept: 50 })).kind, "met");
  const bounded = rulesOf({ maxSize: 99 }).rules;
  assertEquals((await bounded.judge("a", { ...FILE, kept: 50 })).kind, "broken");
});

Deno.test("a bound for the day holds for what is under way too, also when several are asked at once", async () => {
  const { judge } = rulesOf({ perDay: 2 });
  const kinds = (await Promise.all([judge(), judge(), judge()])).map(({ kind }) => kind);
  assertEquals(kinds, ["met", "met", "broken"]);
});

Deno.test("a file that does not arrive gives its place back; one that was counted does not", async () => {
  const { judge, state } = rulesOf({ perDay: 1 });
  met(await judge())[Symbol.dispose]();
  const second = met(await judge());
  await second.count();
  await second.count(); // another name was tried
  second[Symbol.dispose]();
  assertEquals([state.taken, (await judge()).kind], [1, "broken"]);
});

Deno.test("a file that can't be counted is an error, and still under way until it ends", async () => {
  const { judge, state } = rulesOf({ perDay: 1 });
  const accepted = met(await judge());
  state.fails = true;
  await assertRejects(() => accepted.count(), StorageError);
  assertEquals((await judge()).kind, "broken");
  accepted[Symbol.dispose]();
  assertEquals((await judge()).kind, "met");
});

Deno.test("a rule without a bound for the day counts nothing", async () => {
  const { judge, state } = rulesOf({ maxSize: 100 });
  await met(await judge()).count();
  assertEquals(state.taken, 0);
});

Deno.test("a rule that is changed while it is asked is asked anew", async () => {
  const { judge, state } = rulesOf({ perDay: 1 });
  const asking = Promise.withResolvers<void>();
  state.asking = asking.promise;
  const verdict = judge();
  state.rule = undefined;
  asking.resolve();
  assertEquals(await verdict, { kind: "no-rule" });
});
