import { assert, assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { createCipheriv } from "node:crypto";
import nacl from "tweetnacl";
import { MisuseError } from "../errors.ts";
import { runs } from "../testing/runs.ts";
import { seededRandom } from "../testing/seeded_random.ts";
import { randomBelow } from "./random_source.ts";
import { loadSodium, MAX_ADDITIONAL_BYTES, MAX_BULK_BYTES, type Sodium } from "./sodium.ts";

const INPUTS = 10_000;

/** Most are small; one in 50 has up to 70,000 bytes. */
function lengthOf(random: (length: number) => Uint8Array, i: number): number {
  const [a = 0, b = 0, c = 0] = random(3);
  return i % 50 === 0 ? (a << 16 | b << 8 | c) % 70_001 : (a << 8 | b) % 600;
}

const flip = (bytes: Uint8Array, bit: number): void => {
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
};

function boxOf(library: Sodium, key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array) {
  const sealed = new Uint8Array(plaintext.length + 16);
  library.sealBox(key, nonce, plaintext, sealed);
  return sealed;
}

Deno.test("libsodium and tweetnacl seal, open and refuse alike, for 10,000 random inputs", async () => {
  const library = await loadSodium();
  const random = seededRandom("libsodium and tweetnacl");
  const pool = random(70_000);
  for (let i = 0; i < runs(INPUTS); i++) {
    const [key, nonce] = [random(32), random(24)];
    const length = lengthOf(random, i);
    const at = randomBelow(random, 256);
    const plaintext = pool.subarray(at, at + length);
    const sealed = boxOf(library, key, nonce, plaintext);
    const expected = nacl.secretbox(plaintext, nonce, key);
    assert(Buffer.compare(sealed, expected) === 0, `${plaintext.length} bytes, input ${i}`);
    const opened = new Uint8Array(plaintext.length);
    assert(library.openBox(key, nonce, sealed, opened));
    assert(Buffer.compare(opened, plaintext) === 0, `${plaintext.length} bytes, input ${i}`);
    const [a = 0, b = 0, c = 0, which = 0] = random(4);
    const bit = a << 16 | b << 8 | c;
    const forged = [sealed, nonce, key][which % 3] ?? sealed;
    flip(forged, bit % (forged.length * 8));
    assertEquals(nacl.secretbox.open(sealed, nonce, key), null);
    assert(!library.openBox(key, nonce, sealed, opened), `input ${i} was forged`);
    assert(Buffer.compare(opened, plaintext) === 0, "what is refused leaves the target alone");
  }
});

Deno.test("a box is sealed and opened where it stands, whatever overlaps", async () => {
  const library = await loadSodium();
  const random = seededRandom("in place");
  const [key, nonce, plaintext] = [random(32), random(24), random(1_000)];
  const expected = nacl.secretbox(plaintext, nonce, key);
  for (const at of [0, 1, 16, 40]) {
    const memory = new Uint8Array(1_100);
    memory.set(plaintext, at);
    library.sealBox(key, nonce, memory.subarray(at, at + 1_000), memory.subarray(16, 16 + 1_016));
    assertEquals(memory.slice(16, 16 + 1_016), new Uint8Array(expected));
    assert(
      library.openBox(key, nonce, memory.subarray(16, 16 + 1_016), memory.subarray(at, at + 1_000)),
    );
    assertEquals(memory.slice(at, at + 1_000), plaintext);
  }
});

function recordByNode(
  key: Uint8Array,
  nonce: Uint8Array,
  additional: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
  cipher.setAAD(additional, { plaintextLength: plaintext.length });
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return new Uint8Array(Buffer.concat([ciphertext, cipher.getAuthTag()]));
}

Deno.test("records are sealed as node:crypto does it, opened, and refused with any byte changed", async () => {
  const library = await loadSodium();
  const random = seededRandom("records");
  for (const length of [0, 1, 15, 16, 17, 63, 64, 65, 1_200, 16_384]) {
    for (const additionalBytes of [0, 13, MAX_ADDITIONAL_BYTES]) {
      const [key, nonce, additional] = [random(32), random(12), random(additionalBytes)];
      const plaintext = random(length);
      const sealed = new Uint8Array(length + 16);
      library.sealRecord(key, nonce, additional, plaintext, sealed);
      assertEquals(sealed, recordByNode(key, nonce, additional, plaintext));
      const opened = new Uint8Array(length);
      assert(library.openRecord(key, nonce, additional, sealed, opened));
      assertEquals(opened, plaintext);
      for (const part of [key, nonce, additional, sealed]) {
        if (part.length === 0) continue;
        const bit = randomBelow(random, 256) % (part.length * 8);
        flip(part, bit);
        assert(!library.openRecord(key, nonce, additional, sealed, opened));
        flip(part, bit);
      }
      assertEquals(opened, plaintext, "what is refused leaves the target alone");
    }
  }
});

Deno.test("ChaCha20-Poly1305 gives what RFC 8439, section 2.8.2, prints", async () => {
  const library = await loadSodium();
  const plaintext = new TextEncoder().encode(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, " +
      "sunscreen would be it.",
  );
  const sealed = new Uint8Array(plaintext.length + 16);
  library.sealRecord(
    Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i),
    Uint8Array.fromHex("070000004041424344454647"),
    Uint8Array.fromHex("50515253c0c1c2c3c4c5c6c7"),
    plaintext,
    sealed,
  );
  assertEquals(sealed.subarray(0, 8).toHex(), "d31a8d34648e60db");
  assertEquals(sealed.subarray(-16).toHex(), "1ae10b594f09e26a7e902ecbd0600691");
});

Deno.test("no key, nothing derived from it and no plaintext stays in the library's memory", async () => {
  const library = await loadSodium();
  const random = seededRandom("secrets in memory");
  const [key, nonce, additional] = [random(32), random(24), random(13)];
  const plaintext = random(5_000);
  const { crypto_core_hsalsa20: hsalsa20, crypto_stream: stream } = Reflect.get(nacl, "lowlevel");
  const subkey = new Uint8Array(32);
  hsalsa20(subkey, nonce, key, new TextEncoder().encode("expand 32-byte k"));
  // The start of XSalsa20's stream, and of ChaCha20's: the keys of Poly1305.
  const boxStream = new Uint8Array(32);
  stream(boxStream, 0, 32, nonce, key);
  const chacha20 = createCipheriv(
    "chacha20",
    key,
    Buffer.from([0, 0, 0, 0, ...nonce.subarray(12)]),
  );
  const recordStream = new Uint8Array(chacha20.update(new Uint8Array(32)));
  chacha20.final();
  const secrets = {
    key,
    subkey,
    boxStream,
    recordStream,
    start: plaintext.subarray(0, 16),
    middle: plaintext.subarray(2_500, 2_516),
    end: plaintext.subarray(-16),
  };
  const found = () => {
    const memory = Buffer.from(library.memory.buffer);
    return Object.entries(secrets).flatMap(([name, bytes]) =>
      // Not all of it: a key may be scattered.
      memory.includes(Buffer.from(bytes.subarray(0, 12))) ? [name] : []
    );
  };
  const sealed = new Uint8Array(plaintext.length + 16);
  const opened = new Uint8Array(plaintext.length);
  library.sealBox(key, nonce, plaintext, sealed);
  assertEquals(found(), [], "after sealing a box");
  assert(library.openBox(key, nonce, sealed, opened));
  assertEquals(found(), [], "after opening a box");
  flip(sealed, 77);
  assert(!library.openBox(key, nonce, sealed, opened));
  assertEquals(found(), [], "after refusing a box");
  library.sealRecord(key, nonce.subarray(12), additional, plaintext, sealed);
  assertEquals(found(), [], "after sealing a record");
  assert(library.openRecord(key, nonce.subarray(12), additional, sealed, opened));
  assertEquals(found(), [], "after opening a record");
  flip(sealed, 77);
  assert(!library.openRecord(key, nonce.subarray(12), additional, sealed, opened));
  assertEquals(found(), [], "after refusing a record");
  const product = new Uint8Array(32);
  assert(library.scalarMult(key, nacl.scalarMult.base(plaintext.slice(0, 32)), product));
  assertEquals(found(), [], "after X25519");
  assert(
    !Buffer.from(library.memory.buffer).includes(Buffer.from(product.subarray(0, 12))),
    "its product",
  );
  assert(!library.scalarMult(key, new Uint8Array(32), product));
  assertEquals(found(), [], "after refusing a point");
  library.memory.set(key, library.memory.length - 64);
  assertEquals(found(), ["key"], "the search finds what is there");
  library.memory.fill(0, library.memory.length - 64);
});

Deno.test("lengths that do not fit are our own misuse, and nothing is written", async () => {
  const library = await loadSodium();
  const bytes = (length: number) => new Uint8Array(length);
  const boxes: [key: number, nonce: number, plaintext: number, target: number][] = [
    [31, 24, 5, 21],
    [32, 12, 5, 21],
    [32, 24, 5, 20],
    [32, 24, 5, 22],
    [32, 24, MAX_BULK_BYTES + 1, MAX_BULK_BYTES + 17],
  ];
  for (const [key, nonce, plaintext, target] of boxes) {
    assertThrows(
      () => library.sealBox(bytes(key), bytes(nonce), bytes(plaintext), bytes(target)),
      MisuseError,
    );
    assertThrows(
      () => library.openBox(bytes(key), bytes(nonce), bytes(target), bytes(plaintext)),
      MisuseError,
    );
  }
  assertThrows(() => library.openBox(bytes(32), bytes(24), bytes(15), bytes(0)), MisuseError);
  for (const [scalar, point, target] of [[31, 32, 32], [32, 33, 32], [32, 32, 31]] as const) {
    const product = bytes(target);
    assertThrows(() => library.scalarMult(bytes(scalar), bytes(point), product), MisuseError);
    assertEquals(product, bytes(target));
  }
  const additional = bytes(MAX_ADDITIONAL_BYTES + 1);
  assertThrows(
    () => library.sealRecord(bytes(32), bytes(12), additional, bytes(1), bytes(17)),
    MisuseError,
  );
  assertThrows(
    () => library.openRecord(bytes(32), bytes(12), additional, bytes(17), bytes(1)),
    MisuseError,
  );
});

Deno.test("the largest that may be sealed is sealed, and its memory does not grow", async () => {
  const library = await loadSodium();
  const before = library.memory.length;
  const [key, nonce, plaintext] = [new Uint8Array(32), new Uint8Array(24), new Uint8Array(262_144)];
  for (let i = 0; i < 20; i++) {
    const sealed = boxOf(library, key, nonce, plaintext);
    assert(library.openBox(key, nonce, sealed, plaintext));
  }
  assertEquals(library.memory.length, before);
});
