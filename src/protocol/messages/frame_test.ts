import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { toUtf8 } from "../crypto/encoding.ts";
import {
  encodeEnvelope,
  encodeErrorFrame,
  encodeHelloFrame,
  MAX_FRAME_BYTES,
  parseFrame,
} from "./frame.ts";

const NO_RATCHET = { chainIndex: undefined, publicKey: undefined, generation: undefined };

Deno.test("frames have exactly the wire's fields, the ratchet's in snake case", () => {
  assertEquals(encodeHelloFrame("cA=="), '{"type":"hello","payload":"cA=="}');
  const plain = '{"type":"profile-envelope","version":1,"encoding":"base64","payload":"cA=="';
  assertEquals(encodeEnvelope("cA=="), plain + "}");
  assertEquals(encodeEnvelope("cA==", { chainIndex: 4 }), plain + ',"chain_index":4}');
  assertEquals(
    encodeEnvelope("cA==", { chainIndex: 0, publicKey: "a2V5", generation: 2 }),
    plain + ',"chain_index":0,"ratchet_public_key":"a2V5","ratchet_generation":2}',
  );
  assertEquals(
    encodeErrorFrame("ENVELOPE_INVALID", "m"),
    '{"type":"error","code":"ENVELOPE_INVALID","message":"m"}',
  );
});

Deno.test("what was encoded is read again, from text and from bytes", () => {
  const frame = encodeEnvelope("cA==", { chainIndex: 0, publicKey: "a2V5", generation: 2 });
  const parsed = {
    type: "envelope" as const,
    payload: "cA==",
    ratchet: { chainIndex: 0, publicKey: "a2V5", generation: 2 },
  };
  assertEquals(parseFrame(frame), parsed);
  assertEquals(parseFrame(toUtf8(frame)), parsed);
  assertEquals(parseFrame(encodeEnvelope("")), {
    type: "envelope",
    payload: "",
    ratchet: NO_RATCHET,
  });
  assertEquals(parseFrame(encodeHelloFrame("p")), {
    type: "hello",
    payload: "p",
    identityProof: undefined,
    repeatsKeys: false,
  });
});

Deno.test("an envelope of another version, encoding or shape is told apart", () => {
  const good = { type: "profile-envelope", version: 1, encoding: "base64", payload: "" };
  for (
    const bad of [
      { ...good, version: 2 },
      { ...good, version: "1" },
      { ...good, encoding: "hex" },
      { ...good, payload: 5 },
      { type: "profile-envelope" },
    ]
  ) assertEquals(parseFrame(JSON.stringify(bad)).type, "bad-envelope");
});

Deno.test("a frame beyond the bound is not even parsed", () => {
  const big = JSON.stringify({ type: "other", fill: "x".repeat(MAX_FRAME_BYTES) });
  assertEquals(parseFrame(big), { type: "unreadable" });
  assertEquals(parseFrame(toUtf8(big)), { type: "unreadable" });
});

Deno.test("any text and any bytes have an outer shape; reading never throws", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.uint8Array(), fc.json()), (message) => {
      parseFrame(message);
    }),
    { numRuns: 2_000 },
  );
});
