/**
 * What docs/PROTOCOL.md shows of the extension is what the program sends: another team builds it from
 * that page alone.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { KeyPair, readSecret } from "../../src/protocol/crypto/keys.ts";
import { PublicValue } from "../../src/protocol/crypto/public_value.ts";
import {
  commitmentTo,
  committedCode,
  proofKey,
  proofOver,
  PROVEN_IDENTITY,
  type SessionNonce,
  transcriptOf,
} from "../../src/protocol/identity/proven_identity.ts";
import { encodeHelloFrame } from "../../src/protocol/messages/frame.ts";
import { encodeHello } from "../../src/protocol/messages/hello.ts";
import { encodeWebSignal, parseWebSignal } from "../../src/protocol/signal/web_payload.ts";
import { blocksOf } from "./page.ts";

const PAGE = await Deno.readTextFile(new URL("../../docs/PROTOCOL.md", import.meta.url));
const filled = (byte: number) => new Uint8Array(32).fill(byte);

/** A side of the page's vector, in which each value is one byte 32 times. */
function side([i, e, n, d]: readonly [number, number, number, number], payload: string) {
  const identity = new KeyPair("identity", filled(i));
  const ephemeral = new KeyPair("ephemeral", filled(e));
  const nonce: SessionNonce = new PublicValue("session-nonce", filled(n));
  const commitment = commitmentTo(identity.publicKey, ephemeral.publicKey, nonce);
  const certificate = new PublicValue("certificate-digest" as const, filled(d));
  return { identity, ephemeral, nonce, commitment, certificate, payload };
}

const OFFERER = side([1, 3, 5, 7], "b2ZmZXJlcg==");
const ANSWERER = side([2, 4, 6, 8], "YW5zd2VyZXI=");
const TRANSCRIPT = transcriptOf({
  offerer: { ...OFFERER, ephemeral: OFFERER.ephemeral.publicKey },
  answerer: { ...ANSWERER, ephemeral: ANSWERER.ephemeral.publicKey },
});

function proofOf(role: "offerer" | "answerer") {
  const [own, other] = role === "offerer" ? [OFFERER, ANSWERER] : [ANSWERER, OFFERER];
  const { secretKey } = own.identity;
  const key = proofKey(secretKey, other.ephemeral.publicKey, TRANSCRIPT, role);
  if (key === undefined) throw new Error("a key of the vector is of low order");
  return { key: readSecret(key).toHex(), proof: proofOver(key, own.payload) };
}

function example(name: string): string {
  const found = blocksOf(PAGE).find(({ words }) => words.join(" ") === `proven-identity ${name}`);
  if (found === undefined) throw new Error(`the page has no example called ${name}`);
  return found.text;
}

Deno.test("the page's vector is what the program computes", () => {
  const [offerer, answerer] = [proofOf("offerer"), proofOf("answerer")];
  const nonces = { offerer: OFFERER.nonce, answerer: ANSWERER.nonce };
  const expected = {
    C_o: OFFERER.commitment.bytes.toHex(),
    C_a: ANSWERER.commitment.bytes.toHex(),
    T: TRANSCRIPT.bytes.toHex(),
    K_o: offerer.key,
    K_a: answerer.key,
    proof_o: offerer.proof.bytes.toHex(),
    proof_a: answerer.proof.bytes.toHex(),
    code: committedCode(TRANSCRIPT, nonces),
  };
  const block = blocksOf(PAGE).find(({ text }) => text.startsWith("C_o     "));
  const rows = (block?.text ?? "").trim().split("\n").map((row) => row.split(/\s+/));
  assertEquals(Object.fromEntries(rows), expected);
});

Deno.test("the page's offer is one that is taken, with the vector's key and commitment", () => {
  const offer: unknown = JSON.parse(example("offer"));
  const parsed = parseWebSignal(offer);
  assertEquals(encodeWebSignal(parsed), offer);
  if (parsed.type !== "offer") throw new Error(`the example is an ${parsed.type}`);
  assertEquals(parsed.publicKey.base64, OFFERER.ephemeral.publicKey.base64);
  assertEquals(parsed.commitment?.base64, OFFERER.commitment.base64);
});

Deno.test("the page's HELLO and its frame are those that the program writes, of the vector", () => {
  const identity = OFFERER.identity.publicKey;
  const capabilities = ["bolt.profile-envelope-v1", PROVEN_IDENTITY];
  const hello = encodeHello({ identity, capabilities, sessionNonce: OFFERER.nonce.base64 });
  assertEquals(JSON.parse(example("hello")), JSON.parse(new TextDecoder().decode(hello)));
  const frame = encodeHelloFrame(OFFERER.payload, proofOf("offerer").proof.base64);
  assertEquals(JSON.parse(example("frame")), JSON.parse(frame));
});
