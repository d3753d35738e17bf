import { assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { escapeName, escapeUnsafe, safeJson } from "./text.ts";

Deno.test("control, bidi, invisible and line-breaking characters are spelled out", () => {
  assertEquals(
    escapeUnsafe("a\u0000b\u001b[2J\u202egnp.exe\u2028\u200d\ud800"),
    "a\\u{0}b\\u{1b}[2J\\u{202e}gnp.exe\\u{2028}\\u{200d}\\u{d800}",
  );
  assertEquals(escapeUnsafe("naïve 文件 😀.txt"), "naïve 文件 😀.txt");
});

Deno.test("what is drawn as nothing is spelled out: fillers, empty Braille, tags, lone variation selectors", () => {
  const spelled: readonly (readonly [string, string])[] = [
    ["\u3164", "\\u{3164}"],
    ["\u2800", "\\u{2800}"],
    ["a\u115f\u1160\uffa0b", "a\\u{115f}\\u{1160}\\u{ffa0}b"],
    ["\u034f\u{e0041}", "\\u{34f}\\u{e0041}"],
    ["\ufe0f", "\\u{fe0f}"],
    ["a\ufe0f", "a\\u{fe0f}"],
    ["❤\ufe0f.png", "❤\ufe0f.png"],
    ["葛\u{e0100}.txt", "葛\u{e0100}.txt"],
  ];
  for (const [text, shown] of spelled) assertEquals(escapeUnsafe(text), shown);
});

Deno.test("a name shows its blanks where they hide something: at its ends, and eight in a row", () => {
  assertEquals(escapeName(" ".repeat(80)), "\\u{20}".repeat(80));
  assertEquals(escapeName("a.jpg" + " ".repeat(80) + ".exe"), `a.jpg${"\\u{20}".repeat(80)}.exe`);
  assertEquals(escapeName("\u3000a b \u00a0"), "\\u{3000}a b\\u{20}\\u{a0}");
  assertEquals(escapeName("my  two   files.txt"), "my  two   files.txt");
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
