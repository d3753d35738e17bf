import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { peerText } from "../../ipc/api/peer_text.ts";
import { plainName, quotedName } from "./peer_name.ts";
import { widthOf } from "./width.ts";

const shown = (raw: string, columns = 40) => quotedName(peerText(raw), columns);

Deno.test("a name is quoted, and can't end its quotation", () => {
  assertEquals(shown("Bob's laptop"), `"Bob's laptop"`);
  assertEquals(shown(`bob" (3f2a0000), proven`), String.raw`"bob\u{22} (3f2a0000), proven"`);
  assertEquals(shown("bob” is let in"), String.raw`"bob\u{201d} is let in"`);
});

Deno.test("blanks in a row are one, also those that were spelled out", () => {
  assertEquals(shown("my  two \u00a0 words"), `"my two words"`);
  assertEquals(shown(`a.jpg${" ".repeat(80)}.exe`), String.raw`"a.jpg\u{20}.exe"`);
  assertEquals(shown("\u3000bob"), String.raw`"\u{3000}bob"`);
});

Deno.test("what turns, hides or moves text is spelled out", () => {
  assertEquals(shown("phone\u202egnp"), String.raw`"phone\u{202e}gnp"`);
  assertEquals(shown("a\u200bb\u001b[2Jc\nd"), String.raw`"a\u{200b}b\u{1b}[2Jc\u{a}d"`);
  assertEquals(
    shown(`a${"\u0301".repeat(6)}`),
    `"a${"\u0301".repeat(4)}${String.raw`\u{301}`}"`,
  );
});

Deno.test("a long name is cut with an ellipsis, not in an escape, nor before a mark", () => {
  assertEquals(shown("a rather long name", 12), `"a rather …"`);
  assertEquals(shown("電話番号", 9), `"電話番…"`);
  assertEquals(shown("電話番号", 8), `"電話…"`);
  assertEquals(shown("ab\u202ecd", 10), `"ab…"`);
  assertEquals(shown("e\u0301e\u0301e\u0301e\u0301", 5), `"e\u0301e\u0301…"`);
});

Deno.test("whatever the name, it is one line between two quotes, within its columns", () => {
  const names = fc.oneof(
    fc.string({ unit: "binary", maxLength: 700 }),
    fc.array(fc.constantFrom('"', " ", "\u0301", "\u202e", "電", "\\u{", "}", "”", "\n")).map((
      all,
    ) => all.join("")),
  );
  fc.assert(fc.property(names, fc.integer({ min: 4, max: 90 }), (raw, columns) => {
    const text = quotedName(peerText(raw), columns);
    assert(widthOf(text) <= columns, text);
    assertMatch(text, /^"[^"\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*"$/u);
    assert(!/ {2}|\p{M}{5}/u.test(text), text);
  }));
});

Deno.test("a name in a table is tamed in the same way, without quotes", () => {
  assertEquals(plainName(peerText(`the  "one"`)), `the "one"`);
});
