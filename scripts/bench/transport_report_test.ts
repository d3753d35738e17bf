import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { placeSection } from "./document.ts";
import type { Results } from "./statistics.ts";
import { formatSection, formatTable } from "./transport_report.ts";

const results: Results = new Map([
  ["ours", [new Map([["throughput 64", 50]])]],
  ["stock", [new Map([["throughput 64", 10]]), new Map([["throughput 64", 30]])]],
]);

Deno.test("a table shows ratios of the first to the others, then medians; what is not known stays empty", () => {
  const table = formatTable(results);
  assertMatch(table, /^\| +\| ours \/ stock \| ours \| stock \|\n/);
  assertMatch(table, /64 KiB messages \(MB\/s\) *\| *2\.50x \| *50\.0 \| *20\.0 \|/);
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
