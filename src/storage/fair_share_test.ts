import { assertEquals } from "@std/assert";
import { displaced } from "./fair_share.ts";

const peerOf = (one: string) => one.slice(0, 1);

Deno.test("whoever has most loses the oldest first, until others have as many", () => {
  const ended = ["a1", "m1", "b1", "m2", "m3", "b2", "m4"];
  assertEquals(displaced(ended, peerOf, 2), ["m1", "m2"]);
  // Now b and m have two each: the oldest of them goes, then the other's.
  assertEquals(displaced(ended, peerOf, 4), ["m1", "m2", "b1", "m3"]);
});

Deno.test("no more are chosen than there are, and the oldest of one peer's alone", () => {
  assertEquals(displaced([], peerOf, 3), []);
  assertEquals(displaced(["a1", "a2"], peerOf, 0), []);
  assertEquals(displaced(["a1", "a2", "a3"], peerOf, 2), ["a1", "a2"]);
  assertEquals(displaced(["a1", "b1"], peerOf, 9), ["a1", "b1"]);
});
