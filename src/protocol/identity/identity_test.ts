import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { fromHex } from "../crypto/encoding.ts";
import { KeyPair, PublicKey, readSecret } from "../crypto/keys.ts";
import { seededRandom } from "../testing/seeded_random.ts";
import { vectorTest } from "../testing/vectors.ts";
import { encodeIdentityFile, parseIdentityFile } from "./identity_file.ts";
import { shortAuthenticationString } from "./sas.ts";

const hex = (text: string): Uint8Array => fromHex(text) ?? new Uint8Array();
const filled = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

Deno.test("the SAS is six hex digits of a hash that both sides order alike", () => {
  const a = {
    identity: new PublicKey("identity", filled(9)),
    ephemeral: new PublicKey("ephemeral", filled(1)),
  };
  const b = {
    identity: new PublicKey("identity", filled(2)),
    ephemeral: new PublicKey("ephemeral", filled(7)),
  };
  const expected = createHash("sha256")
    .update(filled(2)).update(filled(9)).update(filled(1)).update(filled(7))
    .digest("hex").slice(0, 6).toUpperCase();
  assertEquals(shortAuthenticationString(a, b), expected);
  assertEquals(shortAuthenticationString(b, a), expected);
});

interface SasVectors {
  readonly cases: readonly {
    readonly name: string;
    readonly identity_a_hex: string;
    readonly identity_b_hex: string;
    readonly ephemeral_a_hex: string;
    readonly ephemeral_b_hex: string;
    readonly expected_sas: string;
  }[];
}

vectorTest<SasVectors>("the published SAS vectors hold", "sas.json", ({ cases }) => {
  for (const vector of cases) {
    const a = {
      identity: new PublicKey("identity", hex(vector.identity_a_hex)),
      ephemeral: new PublicKey("ephemeral", hex(vector.ephemeral_a_hex)),
    };
    const b = {
      identity: new PublicKey("identity", hex(vector.identity_b_hex)),
      ephemeral: new PublicKey("ephemeral", hex(vector.ephemeral_b_hex)),
    };
    assertEquals(shortAuthenticationString(a, b), vector.expected_sas, vector.name);
  }
});

Deno.test("the identity file is 64 bytes, public then secret, and is refused otherwise", () => {
  const pair = KeyPair.generate("identity", seededRandom("identity"));
  const bytes = encodeIdentityFile(pair);
  assertEquals(bytes.slice(0, 32), pair.publicKey.bytes);
  assertEquals(bytes.slice(32), readSecret(pair.secretKey).slice());
  const parsed = parseIdentityFile(bytes);
  assert(parsed !== undefined && parsed.publicKey.equals(pair.publicKey));
  assertEquals(readSecret(parsed.secretKey), readSecret(pair.secretKey));
  for (const length of [0, 32, 63, 65]) {
    assertEquals(parseIdentityFile(new Uint8Array(length)), undefined);
  }
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  assertEquals(parseIdentityFile(bytes), undefined);
});
