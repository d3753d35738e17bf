import { assertEquals } from "@std/assert";
import { RateLimit } from "./rate_limit.ts";

const allowed = (rate: RateLimit, tries: number, now: number): number =>
  Array.from({ length: tries }, () => rate.allows(now)).filter((ok) => ok).length;

Deno.test("the limit passes at once and then nothing more in that instant", () => {
  assertEquals(allowed(new RateLimit(50, 0), 60, 0), 50);
});

Deno.test("the allowance comes back at the limit's pace and never grows past the limit", () => {
  const rate = new RateLimit(50, 1000);
  allowed(rate, 50, 1000);
  assertEquals(allowed(rate, 60, 1500), 25);
  assertEquals(allowed(rate, 60, 1_000_000), 50);
});
