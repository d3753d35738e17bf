import { assertEquals } from "@std/assert";
import { expireDuration, expireSecs, idempotencyKey } from "./transfer_values.ts";

Deno.test("how long a file waits is written with a unit, within the bounds of the API", () => {
  const taken = { "1s": 1, "90s": 90, "30m": 1800, "12h": 43_200, "7d": 604_800, "030m": 1800 };
  for (const [text, secs] of Object.entries(taken)) {
    assertEquals(expireDuration.parse(text), secs, text);
  }
  assertEquals(expireDuration.parse("30d"), expireSecs.max);
  const refused = [
    "",
    "0s",
    "31d",
    "721h",
    "7",
    "7 d",
    "-1s",
    "1.5h",
    "1w",
    "d",
    "1d12h",
    "9".repeat(10) + "s",
  ];
  for (const text of refused) assertEquals(expireDuration.parse(text), undefined, text);
});

Deno.test("a key of a request is what a header can carry as one word, and no longer than it is kept", () => {
  for (const text of ["1", "nightly-2026-11-27", "!~", "x".repeat(255)]) {
    assertEquals(idempotencyKey.parse(text), text);
  }
  for (const text of ["", "a b", "\u00e4", "a\n", "\n", "\t", "\x7f", "x".repeat(256)]) {
    assertEquals(idempotencyKey.parse(text), undefined, JSON.stringify(text));
  }
});
