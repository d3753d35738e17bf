import { assert, assertEquals, assertThrows } from "@std/assert";
import { createPrivateKey, createPublicKey, diffieHellman as nodeDh } from "node:crypto";
import { Buffer } from "node:buffer";
import { inspect } from "node:util";
import { MisuseError } from "../errors.ts";
import { seededRandom } from "../testing/seeded_random.ts";
import { diffieHellman } from "./dh.ts";
import { fromHex, toHex } from "./encoding.ts";
import { KeyPair, PublicKey, readSecret, SecretKey } from "./keys.ts";
import { boxKey } from "./sealing.ts";

const hex = (text: string): Uint8Array<ArrayBuffer> => fromHex(text) ?? new Uint8Array();

/** Our X25519 of two 32-byte strings in hex, in hex. */
function agree(secret: string, publicKey: string): string | undefined {
  const pair = new KeyPair("ephemeral", hex(secret));
  const shared = diffieHellman(pair.secretKey, new PublicKey("ephemeral", hex(publicKey)));
  return shared && toHex(readSecret(shared));
}

Deno.test("X25519 gives the values of RFC 7748 sections 5.2 and 6.1", () => {
  assertEquals(
    agree(
      "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
      "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
    ),
    "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
  );
  const bob = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
  assertEquals(
    new KeyPair("ephemeral", hex(bob)).publicKey.hex,
    "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
  );
  assertEquals(
    agree(bob, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"),
    "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
  );
});

Deno.test("X25519 agrees with node:crypto for random keys", () => {
  const random = seededRandom("x25519");
  // PKCS#8 and SPKI headers of X25519 (RFC 8410).
  const pkcs8 = hex("302e020100300506032b656e04220420");
  const spki = hex("302a300506032b656e032100");
  for (let i = 0; i < 20; i++) {
    const secret = random(32);
    const privateKey = createPrivateKey({
      key: Buffer.concat([pkcs8, secret]),
      format: "der",
      type: "pkcs8",
    });
    const ours = new KeyPair("ephemeral", secret);
    const theirs = KeyPair.generate("ephemeral", random);
    const publicKey = createPublicKey({
      key: Buffer.concat([spki, theirs.publicKey.bytes]),
      format: "der",
      type: "spki",
    });
    const expected = nodeDh({ privateKey, publicKey });
    const shared = diffieHellman(ours.secretKey, theirs.publicKey);
    assert(shared !== undefined);
    assertEquals(toHex(readSecret(shared)), expected.toString("hex"));
  }
});

Deno.test("public keys of low order give no shared secret and no box", () => {
  const pair = KeyPair.generate("ephemeral", seededRandom("low order"));
  const weak = [
    new Uint8Array(32),
    hex("0100000000000000000000000000000000000000000000000000000000000000"),
    hex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
  ];
  for (const bytes of weak) {
    const theirs = new PublicKey("ephemeral", bytes);
    assertEquals(diffieHellman(pair.secretKey, theirs), undefined);
    assertEquals(boxKey(pair, theirs), undefined);
  }
});

Deno.test("MUST NOT log secret keys: a key that is printed, joined or serialised shows no byte", () => {
  const bytes = seededRandom("shown")(32);
  const shown = [toHex(bytes), bytes.toBase64(), [...bytes].join(","), [...bytes].join(", ")];
  const pair = new KeyPair("identity", bytes);
  const box = boxKey(
    KeyPair.generate("ephemeral", seededRandom("a")),
    KeyPair.generate("ephemeral", seededRandom("b")).publicKey,
  );
  assert(box !== undefined);
  shown.push(toHex(readSecret(box)), [...readSecret(box)].join(", "));
  for (const value of [pair, pair.secretKey, { deep: [pair] }, new Map([[1, pair]]), box]) {
    const texts = [
      Deno.inspect(value, { depth: 9, showHidden: true, getters: true }),
      inspect(value, { depth: 9, showHidden: true, getters: true }),
      JSON.stringify(value),
      String(value),
      `${value}`,
      JSON.stringify(Object.getOwnPropertyDescriptors(value)),
      JSON.stringify(structuredCloneOrNothing(value)),
    ];
    for (const text of texts) {
      for (const secret of shown) assert(!String(text).includes(secret));
    }
  }
  assertEquals(JSON.stringify(pair.secretKey), '"[secret identity key]"');
});

function structuredCloneOrNothing(value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch {
    return undefined;
  }
}

Deno.test("a disposed key is zeroed and can't be used", () => {
  const bytes = seededRandom("spent")(32);
  const key = new SecretKey("message", bytes);
  {
    using scoped = key;
    assert(!scoped.spent);
  }
  assertEquals(bytes, new Uint8Array(32));
  assertThrows(() => readSecret(key), MisuseError, "message key was zeroed");
});

Deno.test("keys of another purpose do not type-check", () => {
  const pair = KeyPair.generate("identity", seededRandom("purpose"));
  const ephemeral = KeyPair.generate("ephemeral", seededRandom("purpose"));
  // @ts-expect-error An identity key must not encrypt messages.
  const box = boxKey(pair, ephemeral.publicKey);
  assert(box === undefined || box.purpose === "box");
  // @ts-expect-error An identity is not compared with an ephemeral key.
  assert(pair.publicKey.equals(ephemeral.publicKey));
});

Deno.test("public keys sort in byte order and parse only 32 bytes of base64", () => {
  const low = new PublicKey("identity", new Uint8Array(32));
  const high = new PublicKey("identity", new Uint8Array(32).fill(255));
  assert(low.compare(high) < 0 && high.compare(low) > 0 && low.compare(low) === 0);
  assertEquals(PublicKey.parse("identity", high.base64)?.hex, "ff".repeat(32));
  for (const value of ["", high.base64.slice(0, -1), high.base64 + "AAAA", 5, null, undefined]) {
    assertEquals(PublicKey.parse("identity", value), undefined);
  }
  assertThrows(() => new PublicKey("identity", new Uint8Array(31)), MisuseError);
});
