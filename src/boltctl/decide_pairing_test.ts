import { assertEquals, assertMatch } from "@std/assert";
import { exitCodeOf } from "./exit_codes.ts";
import { notOpened } from "./decide_pairing.ts";

Deno.test("a session that its peer closes before it is open was refused, and what to look at is said", () => {
  const error = notOpened({
    sessionId: "s",
    state: "closed",
    role: "offerer",
    signal: "file",
    web: false,
    createdAt: "2026-01-01T00:00:00.000Z",
  });
  assertEquals(exitCodeOf(error), 4);
  assertMatch(error.message, /was closed.*other end.*boltctl identity/);
});
