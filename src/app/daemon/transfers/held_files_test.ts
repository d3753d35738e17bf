import { assert, assertEquals } from "@std/assert";
import { HELD_FILES, HeldFiles } from "./held_files.ts";

const MIB = 1024 * 1024;

Deno.test("files that wait are bounded by their number and their bytes, for a peer and for all", () => {
  const { ofPeer, ofAll } = HELD_FILES;
  const count = (hold: (n: number) => Disposable | undefined) => {
    let n = 0;
    while (hold(n) !== undefined) n++;
    return n;
  };
  const [small, large] = [new HeldFiles(), new HeldFiles()];
  assertEquals(count(() => small.hold("a", 1)), ofPeer.files);
  assertEquals(count((n) => small.hold(`peer ${n}`, 1)), ofAll.files - ofPeer.files);
  assertEquals(count(() => large.hold("a", MIB)), ofPeer.bytes / MIB);
  assertEquals(count((n) => large.hold(`peer ${n}`, MIB)), (ofAll.bytes - ofPeer.bytes) / MIB);
});

Deno.test("a file that waits no longer makes room, once", () => {
  const held = new HeldFiles();
  const files = Array.from({ length: HELD_FILES.ofPeer.files }, () => held.hold("a", 1));
  assertEquals(held.hold("a", 1), undefined);
  files[0]?.[Symbol.dispose]();
  files[0]?.[Symbol.dispose]();
  assert(held.hold("a", 1) !== undefined);
  assertEquals(held.hold("a", 1), undefined);
});
