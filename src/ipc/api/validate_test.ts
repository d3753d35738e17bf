import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { RequestError } from "./problem.ts";
import { PairRequest, SendRequest, TransferQuery, TrustRequest } from "./schemas.ts";
import { is, parse } from "./validate.ts";
import * as Type from "typebox";
import type { TSchema } from "typebox";

const violationsOf = (schema: TSchema, value: unknown, where: "body" | "query" = "body") => {
  const error = assertThrows(() => parse(schema, value, where), RequestError);
  assertEquals(error.code, "INVALID_PARAMETERS");
  return (error.violations ?? []).map(({ name, detail }) => `${name} ${detail}`);
};

Deno.test("each violation names the member at fault", () => {
  assertEquals(violationsOf(TrustRequest, { decision: "maybe", replaces: "k", "a/b~": 1 }), [
    "/a~1b~0 is unknown",
    "/decision must be one of allow_always, deny_always",
    "/replaces must be a whole identity key, 64 hexadecimal digits",
  ]);
  assertEquals(violationsOf(TrustRequest, {}), ["/decision is required"]);
  assertEquals(violationsOf(TrustRequest, []), [" must be object"]);
  assertEquals(violationsOf(TrustRequest, null), [" must be object"]);
  assertEquals(violationsOf(TransferQuery, { limit: 201 }, "query"), ["limit must be <= 200"]);
});

Deno.test("of a union only the form that was meant is told", () => {
  assertEquals(violationsOf(PairRequest, { signal: "pigeon" }), [
    "/role must be one of offerer, answerer",
    "/signal must be one of file, rendezvous",
  ]);
  assertEquals(violationsOf(PairRequest, { signal: "file", role: "offerer", offer: "x" }), [
    "/answer is required",
    "/offer must be the absolute path of the offer file",
  ]);
  assertEquals(
    violationsOf(PairRequest, {
      signal: "rendezvous",
      role: "answerer",
      rendezvousUrl: "ws://127.0.0.1:3001",
    }),
    ["/expectPeer is required", "/room is required", "/session is required"],
  );
  assertEquals(violationsOf(SendRequest, { paths: ["/a", 3], identity: "0".repeat(64) }), [
    "/paths/1 must be string",
  ]);
  assertEquals(violationsOf(SendRequest, 7), [" must be object"]);
});

Deno.test("any JSON value is either of the type or refused with a bounded list", () => {
  const members = fc.constantFrom("signal", "role", "offer", "paths", "identity", "__proto__", "x");
  const values = fc.oneof(fc.jsonValue(), fc.dictionary(members, fc.jsonValue()));
  fc.assert(fc.property(values, fc.constantFrom(PairRequest, SendRequest), (value, schema) => {
    try {
      parse<TSchema>(schema, value, "body");
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      assertEquals((error.violations ?? []).length > 0, true);
      assertEquals((error.violations ?? []).length <= 8, true);
    }
  }));
});

Deno.test("a value is of a union when it is of the form that its constants name", () => {
  const union = Type.Union([
    Type.Object({ type: Type.Literal("a"), n: Type.Number() }),
    Type.Object({ type: Type.Literal("b"), text: Type.String() }),
  ]);
  assertEquals(is(union, { type: "a", n: 1 }), true);
  assertEquals(is(union, { type: "b", text: "" }), true);
  for (const other of [{ type: "a", text: "" }, { type: "c", n: 1 }, { n: 1 }, [], null, "a"]) {
    assertEquals(is(union, other), false, JSON.stringify(other));
  }
});
