import { assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { escapeUnsafe, safeJson } from "./text.ts";

Deno.test("control, bidi, invisible and line-breaking characters are spelled out", () => {
  assertEquals(
    escapeUnsafe("a\u0000b\u001b[2J\u202egnp.exe\u2028\u200d\ud800"),
    "a\\u{0}b\\u{1b}[2J\\u{202e}gnp.exe\\u{2028}\\u{200d}\\u{d800}",
  );
  assertEquals(escapeUnsafe("naïve 文件 😀.txt"), "naïve 文件 😀.txt");
});

Deno.test("safe JSON parses to the same value and holds no unsafe character", () => {
  fc.assert(fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
    const text = safeJson(value);
    assertEquals(JSON.parse(text), JSON.parse(JSON.stringify(value)));
    assertMatch(text, /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u);
  }));
  // A tag character lies outside the basic plane: two escapes.
  assertEquals(safeJson("\u{e0041}"), '"\\udb40\\udc41"');
});
