import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { createCipheriv } from "node:crypto";
import { loadSodium, sodium } from "../../../protocol/crypto/sodium.ts";
import { openChaCha, sealChaCha } from "./chacha20_poly1305.ts";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(/\s/g, ""));

/** RFC 8439, section 2.8.2. */
const VECTOR = {
  key: hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"),
  nonce: hex("070000004041424344454647"),
  additional: hex("50515253c0c1c2c3c4c5c6c7"),
  plaintext: new TextEncoder().encode(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the " +
      "future, sunscreen would be it.",
  ),
  sealed: hex(`d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6
    3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36
    92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
    3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691`),
} as const;

/** Each test with Node's implementation alone, and then, as it can't be unloaded, with both. */
for (const libraries of ["Node's", "libsodium's and Node's"]) {
  if (libraries !== "Node's") Deno.test("libsodium is loaded", async () => void await loadSodium());

  Deno.test(`${libraries}: the vector of RFC 8439 is sealed and opened`, () => {
    assertEquals(sodium() === undefined, libraries === "Node's");
    const { key, nonce, additional, plaintext, sealed } = VECTOR;
    const target = new Uint8Array(plaintext.length + 16);
    sealChaCha(key, nonce, additional, plaintext, target);
    assertEquals(target, sealed);
    const opened = new Uint8Array(plaintext.length);
    assert(openChaCha(key, nonce, additional, sealed, opened));
    assertEquals(opened, plaintext);
  });

  Deno.test(`${libraries}: what has one wrong bit, in itself or beside it, is not opened`, () => {
    const { key, nonce, additional, sealed } = VECTOR;
    const opened = new Uint8Array(sealed.length - 16);
    const flip = (bytes: Uint8Array) => bytes.with(0, (bytes[0] ?? 0) ^ 1);
    assert(!openChaCha(flip(key), nonce, additional, sealed, opened));
    assert(!openChaCha(key, flip(nonce), additional, sealed, opened));
    assert(!openChaCha(key, nonce, flip(additional), sealed, opened));
    for (let at = 0; at < sealed.length; at++) {
      const damaged = sealed.with(at, (sealed[at] ?? 0) ^ 1);
      assert(!openChaCha(key, nonce, additional, damaged, opened), `byte ${at}`);
    }
  });

  Deno.test(`${libraries}: records of every size are sealed as node:crypto seals them, and opened again`, () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    const plaintext = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 1530, max: 1540 }).map((length) => new Uint8Array(length).fill(length)),
      fc.integer({ min: 0, max: 16_384 }).map((length) => new Uint8Array(length).fill(length)),
    );
    fc.assert(fc.property(bytes(32), bytes(12), bytes(13), plaintext, (key, nonce, aad, plain) => {
      const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
      cipher.setAAD(aad, { plaintextLength: plain.length });
      const expected = [...cipher.update(plain), ...cipher.final(), ...cipher.getAuthTag()];
      const sealed = new Uint8Array(plain.length + 16);
      sealChaCha(key, nonce, aad, plain, sealed);
      assertEquals(sealed, Uint8Array.from(expected));
      const opened = new Uint8Array(plain.length);
      assert(openChaCha(key, nonce, aad, sealed, opened));
      assertEquals(opened, plain);
    }));
  });
}
