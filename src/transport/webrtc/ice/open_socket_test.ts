import { assertEquals, assertRejects } from "@std/assert";
import { TransportError } from "../../../base/errors.ts";
import { openSocket } from "./open_socket.ts";

Deno.test("a socket is open when it is handed out, on a port of the system's choice", async () => {
  const transport = await openSocket("udp4");
  assertEquals(transport.port > 0, true);
  await transport.close();
});

Deno.test("a socket that the system refuses is an error at once, and leaves nothing open", async () => {
  // An address of documentation (RFC 5737): no machine has it.
  const error = await assertRejects(() => openSocket("udp4", "203.0.113.5"), TransportError);
  assertEquals(error.code, "SETUP_FAILED");
  assertEquals(
    error.message,
    "no UDP socket can be opened: this machine does not have that address",
  );
});
