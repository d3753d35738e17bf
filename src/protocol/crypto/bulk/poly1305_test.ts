import { assertEquals } from "@std/assert";
import { runs } from "../../testing/runs.ts";
import { seededRandom } from "../../testing/seeded_random.ts";
import { POLY1305, WHOLE_BLOCK } from "./poly1305.ts";
import { wasmModule } from "./wasm_code.ts";

const STATE = 0;
const KEY = 128;
const TAG = 192;
const DATA = 256;

const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasmModule(POLY1305, 1)));
const memory = new Uint8Array(Reflect.get(Object(exports.memory), "buffer"));
function call(name: keyof typeof POLY1305, ...numbers: number[]): void {
  const found = exports[name];
  if (typeof found !== "function") throw new Error(`no function ${name}`);
  found(...numbers);
}

/** The tag of whole blocks, in hex, by the code under test. */
function tagOf(key: Uint8Array, data: Uint8Array): string {
  memory.set(key, KEY);
  memory.set(data, DATA);
  call("poly1305Start", STATE, KEY, 0);
  call("poly1305Blocks", STATE, DATA, DATA + data.length, WHOLE_BLOCK);
  call("poly1305Finish", STATE, KEY, TAG);
  return memory.subarray(TAG, TAG + 16).toHex();
}

/** The number that bytes are, the least first. */
const numberOf = (bytes: Uint8Array): bigint =>
  BigInt(`0x${new Uint8Array(bytes).reverse().toHex() || "0"}`);

const PRIME = 2n ** 130n - 5n;
const CLAMP = 0x0ffffffc0ffffffc0ffffffc0fffffffn;

/** The same as RFC 8439, section 2.5, writes it. */
function expected(key: Uint8Array, data: Uint8Array): string {
  const r = numberOf(key.subarray(0, 16)) & CLAMP;
  let sum = 0n;
  for (let at = 0; at < data.length; at += 16) {
    sum = (sum + numberOf(data.subarray(at, at + 16)) + 2n ** 128n) * r % PRIME;
  }
  const tag = (sum + numberOf(key.subarray(16))) % 2n ** 128n;
  return Uint8Array.fromHex(tag.toString(16).padStart(32, "0")).reverse().toHex();
}

const block = (...first: number[]): Uint8Array => new Uint8Array(16).map((_, i) => first[i] ?? 0);
const full = (...first: number[]): Uint8Array => new Uint8Array(16).map((_, i) => first[i] ?? 0xff);

/** Halves of keys and blocks at which a sum comes near 2^130 - 5, 2^128 or a limb's end. */
const EDGES: readonly Uint8Array[] = [
  block(),
  ...[1, 2, 4, 5].map((low) => block(low)),
  full(),
  ...[0xf0, 0xfa, 0xfb, 0xfc, 0xfe].map((low) => full(low)),
  new Uint8Array(16).fill(0x01),
  Uint8Array.fromHex("ffffff03ffffff03ffffff03ffffff03"),
  Uint8Array.fromHex("00000004000000040000000400000004"),
  Uint8Array.fromHex("e33594d7505e43b90000000000000000"),
];

Deno.test("Poly1305 is what the RFC's arithmetic gives where carries meet their limits", () => {
  for (const r of EDGES) {
    for (const s of [block(), full(), block(1)]) {
      const key = new Uint8Array([...r, ...s]);
      for (const a of EDGES) {
        for (const b of EDGES) {
          const data = new Uint8Array([...a, ...b, ...a]);
          for (const length of [16, 32, 48]) {
            const part = data.subarray(0, length);
            assertEquals(tagOf(key, part), expected(key, part), `${key.toHex()} ${part.toHex()}`);
          }
        }
      }
    }
  }
});

Deno.test("Poly1305 is what the RFC's arithmetic gives, for random keys and blocks", () => {
  const random = seededRandom("poly1305");
  for (let i = 0; i < runs(2_000); i++) {
    const [key, data] = [random(32), random(16 * (1 + i % 40))];
    assertEquals(tagOf(key, data), expected(key, data));
  }
});

Deno.test("Poly1305 gives what RFC 8439, section 2.5.2, prints, its last block marked by hand", () => {
  const key = Uint8Array.fromHex(
    "85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b",
  );
  const text = new TextEncoder().encode("Cryptographic Forum Research Group");
  memory.set(key, KEY);
  memory.set([...text, 1, ...new Uint8Array(48 - 35)], DATA);
  call("poly1305Start", STATE, KEY, 0);
  call("poly1305Blocks", STATE, DATA, DATA + 32, WHOLE_BLOCK);
  call("poly1305Blocks", STATE, DATA + 32, DATA + 48, 0);
  call("poly1305Finish", STATE, KEY, TAG);
  assertEquals(memory.subarray(TAG, TAG + 16).toHex(), "a8061dc1305136c6c22b8baf0c0127a9");
});
