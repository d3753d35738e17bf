import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { displacedBytes } from "./fair_share.ts";
import { beyondBounds, type KeptAt, nextExpiry } from "./kept_parts.ts";

const part = (peer: string, bytes: number, since: number): KeptAt => ({ peer, bytes, since });

Deno.test("parts beyond the bound go from whoever has most, the oldest first", () => {
  const [a1, b1, b2, b3] = [part("a", 4, 1), part("b", 5, 2), part("b", 5, 3), part("b", 1, 4)];
  const all = [a1, b1, b2, b3];
  assertEquals(displacedBytes(all, 15), []);
  assertEquals(displacedBytes(all, 14), [b1]);
  assertEquals(displacedBytes(all, 9), [b1, b2]);
  assertEquals(displacedBytes(all, 0), [b1, b2, a1, b3]);
});

Deno.test("what stays is within the bounds, and no more goes than must", () => {
  const parts = fc.array(
    fc.record({
      peer: fc.constantFrom("a", "b", "c"),
      bytes: fc.nat(50),
      since: fc.nat(100),
    }),
    { maxLength: 12 },
  );
  fc.assert(fc.property(parts, fc.nat(200), fc.nat(120), (all, maxBytes, now) => {
    const bounds = { maxBytes, maxAgeMs: 50 };
    const gone = beyondBounds(all, now, bounds);
    const left = all.filter((one) => !gone.includes(one));
    const bytes = (some: readonly KeptAt[]) => some.reduce((sum, one) => sum + one.bytes, 0);
    assert(bytes(left) <= maxBytes);
    assert(left.every(({ since }) => now - since < 50));
    const last = gone.at(-1);
    const isYoung = last !== undefined && now - last.since < 50;
    if (isYoung) assert(bytes([...left, last]) > maxBytes);
    const next = nextExpiry(left, bounds);
    assert(next === undefined || next > now);
  }));
});
