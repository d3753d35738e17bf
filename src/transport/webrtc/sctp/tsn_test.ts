import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { firstTsn, tsnAdd, tsnAfter, tsnDistance, tsnNext } from "./tsn.ts";

const tsn = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const step = fc.integer({ min: 1, max: 2 ** 31 - 1 });

Deno.test("a number comes after every number up to 2^31 - 1 behind it, wherever it wraps", () => {
  fc.assert(fc.property(tsn, step, (from, by) => {
    const to = Number((BigInt(from) + BigInt(by)) % (1n << 32n));
    assertEquals(tsnAdd(from, by), to);
    assertEquals(tsnAdd(to, -by), from);
    assertEquals(tsnDistance(from, to), by);
    assertEquals(tsnDistance(to, from), -by);
    assert(tsnAfter(to, from));
    assert(!tsnAfter(from, to));
  }));
});

Deno.test("the number after 2^32 - 1 is 0 and after 999999999 comes 1000000000", () => {
  assertEquals(tsnNext(2 ** 32 - 1), 0);
  assert(tsnAfter(0, 2 ** 32 - 1));
  assertEquals(tsnNext(999_999_999), 1_000_000_000);
  assert(tsnAfter(1_000_000_000, 999_999_999));
});

Deno.test("a number does not come after itself", () => {
  fc.assert(fc.property(tsn, (a) => !tsnAfter(a, a)));
});

Deno.test("first numbers stay clear of 10^9 and of the wrap for 2 TB", () => {
  for (let i = 0; i < 200; i++) {
    const tsn = firstTsn();
    assert(tsn > 1e9 && tsn + 2e12 / 1191 < 2 ** 32);
  }
});
