import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { collisionKey, MAX_NUMBER, numberedName, safeName } from "./safe_name.ts";

const nameOf = (received: string): string => {
  const result = safeName(received);
  return result.safe ? result.name : `refused: ${result.reason}`;
};

const TABLE: readonly (readonly [received: string, expected: string, why: string])[] = [
  ["photo.jpg", "photo.jpg", "an honest name stays"],
  ["naïve 文件 😀.tar.gz", "naïve 文件 😀.tar.gz", "an honest Unicode name stays"],
  ["👨‍👩‍👧.png", "👨‍👩‍👧.png", "joiners inside stay"],
  ["", "refused: empty", "empty"],
  [" \u00a0 ", "refused: empty", "spaces only"],
  ["...", "refused: empty", "dots only"],
  ["\u200d", "refused: empty", "a joiner only"],
  ["\u200b", "refused: empty", "zero width only"],
  ["\u202e\u2066\ufeff", "refused: empty", "bidi and BOM only"],
  ["\u3164", "refused: empty", "Hangul filler only"],
  ["\u115f\u1160\uffa0", "refused: empty", "the other Hangul fillers only"],
  ["\u2800\u2800", "refused: empty", "empty Braille only"],
  ["\ufe0f", "refused: empty", "a variation selector only"],
  ["\u{e0020}\u{e0041}", "refused: empty", "tags only"],
  [" ".repeat(80), "refused: empty", "eighty blanks"],
  ["\u3000".repeat(80), "refused: empty", "eighty ideographic blanks"],
  ["\u3164.exe", "_.exe", "Hangul filler before an extension"],
  ["a\u2800b\u3164c", "a_b_c", "what is drawn as nothing"],
  ["photo.jpg" + " ".repeat(80) + ".exe", "photo.jpg_.exe", "eighty blanks before the extension"],
  ["a  b.txt", "a  b.txt", "two blanks stay"],
  ["❤\ufe0f.png", "❤\ufe0f.png", "an emoji's variation selector stays"],
  ["葛\u{e0100}.txt", "葛\u{e0100}.txt", "an ideograph's variation selector stays"],
  [".", "refused: path", "this folder"],
  ["..", "refused: path", "the parent"],
  ["../../etc/passwd", "refused: path", "traversal"],
  ["..\\..\\boot.ini", "_.._.._boot.ini", "traversal, Windows"],
  ["/etc/passwd", "refused: path", "absolute"],
  ["a/b", "refused: path", "a folder"],
  ["a\\b", "a_b", "a backslash, which is no separator where such a file can be"],
  ["C:\\Windows\\win.ini", "C__Windows_win.ini", "drive and folder"],
  ["C:evil.exe", "C_evil.exe", "relative to a drive"],
  ["\\\\server\\share\\x", "__server_share_x", "UNC"],
  ["\\\\?\\C:\\x", "____C__x", "device path"],
  ["a\0b", "refused: nul", "NUL"],
  ["a\nb", "a_b", "line feed"],
  ["a\r\nb", "a__b", "carriage return and line feed"],
  ["a\tb", "a_b", "tab"],
  ["a\u001b[2Jb", "a_[2Jb", "escape"],
  ["a\u007fb", "a_b", "delete"],
  ["a\u0085b", "a_b", "C1"],
  ["a\u2028b\u2029c", "a_b_c", "line and paragraph separator"],
  ["report.pdf\n", "report.pdf_", "a line feed at the end"],
  ["\n\t", "refused: empty", "control characters only"],
  ["a\ud800b", "refused: malformed", "lone surrogate"],
  ["a".repeat(1025), "refused: too-long", "absurdly long"],
  ["invoice\u202efdp.exe", "invoice_fdp.exe", "right-to-left override"],
  ["a\u200bb\ufeff\u2066c", "a_b__c", "zero width, BOM, isolate"],
  ["\u200dphoto.jpg\u200c", "photo.jpg", "loose joiners"],
  ["CON", "_CON", "device"],
  ["con.txt", "_con.txt", "device with an extension"],
  ["nul .tar.gz", "_nul .tar.gz", "device, spaces before the dot"],
  ["COM1", "_COM1", "serial port"],
  ["lpt².log", "_lpt².log", "printer, superscript"],
  ["COM10", "COM10", "no device"],
  ["console.txt", "console.txt", "no device"],
  ["Desktop.INI", "_Desktop.INI", "obeyed by Windows"],
  ["file.txt::$DATA", "file.txt__$DATA", "alternate stream"],
  ['<>:"|?*', "_______", "forbidden on Windows"],
  ["name. . ", "name", "trailing dots and spaces"],
  ["name.\u200d.", "name", "trailing dots behind a joiner"],
  ["  name", "name", "leading spaces"],
  [".bashrc", "_.bashrc", "hidden"],
  ["..hidden", "_..hidden", "hidden"],
  [".0123456789abcdef0123456789abcdef.part", "_.0123456789abcdef0123456789abcdef.part", "our part"],
  ["-rf", "_-rf", "option"],
  ["~root", "_~root", "shell"],
  ["e\u0301.txt", "\u00e9.txt", "NFD becomes NFC"],
  ["a\u037eb", "a;b", "NFC singleton"],
  ["／etc／passwd", "／etc／passwd", "full-width solidus is no separator"],
  ["__proto__", "__proto__", "nothing special here"],
];

for (const [received, expected, why] of TABLE) {
  Deno.test(`safe name, ${why}: ${JSON.stringify(received).slice(0, 40)} gives ${expected.slice(0, 40)}`, () => {
    assertEquals(nameOf(received), expected);
  });
}

const bytes = (text: string) => new TextEncoder().encode(text).length;

Deno.test("a long name is cut before its extension, between characters", () => {
  assertEquals(nameOf("x".repeat(300) + ".tar"), "x".repeat(244) + ".tar");
  assertEquals(nameOf("😀".repeat(100) + ".png"), "😀".repeat(61) + ".png");
  assertEquals(nameOf("x." + "y".repeat(300)), "x." + "y".repeat(246), "no extension is so long");
  assertEquals(nameOf("CON" + " ".repeat(260) + "x.txt"), "CON_x.txt");
});

/** Text made of what hurts, mixed with anything. */
const hostileText = fc.array(
  fc.oneof(
    fc.constantFrom(
      ...'/\\.:*?"<>| -~\0\n\u202e\u200d\u200b\u0301\u00e9😀',
      ..."..,CON,nul,.part,COM1,desktop.ini, .,e\u0301,\ud800".split(","),
    ),
    fc.string({ unit: "binary", maxLength: 4 }),
    fc.string({ unit: "grapheme", maxLength: 60 }),
  ),
  { maxLength: 30 },
).map((parts) => parts.join(""));

Deno.test("whatever comes in, a safe name can't leave its folder, hide, or grow too long", () => {
  fc.assert(
    fc.property(hostileText, fc.nat(MAX_NUMBER), (received, number) => {
      const result = safeName(received);
      if (!result.safe) return;
      for (const name of [result.name, numberedName(result.name, number)]) {
        assert(!/[/\\:\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]/u.test(name));
        assertNotEquals(name, ".");
        assertNotEquals(name, "..");
        assert(!/^[.\s]|[.\s]$/.test(name));
        assert(!/^(con|prn|aux|nul|com\d|lpt\d) *(\.|$)/i.test(name));
        assert(bytes(name) >= 1 && bytes(name) <= 255);
        assertEquals(name.normalize("NFC"), name);
      }
    }),
    { numRuns: 3000 },
  );
});

Deno.test("a safe name comes out as it went in", () => {
  fc.assert(
    fc.property(hostileText, (received) => {
      const result = safeName(received);
      if (result.safe) assertEquals(nameOf(result.name), result.name);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("numbered names of one name differ from each other and keep the extension", () => {
  assertEquals(numberedName("a.txt", 0), "a.txt");
  assertEquals(numberedName("a.txt", 1), "a (1).txt");
  assertEquals(numberedName("a", 12), "a (12)");
  assertEquals(numberedName("_.bashrc", 1), "_ (1).bashrc");
});

Deno.test("names that a file system may take for one have one key", () => {
  assertEquals(collisionKey("README.TXT"), collisionKey("readme.txt"));
  assertEquals(collisionKey("e\u0301"), collisionKey("\u00c9"));
  assertEquals(collisionKey("Straße"), collisionKey("STRASSE"));
  assertNotEquals(collisionKey("a"), collisionKey("b"));
});
