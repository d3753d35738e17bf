import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Buffer } from "node:buffer";
import { fromBase64, fromHex, fromUtf8, toBase64, toHex } from "./encoding.ts";

Deno.test("base64 of any bytes is what node:buffer makes, and decodes to the same bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    const text = toBase64(bytes);
    assertEquals(text, Buffer.from(bytes).toString("base64"));
    assertEquals(fromBase64(text), new Uint8Array(bytes));
  }));
});

Deno.test("base64 is refused unless it is the one spelling of its bytes", () => {
  const texts = [
    "A",
    "AA",
    "AAA",
    "AA=A",
    "AAAAA===",
    "AB==", // bits left over
    "AAB=",
    "AA= =",
    " AAA",
    "AAAA\n",
    "AAA\nAAA=", // white space that makes up the length
    "AAAA    ",
    "A A A A ",
    "AA-_", // the URL alphabet
    "====",
    "AA==AAAA",
    "ÄAAA",
  ];
  for (const text of texts) assertEquals(fromBase64(text), undefined, JSON.stringify(text));
  assertEquals(fromBase64(""), new Uint8Array(0));
});

Deno.test("any text is base64 only if it is the encoding of what it decodes to", () => {
  const almost = fc.string({ unit: fc.constantFrom(..."AQgw/+ \n=-_é") });
  fc.assert(fc.property(almost, (text) => {
    const bytes = fromBase64(text);
    if (bytes !== undefined) assertEquals(toBase64(bytes), text);
  }));
});

Deno.test("hex takes whole bytes in either case and nothing else", () => {
  assertEquals(fromHex("00fFAb"), new Uint8Array([0, 255, 171]));
  assertEquals(toHex(new Uint8Array([0, 255, 171])), "00ffab");
  for (const text of ["0", "0g", " 00", "0x00", "00 "]) assertEquals(fromHex(text), undefined);
});

Deno.test("bytes that are not UTF-8 are not text", () => {
  assertEquals(fromUtf8(new Uint8Array([0xc3, 0xa4])), "ä");
  for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80]]) {
    assertEquals(fromUtf8(new Uint8Array(bytes)), undefined);
  }
});
