import { assertEquals, assertStringIncludes } from "@std/assert";
import { placeSection, tableOf } from "./results.ts";

const SECTION = { mark: "some run", document: "X.md", title: "X" };

Deno.test("a section is put at the end of a document, and later replaced in its place", () => {
  const first = placeSection("# X\n\nabove\n", SECTION, "one\n");
  const second = placeSection(`${first}\nbelow\n`, SECTION, "two");
  assertStringIncludes(first, "above\n\n<!-- some run");
  assertStringIncludes(first, "\n\none\n\n<!-- end of some run -->\n");
  assertEquals(second, `${first}\nbelow\n`.replace("one", "two"));
});

Deno.test("a table's columns are as wide as their widest cell", () => {
  const rows = [["fault", "tries"], ["a cut", "7"]];
  assertEquals(tableOf(rows), "| fault | tries |\n| ----- | ----- |\n| a cut | 7     |");
});
