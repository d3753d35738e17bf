import { assertEquals } from "@std/assert";
import { QUEUE_EXPIRE_MS } from "../../../base/timing.ts";
import { isRepeatable, leftMs, placeInQueue } from "./queue_rules.ts";

const at = (now: number, lifetimeMs?: number) =>
  placeInQueue({
    order: 3,
    priority: -1,
    mtimeMs: 5,
    now,
    ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
  });

Deno.test("a file waits as long as was asked, and a week where nothing was", () => {
  assertEquals(at(1000, 50), {
    order: 3,
    priority: -1,
    mtimeMs: 5,
    expiresAt: 1050,
    lifetimeMs: 50,
  });
  assertEquals(at(1000).lifetimeMs, 7 * 24 * 3600 * 1000);
  assertEquals(at(1000).expiresAt, 1000 + QUEUE_EXPIRE_MS);
});

Deno.test("a clock that was put forward takes no more than all that was left, one put back gives no more than the whole", () => {
  const place = at(1000, 50);
  assertEquals([1000, 1020, 1049, 1050, 9e12].map((now) => leftMs(place, now)), [50, 30, 1, 0, 0]);
  assertEquals([999, 0].map((now) => leftMs(place, now)), [50, 50]);
});

Deno.test("what may have arrived is sent again only where its last try can be named", () => {
  for (const isAccepted of [false, true]) {
    for (const size of [0, 1]) {
      assertEquals(isRepeatable({ resumes: true, isAccepted, size }), true);
    }
  }
  const without = (isAccepted: boolean, size: number) =>
    isRepeatable({ resumes: false, isAccepted, size });
  assertEquals([without(false, 1), without(true, 1), without(false, 0)], [true, false, false]);
});
