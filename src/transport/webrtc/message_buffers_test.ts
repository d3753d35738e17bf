import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { MessageBuffers } from "./message_buffers.ts";

Deno.test("memory that was given back is used again by a message that fits it", () => {
  const buffers = new MessageBuffers();
  const first = buffers.take(117_000);
  assertEquals(first.length, 117_000);
  const second = buffers.take(117_000);
  assert(first.buffer !== second.buffer, "both are under way");
  buffers.give(first);
  const third = buffers.take(117_010);
  assertStrictEquals(third.buffer, first.buffer);
  assertEquals(third.length, 117_010);
  assertEquals(buffers.keptBytes, 0);
  buffers.give(third);
  assert(buffers.take(130_000).buffer !== third.buffer, "too long for it");
});

Deno.test("no more than the bound is kept", () => {
  const buffers = new MessageBuffers({ maxKeptBytes: 10_000 });
  for (const lent of [4096, 1, 4096, 8000].map((bytes) => buffers.take(bytes))) {
    buffers.give(lent);
  }
  assertEquals(buffers.keptBytes, 8192);
});
