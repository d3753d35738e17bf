import { assert, assertEquals } from "@std/assert";
import { WINDOW_HOLD_MS } from "../../../base/timing.ts";
import { MAX_HELD, RECEIVE_WINDOW, ReceiveWindow } from "./receive_window.ts";

const { first, most } = RECEIVE_WINDOW;

/** A whole window comes in, in so many milliseconds. */
function fill(window: ReceiveWindow, from: number, ms: number, roundTripMs?: number): number {
  const { limit } = window;
  window.onArrived(1, from, roundTripMs);
  window.onArrived(limit, from + ms, roundTripMs);
  return from + ms;
}

Deno.test("it doubles when a whole window comes within two round trips, up to its bound", () => {
  const window = new ReceiveWindow();
  assertEquals(window.limit, first);
  let now = 1000;
  for (let i = 0; i < 10; i++) now = fill(window, now, 50, 30);
  assertEquals(window.limit, most);
});

Deno.test("it stays when nobody is held up by it, and when no round trip is known", () => {
  const window = new ReceiveWindow();
  let now = fill(window, 1000, 61, 30);
  now = fill(window, now, 1);
  assertEquals(window.limit, first);
});

Deno.test("it stays while what came is not read", () => {
  const window = new ReceiveWindow();
  window.addUnread(1);
  const now = fill(window, 1000, 1, 30);
  assertEquals(window.limit, first);
  window.removeUnread(1);
  fill(window, now, 1, 30);
  assertEquals(window.limit, 2 * first);
});

Deno.test("it halves when a burst is lost, and does not grow for a while", () => {
  const window = new ReceiveWindow();
  let now = 1000;
  for (let i = 0; i < 3; i++) now = fill(window, now, 1, 30);
  const { limit } = window;
  window.onBurstLoss(now);
  assertEquals(window.limit, limit / 2);
  now = fill(window, now, 1, 30);
  assertEquals(window.limit, limit / 2);
  // The first round has the pause in it.
  now = fill(window, now + WINDOW_HOLD_MS, 1, 30);
  assertEquals(window.limit, limit / 2);
  now = fill(window, now, 1, 30);
  assertEquals(window.limit, limit);
  for (let i = 0; i < 9; i++) window.onBurstLoss(now);
  assertEquals(window.limit, first, "not below what it began with");
});

Deno.test("what is held makes it smaller, but for one message that may wait to be read", () => {
  const window = new ReceiveWindow({ unreadSlack: 1000 });
  window.addUnread(1000);
  assertEquals(window.tell(), first);
  window.addUnread(10);
  window.addAhead(20);
  assertEquals(window.tell(), first - 30);
  window.removeAhead(20);
  window.removeUnread(10);
  assertEquals(window.tell(), first);
});

Deno.test("the peer is told of room again when half of it is, and it knew of less", () => {
  const window = new ReceiveWindow();
  window.addUnread(first);
  assertEquals([window.tell(), window.isNews], [0, false]);
  window.removeUnread(first / 2 - 1);
  window.addUnread(0);
  assertEquals(window.isNews, false);
  window.removeUnread(1);
  assertEquals(window.isNews, true);
  window.tell();
  assertEquals(window.isNews, false);
});

Deno.test("the next chunk has room whatever is ahead of it; others only up to the bounds", () => {
  const window = new ReceiveWindow();
  window.addAhead(most);
  assertEquals([window.hasRoomAhead(1), window.hasRoomFor(1)], [false, true]);
  window.removeAhead(most);
  for (let i = 0; i < MAX_HELD; i++) window.addAhead(1);
  assertEquals([window.hasRoomAhead(1), window.hasRoomFor(1)], [false, true]);
  assertEquals(window.tell(), 0, "by their number");
  window.addUnread(most);
  assert(!window.hasRoomFor(1));
});
