import { assertEquals } from "@std/assert";
import { MAX_REMEMBERED_REQUESTS, RequestMemory } from "./request_memory.ts";

Deno.test("a request is told from one that is sent again, and from a copy sent from elsewhere", () => {
  const memory = new RequestMemory();
  const sightings = [["a", "here"], ["a", "here"], ["a", "there"], ["b", "there"]] as const;
  assertEquals(sightings.map(([id, source]) => memory.note(id, source)), [
    "new",
    "again",
    "elsewhere",
    "new",
  ]);
});

Deno.test("only so many requests are remembered, the latest", () => {
  const memory = new RequestMemory();
  for (let i = 0; i < 2 * MAX_REMEMBERED_REQUESTS; i++) memory.note(String(i), "here");
  assertEquals(memory.size, MAX_REMEMBERED_REQUESTS);
  assertEquals(memory.note(String(2 * MAX_REMEMBERED_REQUESTS - 1), "there"), "elsewhere");
});
