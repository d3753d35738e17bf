import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman as nodeDiffieHellman,
  hkdfSync,
} from "node:crypto";
import { Buffer } from "node:buffer";
import { KeyPair, PublicKey } from "../crypto/keys.ts";
import { PublicValue } from "../crypto/public_value.ts";
import { MisuseError } from "../errors.ts";
import { seededRandom } from "../testing/seeded_random.ts";
import {
  commitmentTo,
  committedCode,
  DescriptionSecrets,
  proofKey,
  proofOver,
  revealed,
  type ShownByOneSide,
  transcriptOf,
} from "./proven_identity.ts";

const filled = (byte: number): Uint8Array<ArrayBuffer> => new Uint8Array(32).fill(byte);
const hexOf = ({ bytes }: { readonly bytes: Uint8Array }): string => bytes.toHex();

/** What both sides of one handshake are made of; `secret` bytes are of X25519 keys. */
interface Inputs {
  readonly identitySecret: { readonly o: Uint8Array; readonly a: Uint8Array };
  readonly ephemeralSecret: { readonly o: Uint8Array; readonly a: Uint8Array };
  readonly nonce: { readonly o: Uint8Array; readonly a: Uint8Array };
  readonly certificate: { readonly o: Uint8Array; readonly a: Uint8Array };
  readonly payload: { readonly o: string; readonly a: string };
}

/** Everything that is derived, in hex. */
interface Derived {
  readonly commitment: { readonly o: string; readonly a: string };
  readonly transcript: string;
  readonly proof: { readonly o: string; readonly a: string };
  readonly code: string;
}

/** By the code under test. */
function derive(inputs: Inputs): Derived {
  const identity = mapSides(
    inputs.identitySecret,
    (secret) => new KeyPair("identity", copy(secret)),
  );
  const ephemeral = mapSides(
    inputs.ephemeralSecret,
    (secret) => new KeyPair("ephemeral", copy(secret)),
  );
  const nonce = mapSides(inputs.nonce, (bytes) => new PublicValue("session-nonce", bytes));
  const shown = (s: "o" | "a"): ShownByOneSide => ({
    ephemeral: ephemeral[s].publicKey,
    certificate: new PublicValue("certificate-digest", inputs.certificate[s]),
    commitment: commitmentTo(identity[s].publicKey, ephemeral[s].publicKey, nonce[s]),
  });
  const [offerer, answerer] = [shown("o"), shown("a")];
  const transcript = transcriptOf({ offerer, answerer });
  const proof = (s: "o" | "a", other: "o" | "a", role: "offerer" | "answerer") => {
    const key = proofKey(identity[s].secretKey, ephemeral[other].publicKey, transcript, role);
    assert(key !== undefined);
    return hexOf(proofOver(key, inputs.payload[s]));
  };
  return {
    commitment: { o: hexOf(offerer.commitment), a: hexOf(answerer.commitment) },
    transcript: hexOf(transcript),
    proof: { o: proof("o", "a", "offerer"), a: proof("a", "o", "answerer") },
    code: committedCode(transcript, { offerer: nonce.o, answerer: nonce.a }),
  };
}

/** By a second derivation, from the text of the document, with Node's own X25519. */
function deriveAgain(inputs: Inputs): Derived {
  const P = "x-bolt-daemon.proven-identity-v1";
  const hash = (...parts: (string | Uint8Array)[]) => {
    const sha = createHash("sha256");
    for (const part of parts) sha.update(part);
    return sha.digest();
  };
  const I = mapSides(inputs.identitySecret, publicHalf);
  const E = mapSides(inputs.ephemeralSecret, publicHalf);
  const { nonce: N, certificate: D } = inputs;
  const C = {
    o: hash(`${P}/commitment`, I.o, E.o, N.o),
    a: hash(`${P}/commitment`, I.a, E.a, N.a),
  };
  const T = hash(`${P}/transcript`, E.o, E.a, D.o, D.a, C.o, C.a);
  const proof = (secret: Uint8Array, other: Uint8Array, role: string, payload: string) => {
    const shared = nodeDiffieHellman({ privateKey: privateOf(secret), publicKey: publicOf(other) });
    const key = new Uint8Array(hkdfSync("sha256", shared, T, `${P}/${role}`, 32));
    return createHmac("sha256", key).update(payload, "ascii").digest("hex");
  };
  return {
    commitment: { o: C.o.toString("hex"), a: C.a.toString("hex") },
    transcript: T.toString("hex"),
    proof: {
      o: proof(inputs.identitySecret.o, E.a, "offerer", inputs.payload.o),
      a: proof(inputs.identitySecret.a, E.o, "answerer", inputs.payload.a),
    },
    code: hash(`${P}/code`, T, N.o, N.a).toString("hex").slice(0, 6).toUpperCase(),
  };
}

function mapSides<T, U>(sides: { readonly o: T; readonly a: T }, f: (value: T) => U) {
  return { o: f(sides.o), a: f(sides.a) };
}

const copy = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);
const PKCS8_X25519 = "302e020100300506032b656e04220420";
const SPKI_X25519 = "302a300506032b656e032100";

function privateOf(secret: Uint8Array) {
  const der = Buffer.concat([Buffer.from(PKCS8_X25519, "hex"), secret]);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

function publicOf(bytes: Uint8Array) {
  const der = Buffer.concat([Buffer.from(SPKI_X25519, "hex"), bytes]);
  return createPublicKey({ key: der, format: "der", type: "spki" });
}

function publicHalf(secret: Uint8Array): Uint8Array {
  const der = createPublicKey(privateOf(secret)).export({ format: "der", type: "spki" });
  return new Uint8Array(der).slice(-32);
}

/** Of the document. */
const DOCUMENTED: Inputs = {
  identitySecret: { o: filled(1), a: filled(2) },
  ephemeralSecret: { o: filled(3), a: filled(4) },
  nonce: { o: filled(5), a: filled(6) },
  certificate: { o: filled(7), a: filled(8) },
  payload: { o: "b2ZmZXJlcg==", a: "YW5zd2VyZXI=" },
};

Deno.test("the documented vector of the proof holds", () => {
  assertEquals(derive(DOCUMENTED), {
    commitment: {
      o: "08ac73e828fa23fd8e5e9cfd2389a945a95fb52cf80ac8db395a37c2b3a0f615",
      a: "500b0d1182dcd96437b5999d5b342984c57c80acd2f0090f10fa4b542aed785c",
    },
    transcript: "f0ca1386556c23f3537c7326f90ec19347ca5a77f0ec9ce46d24aae64d3430f4",
    proof: {
      o: "99af1edbdd6cd43f94572eadbff603f70bfc77297e562d89e40e09d8d6d768ea",
      a: "32df4abd4bb98cee0b777e62ef5eabba4cb2559cfcbb42456330d252a7714b7b",
    },
    code: "85ADB5",
  });
});

/** One published vector: every byte string in hex, payloads as they are. */
interface Vector {
  readonly given: { readonly [input in Exclude<keyof Inputs, "payload">]: Sides } & {
    readonly payload: Sides;
  };
  readonly derived: Derived;
}

interface Sides {
  readonly o: string;
  readonly a: string;
}

Deno.test("the published vectors of the proof hold, by both derivations", async () => {
  const file = new URL("../../../docs/vectors/proven_identity.json", import.meta.url);
  const { cases }: { readonly cases: readonly Vector[] } = JSON.parse(
    await Deno.readTextFile(file),
  );
  assertEquals(cases.length, 8);
  for (const { given, derived } of cases) {
    const bytes = (sides: Sides) => mapSides(sides, (hex) => Uint8Array.fromHex(hex));
    const inputs: Inputs = {
      identitySecret: bytes(given.identitySecret),
      ephemeralSecret: bytes(given.ephemeralSecret),
      nonce: bytes(given.nonce),
      certificate: bytes(given.certificate),
      payload: given.payload,
    };
    assertEquals(derive(inputs), derived);
    assertEquals(deriveAgain(inputs), derived);
  }
});

const bytes32 = () => fc.uint8Array({ minLength: 32, maxLength: 32 });
const bothSides = () => fc.record({ o: bytes32(), a: bytes32() });
const inputs = () =>
  fc.record({
    identitySecret: bothSides(),
    ephemeralSecret: bothSides(),
    nonce: bothSides(),
    certificate: bothSides(),
    payload: fc.record({
      o: fc.base64String({ maxLength: 400 }),
      a: fc.base64String({ maxLength: 400 }),
    }),
  });

Deno.test("commitments, proofs and code are those of a second derivation", () => {
  fc.assert(
    fc.property(inputs(), (given) => assertEquals(derive(given), deriveAgain(given))),
    { numRuns: 50 },
  );
});

Deno.test("prover and verifier derive the same key, each from its own secret", () => {
  const random = seededRandom("both ways");
  const identity = KeyPair.generate("identity", random);
  const ephemeral = KeyPair.generate("ephemeral", random);
  const transcript = new PublicValue("transcript", random(32));
  for (const role of ["offerer", "answerer"] as const) {
    const prover = proofKey(identity.secretKey, ephemeral.publicKey, transcript, role);
    const verifier = proofKey(ephemeral.secretKey, identity.publicKey, transcript, role);
    assert(prover !== undefined && verifier !== undefined);
    assertEquals(hexOf(proofOver(prover, "aGVsbG8=")), hexOf(proofOver(verifier, "aGVsbG8=")));
  }
});

Deno.test("a public key of low order gives no key to prove with", () => {
  const ephemeral = KeyPair.generate("ephemeral", seededRandom("low order"));
  const transcript = new PublicValue("transcript", filled(0));
  for (const first of [0, 1]) {
    const weak = new PublicKey("identity", new Uint8Array(32).fill(first, 0, 1));
    assertEquals(proofKey(ephemeral.secretKey, weak, transcript, "offerer"), undefined);
  }
});

Deno.test("each description has secrets of its own, bound by its commitment", () => {
  const random = seededRandom("descriptions");
  const identity = KeyPair.generate("identity", random).publicKey;
  const [first, second] = [
    new DescriptionSecrets(identity, random),
    new DescriptionSecrets(identity, random),
  ];
  const nonce = revealed(first.nonce);
  assertEquals(
    hexOf(commitmentTo(identity, first.ephemeral.publicKey, nonce)),
    hexOf(first.commitment),
  );
  assertNotEquals(nonce.base64, revealed(second.nonce).base64);
  assertNotEquals(first.ephemeral.publicKey.base64, second.ephemeral.publicKey.base64);
  first[Symbol.dispose]();
  assert(first.nonce.spent && first.ephemeral.secretKey.spent);
  assertThrows(() => revealed(first.nonce), MisuseError);
});

Deno.test("a value is 32 bytes of canonical base64, and nothing else", () => {
  const value = new PublicValue("commitment", filled(9));
  const text = value.base64;
  assertEquals(text.length, 44);
  assert(PublicValue.parse("commitment", text)?.equals(value));
  const others = [
    undefined,
    null,
    7,
    [text],
    "",
    text.slice(0, 43),
    `${text.slice(0, 43)} `,
    text.replace("=", "A"),
    text.replace("C", "-"),
    `${text}====`,
    // Bits left over after the last byte.
    text.replace("k=", "l="),
  ];
  for (const other of others) assertEquals(PublicValue.parse("commitment", other), undefined);
});
