import { assertEquals } from "@std/assert";
import { bestPairings, MAX_CANDIDATE_PAIRS } from "./pairing.ts";

const candidates = (...hosts: readonly string[]) =>
  hosts.map((host, i) => ({ host, priority: 1000 - i }));
const made = (locals: readonly string[], remotes: readonly string[], most = MAX_CANDIDATE_PAIRS) =>
  bestPairings(candidates(...locals), candidates(...remotes), most)
    .map(({ local, remote }) => `${local.host} ${remote.host}`);

Deno.test("each of our addresses is paired with each of the peer's of its family", () => {
  assertEquals(made(["10.0.0.1", "fd00::1"], ["10.0.0.2", "fd00::2", "192.168.0.2"]), [
    "10.0.0.1 10.0.0.2",
    "fd00::1 fd00::2",
    "10.0.0.1 192.168.0.2",
  ]);
});

Deno.test("a socket on loopback, or on a link alone, is paired with its like and nothing else", () => {
  assertEquals(
    made(["10.0.0.1", "127.0.0.1", "::1", "fe80::1", "fd00::1"], [
      "127.0.0.1",
      "10.0.0.2",
      "::1",
      "fe80::2",
      "fd00::2",
    ]).toSorted(),
    ["10.0.0.1 10.0.0.2", "127.0.0.1 127.0.0.1", "::1 ::1", "fd00::1 fd00::2", "fe80::1 fe80::2"],
  );
});

Deno.test("of many pairs those are kept whose worse address is best, in the same order on both sides", () => {
  const ours = Array.from({ length: 32 }, (_, i) => `10.1.${i}.1`);
  const theirs = Array.from({ length: 32 }, (_, i) => `10.2.${i}.1`);
  const kept = made(ours, theirs);
  assertEquals(kept.length, MAX_CANDIDATE_PAIRS);
  assertEquals(kept[0], "10.1.0.1 10.2.0.1");
  // Nine by nine is the first square that does not fit in.
  for (let i = 0; i < 8; i++) {
    for (let j = 0; j < 8; j++) assertEquals(kept.includes(`10.1.${i}.1 10.2.${j}.1`), true);
  }
  const seenByPeer = made(theirs, ours).map((pair) => pair.split(" ").toReversed().join(" "));
  assertEquals(seenByPeer.toSorted(), kept.toSorted());
});

Deno.test("one address of the peer's is tried from all of ours, however many it lists", () => {
  const ours = Array.from({ length: 32 }, (_, i) => `10.1.${i}.1`);
  assertEquals(made(ours, ["10.2.0.1"]).length, 32);
});
