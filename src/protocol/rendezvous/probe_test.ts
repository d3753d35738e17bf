import { assertEquals, assertThrows } from "@std/assert";
import { judgeSignal } from "../signal/daemon_payload.ts";
import { parseWebSignal } from "../signal/web_payload.ts";
import { encodeProbe, parseProbe } from "./probe.ts";
import { codes } from "../testing/peer_codes.ts";

Deno.test("a probe is read back, anything else is none", () => {
  assertEquals(parseProbe(encodeProbe("a1")), "a1");
  for (const other of [null, {}, [], "bolt_daemon_probe", { bolt_daemon_probe: 1 }]) {
    assertEquals(parseProbe(other), undefined);
  }
  assertEquals(parseProbe(encodeProbe("x".repeat(65))), undefined);
});

Deno.test("a probe that goes astray is ignored by daemons and web clients", () => {
  const context = {
    room: "r",
    session: "s",
    ...codes("bob", "alice"),
    scope: "lan",
  } as const;
  assertEquals(judgeSignal("alice", encodeProbe("a1"), "hello", context), {
    accepted: false,
    reason: "malformed-payload",
  });
  assertThrows(() => parseWebSignal(encodeProbe("a1")));
});
