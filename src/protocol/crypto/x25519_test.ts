import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import nacl from "tweetnacl";
import { runs } from "../testing/runs.ts";
import { seededRandom } from "../testing/seeded_random.ts";
import { diffieHellman } from "./dh.ts";
import { KeyPair, PublicKey } from "./keys.ts";
import { loadSodium, sodium } from "./sodium.ts";
import { x25519, x25519Base } from "./x25519.ts";

const INPUTS = 2_000;

const P = 2n ** 255n - 19n;
const littleEndian = (value: bigint): Uint8Array =>
  Uint8Array.fromHex(value.toString(16).padStart(64, "0")).reverse();

/** Coordinates of low order (RFC 7748, section 7), and the same written beyond the prime. */
const LOW_ORDER = [
  0n,
  1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
  P - 1n,
  P,
  P + 1n,
];

/** With the highest bit set too, which X25519 ignores (RFC 7748, section 5). */
const LOW_ORDER_POINTS = LOW_ORDER.flatMap((u) => [littleEndian(u), littleEndian(u + 2n ** 255n)]);

const hex = (text: string) => Uint8Array.fromHex(text);

function expectWhatIsPrinted(): void {
  const scalar = hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
  const point = hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
  const product = "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552";
  assertEquals(x25519(scalar, point).toHex(), product);
  assertEquals(
    x25519Base(littleEndian(9n)).toHex(),
    "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079",
  );
}

Deno.test("X25519 gives what RFC 7748, section 5.2, prints, before libsodium is loaded and after", async () => {
  assertEquals(sodium(), undefined, "the first test of this file");
  expectWhatIsPrinted();
  await loadSodium();
  expectWhatIsPrinted();
});

Deno.test("libsodium and tweetnacl multiply alike, for 2,000 random scalars and points", async () => {
  await loadSodium();
  const random = seededRandom("x25519");
  for (let i = 0; i < runs(INPUTS); i++) {
    const [scalar, point] = [random(32), random(32)];
    const product = x25519(scalar, point);
    assert(Buffer.compare(product, nacl.scalarMult(scalar, point)) === 0, `input ${i}`);
    if (i % 10 > 0) continue;
    assert(Buffer.compare(x25519Base(scalar), nacl.scalarMult.base(scalar)) === 0, `input ${i}`);
  }
});

Deno.test("points of low order give zeroes by both, and no shared secret", async () => {
  await loadSodium();
  const random = seededRandom("low order");
  for (const point of LOW_ORDER_POINTS) {
    const scalar = random(32);
    const zeroes = new Uint8Array(32);
    assertEquals(new Uint8Array(nacl.scalarMult(scalar, point)), zeroes, point.toHex());
    assertEquals(x25519(scalar, point), zeroes, point.toHex());
    const pair = new KeyPair("ephemeral", scalar);
    const theirs = new PublicKey("ephemeral", point);
    assertEquals(diffieHellman(pair.secretKey, theirs), undefined);
  }
});
