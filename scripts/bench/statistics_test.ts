import { assertEquals, assertMatch } from "@std/assert";
import { comparisonTable, median, medianOf, ratioText, type Results } from "./statistics.ts";

const RESULTS: Results = new Map([
  ["before", [new Map([["MB/s", 10]]), new Map([["MB/s", 30]])]],
  ["after", [new Map([["MB/s", 50]]), undefined]],
]);

Deno.test("the median is the middle one, or the mean of the two in the middle", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 3, 2]), 2.5);
  assertEquals(median([]), undefined);
});

Deno.test("a variant's median is that of the rounds that were not lost", () => {
  assertEquals(medianOf(RESULTS, "before", "MB/s"), 20);
  assertEquals(medianOf(RESULTS, "after", "MB/s"), 50);
  assertEquals(medianOf(RESULTS, "after", "CPU"), undefined);
  assertEquals(medianOf(RESULTS, "nobody", "MB/s"), undefined);
});

Deno.test("a ratio that can't be told is empty", () => {
  assertEquals(ratioText(5, 2), "2.50x");
  for (const [value, base] of [[5, 0], [undefined, 2], [5, undefined]] as const) {
    assertEquals(ratioText(value, base), "");
  }
});

Deno.test("a comparison has ratios first, then medians, and tells the runs that were lost", () => {
  const column = { title: "MB/s", key: "MB/s", digits: 1 };
  const ratios = [
    { title: "times before", key: "MB/s", base: "before" },
    { title: "after / it", key: "MB/s", base: "after", isInverse: true },
  ];
  const table = comparisonTable(RESULTS, ratios, [column]);
  assertMatch(table, /^\| +\| times before \| after \/ it \| +MB\/s \| +lost \|\n/);
  assertMatch(table, /\| before \| +1\.00x \| +2\.50x \| +20\.0 \| 0 of 2 \|/);
  assertMatch(table, /\| after +\| +2\.50x \| +1\.00x \| +50\.0 \| 1 of 2 \|/);
});

Deno.test("where no run was lost nothing is said of it, nor of a variant that was not measured", () => {
  const results: Results = new Map([["only", [new Map([["MB/s", 1]])]]]);
  const ratio = { title: "times before", key: "MB/s", base: "before" };
  const table = comparisonTable(results, [ratio], [{ title: "MB/s", key: "MB/s", digits: 0 }]);
  assertEquals(table, "|      | MB/s |\n| ---- | ---: |\n| only |    1 |");
});
