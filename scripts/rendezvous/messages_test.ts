import { assertEquals, assertThrows } from "@std/assert";
import { vectorTest } from "../../src/protocol/testing/vectors.ts";
import { ClientMessageError, normalisePeerCode, parseClientMessage } from "./messages.ts";

const register = (fields: Record<string, unknown> = {}): string =>
  JSON.stringify({
    type: "register",
    peer_code: "alice",
    device_name: "bolt-daemon",
    device_type: "desktop",
    ...fields,
  });

Deno.test("a register message is read, its peer code without hyphens and unknown fields dropped", () => {
  assertEquals(parseClientMessage(register({ peer_code: "AB-cd-1", extra: [1] })), {
    type: "register",
    peer: { peer_code: "ABcd1", device_name: "bolt-daemon", device_type: "desktop" },
  });
});

Deno.test("a signal message is read with its payload untouched", () => {
  const payload = { any: ["thing", null, 1.5] };
  assertEquals(parseClientMessage(JSON.stringify({ type: "signal", to: "b-ob", payload })), {
    type: "signal",
    to: "bob",
    payload,
  });
});

Deno.test("a null payload is a payload", () => {
  const text = `{"type":"signal","to":"bob","payload":null}`;
  assertEquals(parseClientMessage(text), { type: "signal", to: "bob", payload: null });
});

Deno.test("peer codes are 1 to 16 ASCII letters and digits once hyphens are removed", () => {
  for (const code of ["a", "Z9", "a-b-c", "-a-", "0123456789abcdef", "0123-4567-89ab-cdef"]) {
    assertEquals(normalisePeerCode(code), code.split("-").join(""));
  }
  for (const code of ["", "-", "0123456789abcdefg", "a b", "a_b", "é", "a\n", "ａ", "a\u0000"]) {
    assertThrows(() => normalisePeerCode(code), ClientMessageError, "invalid peer code");
  }
});

Deno.test("device_name is bounded in UTF-8 bytes, not in characters", () => {
  parseClientMessage(register({ device_name: "é".repeat(128) }));
  const tooLong = register({ device_name: "é".repeat(128) + "x" });
  assertThrows(() => parseClientMessage(tooLong), ClientMessageError, "over 256 bytes");
});

Deno.test("anything that is not a message of the protocol is refused with a reason", () => {
  const cases: [string, string][] = [
    ["", "not JSON"],
    ["{", "not JSON"],
    ["null", "not a JSON object"],
    ["[]", "not a JSON object"],
    [`"register"`, "not a JSON object"],
    ["{}", "unknown message type"],
    [`{"type":"Register"}`, "unknown message type"],
    [`{"type":"peers","peers":[]}`, "unknown message type"],
    [register({ peer_code: undefined }), "peer_code is not a string"],
    [register({ peer_code: 7 }), "peer_code is not a string"],
    [register({ device_name: null }), "device_name is not a string"],
    [register({ device_type: "toaster" }), "device_type takes phone, tablet, laptop, desktop"],
    [`{"type":"signal","payload":{}}`, "to is not a string"],
    [`{"type":"signal","to":"bob"}`, "payload is missing"],
    [`{"type":"signal","to":"b b","payload":{}}`, "invalid peer code"],
  ];
  for (const [text, reason] of cases) {
    assertThrows(() => parseClientMessage(text), ClientMessageError, reason);
  }
});

for (const name of ["register", "signal_out"]) {
  vectorTest<{ type: string }>(
    `the published ${name} is read`,
    `signaling/${name}.json`,
    (message) => {
      assertEquals(parseClientMessage(JSON.stringify(message)).type, message.type);
    },
  );
}
