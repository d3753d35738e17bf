import { assertEquals } from "@std/assert";
import { byteSize, namePattern } from "./accept_rule.ts";

Deno.test("sizes are bytes, or units of 1024", () => {
  const sizes: [string, number | undefined][] = [
    ["1", 1],
    ["500", 500],
    ["2K", 2048],
    ["100M", 104_857_600],
    ["2G", 2_147_483_648],
    ["1T", 1_099_511_627_776],
    ...["0", "0K", "", "K", "-1", "1.5G", "1k", "1KB", "1 K", "1e3", "9999999T"].map(
      (text): [string, undefined] => [text, undefined],
    ),
  ];
  for (const [text, bytes] of sizes) assertEquals(byteSize.parse(text), bytes, text);
});

Deno.test("patterns are what a name can fit", () => {
  for (const text of ["*", "*.pdf", "report ?.pdf", "*".repeat(255), "😀".repeat(255)]) {
    assertEquals(namePattern.parse(text), text);
  }
  for (const text of ["", "a/b", "a\n", "\0", "*".repeat(256), "\ud800"]) {
    assertEquals(namePattern.parse(text), undefined, JSON.stringify(text));
  }
});
