import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { createHmac } from "node:crypto";
import { fromHex, toHex } from "./encoding.ts";
import { deriveKey, hkdfSha256 } from "./hkdf.ts";
import { readSecret, SecretKey } from "./keys.ts";

const hex = (text: string): Uint8Array<ArrayBuffer> => fromHex(text) ?? new Uint8Array();

Deno.test("HKDF gives the first 32 bytes of RFC 5869 A.1 and A.3", () => {
  const ikm = hex("0b".repeat(22));
  assertEquals(
    toHex(hkdfSha256(ikm, hex("f0f1f2f3f4f5f6f7f8f9"), hex("000102030405060708090a0b0c"))),
    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
  );
  assertEquals(
    toHex(hkdfSha256(ikm, "")),
    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d",
  );
});

/** RFC 5869 section 2 in its own words: extract, then the first block of expand. */
function twoHmacs(ikm: Uint8Array, salt: Uint8Array, info: string): Uint8Array {
  const pseudoRandomKey = createHmac("sha256", salt).update(ikm).digest();
  return createHmac("sha256", pseudoRandomKey).update(info).update("\x01").digest();
}

Deno.test("deriving a key is two HMACs, for any key, salt and info", () => {
  const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const salts = fc.uint8Array({ maxLength: 80 });
  fc.assert(fc.property(bytes, salts, fc.string(), (ikm, salt, info) => {
    using derived = deriveKey("chain", new SecretKey("chain", ikm.slice()), info, salt);
    assertEquals(toHex(readSecret(derived)), toHex(twoHmacs(ikm, salt, info)));
  }));
});
