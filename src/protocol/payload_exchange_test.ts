import { assertEquals, assertThrows } from "@std/assert";
import { PayloadError } from "../base/errors.ts";
import { checkGreeting, GREETING } from "./payload_exchange.ts";

Deno.test("the greeting is the 13 bytes of the wire format, taken as binary or as text", () => {
  assertEquals([...GREETING], [98, 111, 108, 116, 45, 104, 101, 108, 108, 111, 45, 118, 49]);
  checkGreeting(GREETING);
  checkGreeting("bolt-hello-v1");
});

Deno.test("any other payload is refused, and not quoted", () => {
  for (
    const other of ["", "bolt-hello-v2", "bolt-hello-v1\n", "bolt-hello-v", new Uint8Array(13)]
  ) {
    const error = assertThrows(() => checkGreeting(other), PayloadError);
    assertEquals(error.message.includes("v2"), false);
  }
});
