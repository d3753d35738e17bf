import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { placeSection } from "./document.ts";
import { formatSection, formatTable, median, type Results } from "./transport_report.ts";

const results: Results = new Map([
  ["stock", [new Map([["throughput 64", 10]]), new Map([["throughput 64", 30]])]],
  ["ours", [new Map([["throughput 64", 50]])]],
]);

Deno.test("the median is the middle one, or the mean of the two in the middle", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 3, 2]), 2.5);
  assertEquals(median([]), undefined);
});

Deno.test("a table shows medians, and ratios to the first variant; what is not known stays empty", () => {
  const table = formatTable(results);
  assertMatch(table, /64 KiB messages \(MB\/s\) *\| *20\.0 \| *50\.0 \| *2\.50x \|/);
  assertMatch(table, /round trip of 64 bytes \(ms\) *\| *\| *\| *\|/);
});

Deno.test("a section takes the place of the one before and leaves the rest of the document", () => {
  const machine = {
    date: new Date(0),
    system: "linux 6",
    cpu: "some CPU",
    cores: 2,
    memoryGb: 8,
    deno: "2.9.6",
    load: 1,
  };
  const section = formatSection(results, 2, machine);
  const once = placeSection("# Benchmarks\n\n## Core\n\nnumbers\n", section);
  assertStringIncludes(once, "## Core");
  assertStringIncludes(once, "1970-01-01, Deno 2.9.6, linux 6, some CPU, 2 cores");
  const followed = `${once}\n## Another\n`;
  assertEquals(placeSection(followed, section), followed);
  const changed = formatSection(new Map(), 2, machine);
  assertEquals(placeSection(followed, changed).includes("50.0"), false);
  assertStringIncludes(placeSection(followed, changed), "## Another");
});
