import { assertEquals } from "@std/assert";
import { SAS_WINDOW_MS } from "../../../base/timing.ts";
import { MAX_WRONG_IN_WINDOW, SasAttempts } from "./sas_attempts.ts";

Deno.test("ten wrong SAS are heard in an hour, over all requests; then none until the oldest is an hour old", () => {
  const attempts = new SasAttempts();
  for (let i = 0; i < MAX_WRONG_IN_WINDOW; i++) {
    assertEquals(attempts.isExhausted(i), false);
    attempts.count(i);
  }
  assertEquals(attempts.isExhausted(MAX_WRONG_IN_WINDOW), true);
  assertEquals(attempts.isExhausted(SAS_WINDOW_MS - 1), true);
  assertEquals(attempts.isExhausted(SAS_WINDOW_MS), false);
  // One place is free, not ten.
  attempts.count(SAS_WINDOW_MS);
  assertEquals(attempts.isExhausted(SAS_WINDOW_MS), true);
});
