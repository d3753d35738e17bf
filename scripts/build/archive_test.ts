import { assertEquals, assertThrows } from "@std/assert";
import { unpackTar } from "modern-tar";
import { unzipSync } from "fflate";
import { type ArchiveFile, archiveTime, tarGz, zip } from "./archive.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const FILES: readonly ArchiveFile[] = [
  { path: "b/program", content: bytes("run"), executable: true },
  { path: "a", content: bytes("") },
];

Deno.test("a tar.gz holds its files in the order given, with fixed owner, modes and time", async () => {
  const archive = await tarGz(FILES, new Date(1_700_000_000_000));
  const tar = new Blob([archive]).stream().pipeThrough(new DecompressionStream("gzip"));
  const seen = (await unpackTar(tar)).map(({ header: h, data }) => [
    [h.name, h.mode, h.uid, h.gid, h.uname, h.gname, h.mtime?.getTime()],
    new TextDecoder().decode(data),
  ]);
  assertEquals(seen, [
    [["b/program", 0o755, 0, 0, "", "", 1_700_000_000_000], "run"],
    [["a", 0o644, 0, 0, "", "", 1_700_000_000_000], ""],
  ]);
});

Deno.test("the gzip header carries no name and no time", async () => {
  const header = (await tarGz(FILES, new Date())).subarray(0, 8);
  // RFC 1952, section 2.3: magic, method, flags, and four bytes of time.
  assertEquals([...header], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
});

Deno.test("a zip's times are UTC's numbers, whatever zone the build runs in", () => {
  const archive = zip(FILES, new Date(Date.UTC(2001, 1, 3, 4, 5, 6)));
  // A local file header has its DOS time and date at byte 10 (APPNOTE, section 4.3.7).
  const view = new DataView(archive.buffer);
  assertEquals(view.getUint16(10, true), (4 << 11) | (5 << 5) | (6 / 2));
  assertEquals(view.getUint16(12, true), ((2001 - 1980) << 9) | (2 << 5) | 3);
  assertEquals(Object.keys(unzipSync(archive)), ["b/program", "a"]);
});

Deno.test("SOURCE_DATE_EPOCH sets the time, within what a zip can hold; nonsense is refused", () => {
  assertEquals(archiveTime("1700000000").toISOString(), "2023-11-14T22:13:20.000Z");
  assertEquals(archiveTime("0").toISOString(), "1980-01-01T00:00:00.000Z");
  assertEquals(archiveTime(undefined), archiveTime("0"));
  for (const nonsense of ["", "-1", "1.5", "now", "999999999999"]) {
    assertThrows(() => archiveTime(nonsense), Error, "SOURCE_DATE_EPOCH takes seconds");
  }
});
