import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import nacl from "tweetnacl";
import { seededRandom } from "../testing/seeded_random.ts";
import { vectorTest } from "../testing/vectors.ts";
import { fromBase64, fromHex, toBase64, toHex } from "./encoding.ts";
import { KeyPair, PublicKey, SecretKey } from "./keys.ts";
import { boxKey, open, seal, SEAL_OVERHEAD_BYTES, sealWithNonce } from "./sealing.ts";

const hex = (text: string): Uint8Array<ArrayBuffer> => fromHex(text) ?? new Uint8Array();

function newBoxKey(seed: string): SecretKey<"box"> {
  const random = seededRandom(seed);
  const [ours, theirs] = [
    KeyPair.generate("ephemeral", random),
    KeyPair.generate("ephemeral", random),
  ];
  const key = boxKey(ours, theirs.publicKey);
  assert(key !== undefined);
  return key;
}

Deno.test("a box that was precomputed opens as nacl.box, and the other way round", () => {
  const random = seededRandom("nacl");
  const ours = KeyPair.generate("ephemeral", random);
  const theirs = nacl.box.keyPair();
  const key = boxKey(ours, new PublicKey("ephemeral", theirs.publicKey));
  assert(key !== undefined);
  const plaintext = random(1000);
  const sealed = seal(key, plaintext, random);
  const [nonce, ciphertext] = [sealed.subarray(0, 24), sealed.subarray(24)];
  assertEquals(
    nacl.box.open(ciphertext, nonce, ours.publicKey.bytes, theirs.secretKey)?.slice(),
    plaintext,
  );
  const back = nacl.box(plaintext, nonce, ours.publicKey.bytes, theirs.secretKey);
  assertEquals(open(key, new Uint8Array([...nonce, ...back])), plaintext);
});

Deno.test("what is sealed opens, for any plaintext, and is longer by the overhead", () => {
  const key = newBoxKey("any");
  const random = seededRandom("nonces");
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (plaintext) => {
    const sealed = seal(key, plaintext, random);
    assertEquals(sealed.length, plaintext.length + SEAL_OVERHEAD_BYTES);
    assertEquals(open(key, sealed), new Uint8Array(plaintext));
  }));
});

Deno.test("every bit flip of a sealed message is refused", () => {
  const key = newBoxKey("flip");
  const sealed = seal(key, new TextEncoder().encode("a message"), seededRandom("flip nonce"));
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const flipped = sealed.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assertEquals(open(key, flipped), undefined, `bit ${bit}`);
  }
});

Deno.test("what is too short to be sealed, or cut short, is refused", () => {
  const key = newBoxKey("short");
  const sealed = seal(key, new Uint8Array(5), seededRandom("short nonce"));
  for (let length = 0; length < sealed.length; length++) {
    assertEquals(open(key, sealed.subarray(0, length)), undefined);
  }
});

Deno.test("each seal draws a fresh nonce from the source that was handed in", () => {
  const key = newBoxKey("fresh");
  const random = seededRandom("fresh nonce");
  const [first, second] = [
    seal(key, new Uint8Array(1), random),
    seal(key, new Uint8Array(1), random),
  ];
  assertNotEquals(first, second);
  assertEquals(first.slice(0, 24), seededRandom("fresh nonce")(24));
});

interface KeyVector {
  readonly publicKey_hex: string;
  readonly secretKey_hex: string;
}

interface BoxVectors {
  readonly sender: KeyVector;
  readonly receiver: KeyVector;
  readonly eve: KeyVector;
  readonly vectors: readonly {
    readonly plaintext_hex: string;
    readonly nonce_hex: string;
    readonly sealed_base64: string;
  }[];
  readonly corrupt_vectors: readonly {
    readonly id: string;
    readonly sealed_base64: string;
    readonly use_eve_as_sender?: boolean;
  }[];
}

const pairOf = (vector: KeyVector) => new KeyPair("ephemeral", hex(vector.secretKey_hex));

vectorTest<BoxVectors>("the published box vectors seal and open", "box-payload.json", (file) => {
  const [sender, receiver, eve] = [file.sender, file.receiver, file.eve].map(pairOf);
  assert(sender && receiver && eve);
  assertEquals(sender.publicKey.hex, file.sender.publicKey_hex);
  const sending = boxKey(sender, receiver.publicKey);
  const receiving = boxKey(receiver, sender.publicKey);
  const misled = boxKey(receiver, eve.publicKey);
  assert(sending && receiving && misled);
  for (const { plaintext_hex, nonce_hex, sealed_base64 } of file.vectors) {
    const sealed = sealWithNonce(sending, hex(plaintext_hex), hex(nonce_hex));
    assertEquals(toBase64(sealed), sealed_base64);
    assertEquals(toHex(open(receiving, sealed) ?? new Uint8Array(1)), plaintext_hex);
    assertEquals(open(misled, sealed), undefined);
  }
  for (const { id, sealed_base64, use_eve_as_sender } of file.corrupt_vectors) {
    const sealed = fromBase64(sealed_base64);
    assert(sealed !== undefined);
    assertEquals(open(use_eve_as_sender ? misled : receiving, sealed), undefined, id);
  }
});

interface FramingVectors {
  readonly vectors: readonly {
    readonly sealed_base64: string;
    readonly expected_decoded_length: number;
    readonly expected_nonce_hex: string;
    readonly plaintext_length: number;
  }[];
}

vectorTest<FramingVectors>(
  "the published framing is nonce, then ciphertext",
  "framing.json",
  (file) => {
    for (const vector of file.vectors) {
      const sealed = fromBase64(vector.sealed_base64) ?? new Uint8Array();
      assertEquals(sealed.length, vector.expected_decoded_length);
      assertEquals(toHex(sealed.subarray(0, 24)), vector.expected_nonce_hex);
      assertEquals(sealed.length - SEAL_OVERHEAD_BYTES, vector.plaintext_length);
    }
  },
);

interface RatchetSealVectors {
  readonly vectors: readonly {
    readonly id: string;
    readonly message_key_hex: string;
    readonly nonce_hex: string;
    readonly plaintext_hex: string;
    readonly expected_ciphertext_hex: string;
    readonly expect_error?: string;
  }[];
}

vectorTest<RatchetSealVectors>(
  "the published ratchet seals seal and open",
  "btr-encrypt-decrypt.json",
  (file) => {
    for (const vector of file.vectors) {
      const key = new SecretKey("message", hex(vector.message_key_hex));
      const published = hex(vector.expected_ciphertext_hex);
      if (vector.expect_error !== undefined) {
        assertEquals(open(key, published), undefined, vector.id);
        continue;
      }
      const sealed = sealWithNonce(key, hex(vector.plaintext_hex), hex(vector.nonce_hex));
      assertEquals(toHex(sealed), vector.expected_ciphertext_hex, vector.id);
      assertEquals(open(key, published), hex(vector.plaintext_hex), vector.id);
    }
  },
);
