import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { toUtf8 } from "../crypto/encoding.ts";
import { PublicKey } from "../crypto/keys.ts";
import { ProtocolError } from "../errors.ts";
import { encodeHello, parseHello } from "./hello.ts";

const IDENTITY = new PublicKey("identity", new Uint8Array(32).fill(3));
const HELLO = {
  type: "hello",
  version: 1,
  identityPublicKey: IDENTITY.base64,
  capabilities: ["bolt.profile-envelope-v1"],
};

const parse = (value: unknown) => parseHello(toUtf8(JSON.stringify(value)));
const codeOf = (value: unknown) => assertThrows(() => parse(value), ProtocolError).code;

Deno.test("a HELLO has exactly the wire's fields", () => {
  const bytes = encodeHello({ identity: IDENTITY, capabilities: ["bolt.file-hash"] });
  assertEquals(
    new TextDecoder().decode(bytes),
    `{"type":"hello","version":1,"identityPublicKey":"${IDENTITY.base64}",` +
      '"capabilities":["bolt.file-hash"]}',
  );
});

Deno.test("capabilities may be missing, which means none, and may be unknown", () => {
  const { capabilities: _, ...bare } = HELLO;
  assertEquals(parse(bare).capabilities, []);
  assertEquals(parse({ ...HELLO, capabilities: ["x.y"], more: 1 }).capabilities, ["x.y"]);
  assert(parse(HELLO).identity.equals(IDENTITY));
});

Deno.test("capabilities are at most 32 of at most 64 UTF-8 bytes", () => {
  const list = (count: number, text: string) => ({
    ...HELLO,
    capabilities: Array.from({ length: count }, () => text),
  });
  assertEquals(parse(list(32, "c".repeat(64))).capabilities.length, 32);
  assertEquals(codeOf(list(33, "c")), "PROTOCOL_VIOLATION");
  assertEquals(codeOf(list(1, "c".repeat(65))), "PROTOCOL_VIOLATION");
  assertEquals(codeOf(list(1, "ä".repeat(33))), "PROTOCOL_VIOLATION");
});

Deno.test("a HELLO of another shape is refused with the code for what is wrong", () => {
  assertEquals(codeOf([]), "HELLO_PARSE_ERROR");
  assertEquals(
    assertThrows(() => parseHello(new Uint8Array([255])), ProtocolError).code,
    "HELLO_PARSE_ERROR",
  );
  assertEquals(codeOf({ ...HELLO, version: 2 }), "VERSION_MISMATCH");
  for (
    const broken of [
      { ...HELLO, type: "helo" },
      { ...HELLO, version: "1" },
      { ...HELLO, identityPublicKey: undefined },
      { ...HELLO, identityPublicKey: "AAAA" },
      { ...HELLO, identityPublicKey: IDENTITY.base64.replace("=", "") },
      { ...HELLO, capabilities: "bolt.file-hash" },
      { ...HELLO, capabilities: [1] },
      {},
    ]
  ) assertEquals(codeOf(broken), "HELLO_SCHEMA_ERROR");
});

Deno.test("any bytes give a HELLO or a protocol error, never another throw", () => {
  const near = fc.record({
    type: fc.constantFrom("hello", 1),
    version: fc.constantFrom(1, 2, "1"),
    identityPublicKey: fc.oneof(fc.constant(IDENTITY.base64), fc.jsonValue()),
    capabilities: fc.jsonValue(),
  }, { requiredKeys: [] }).map((value) => toUtf8(JSON.stringify(value)));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), near), (bytes) => {
      try {
        parseHello(bytes);
      } catch (error) {
        assert(error instanceof ProtocolError, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});
