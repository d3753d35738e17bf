import { assert, assertEquals, assertMatch } from "@std/assert";
import { seededRandom } from "../testing/seeded_random.ts";
import { generatePeerCode, PEER_CODE_ALPHABET } from "./peer_code.ts";

Deno.test("peer codes have six characters of the alphabet, none more likely than another", () => {
  const random = seededRandom("codes");
  const counts = new Map<string, number>();
  const codes = 5_000;
  for (let i = 0; i < codes; i++) {
    const code = generatePeerCode(random);
    assertMatch(code, /^[A-HJKMNP-Z2-9]{6}$/);
    for (const character of code) counts.set(character, (counts.get(character) ?? 0) + 1);
  }
  // A plain remainder of a byte would make 8 of the characters 12 % likelier than the rest.
  const mean = codes * 6 / PEER_CODE_ALPHABET.length;
  for (const character of PEER_CODE_ALPHABET) {
    assert(Math.abs((counts.get(character) ?? 0) / mean - 1) < 0.12, character);
  }
});

Deno.test("bytes that would bias a peer code are drawn again", () => {
  // 248 to 255 are beyond the last whole multiple of 31.
  const blocks = [new Uint8Array(16).fill(255), new Uint8Array(16).fill(30)];
  let draws = 0;
  const code = generatePeerCode(() => (blocks[draws++ % 2] ?? new Uint8Array()).slice());
  assertEquals(code, "9".repeat(6));
  assertEquals(draws, 12);
});
