import { assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { StorageError } from "../base/errors.ts";
import { removeLeftovers, writeAtomically } from "./atomic_write.ts";
import { KnownFolder } from "./known_folder.ts";
import { denoFileSystem } from "./file_system.ts";
import { CrashError, FaultyFileSystem } from "./testing/faulty_file_system.ts";
import { namesIn, TemporaryFolder } from "./testing/temporary_folder.ts";

/** Windows has no modes and, for most users, no links. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const bytes = (text: string) => new TextEncoder().encode(text);

/** Writes the file f. */
const write = async (dir: TemporaryFolder, text: string) =>
  await writeAtomically(dir.fs, await KnownFolder.open(denoFileSystem, dir.path), "f", bytes(text));

test("an atomic write syncs the file before the rename and the folder after it", async () => {
  await using dir = await TemporaryFolder.make();
  await write(dir, "new");
  const order = dir.fs.calls.map((call) => call.split(" ")[0]);
  assertEquals(order, ["open", "write", "sync", "status", "rename", "syncFolder"]);
  assertEquals(await Deno.readTextFile(dir.at("f")), "new");
  assertEquals(((await Deno.stat(dir.at("f"))).mode ?? 0) & 0o777, 0o600);
});

Deno.test("an atomic write goes on after short writes", async () => {
  await using dir = await TemporaryFolder.make();
  dir.fs.inject({ on: "write", action: { shortWrite: 1 } });
  await write(dir, "one byte at a time");
  assertEquals(await Deno.readTextFile(dir.at("f")), "one byte at a time");
});

Deno.test("a write that takes nothing is an error, not an endless loop", async () => {
  await using dir = await TemporaryFolder.make();
  dir.fs.inject({ on: "write", action: { shortWrite: 0 } });
  const error = await assertRejects(
    () => write(dir, "x"),
    StorageError,
  );
  assertEquals(error.code, "IO_FAILED");
});

for (
  const [errno, code] of [
    ["ENOSPC", "DISK_FULL"],
    ["EACCES", "ACCESS_DENIED"],
    ["EROFS", "ACCESS_DENIED"],
    ["EIO", "IO_FAILED"],
  ] as const
) {
  for (const on of ["open", "write", "sync", "rename"] as const) {
    Deno.test(`${errno} in ${on} leaves the old content, no temporary file, and says ${code}`, async () => {
      await using dir = await TemporaryFolder.make();
      await Deno.writeTextFile(dir.at("f"), "old");
      dir.fs.inject({ on, action: { fail: errno } });
      const error = await assertRejects(
        () => write(dir, "new"),
        StorageError,
      );
      assertEquals(error.code, code);
      assertStringIncludes(error.message, dir.at("f"));
      assertEquals(await Deno.readTextFile(dir.at("f")), "old");
      assertEquals(await namesIn(dir.path), ["f"]);
    });
  }
}

for (const crash of ["process", "power"] as const) {
  Deno.test(`a ${crash} crash at each call leaves the old or the new content, and a leftover that is cleaned`, async () => {
    const seen = new Set<string>();
    for (let skip = 0;; skip++) {
      assertLess(skip, 20);
      await using dir = await TemporaryFolder.make();
      await Deno.writeTextFile(dir.at("f"), "old");
      await Deno.writeTextFile(dir.at(".other.0123456789abcdef.tmp"), "someone else's");
      const fs = new FaultyFileSystem(denoFileSystem);
      const folder = await KnownFolder.open(fs, dir.path);
      fs.inject({ skip, action: { crash } });
      const died = await writeAtomically(fs, folder, "f", bytes("new"))
        .then(() => false, (error) => error.cause instanceof CrashError);
      const content = await Deno.readTextFile(dir.at("f"));
      seen.add(content);
      assertEquals(content === "old" || content === "new", true, content);
      await removeLeftovers(denoFileSystem, dir.path, new Set(["f"]));
      assertEquals(await namesIn(dir.path), [".other.0123456789abcdef.tmp", "f"]);
      if (!died) break;
    }
    assertEquals([...seen].sort(), ["new", "old"]);
  });
}

Deno.test("a power cut loses what was not synced: the fault layer would show a missing fsync", async () => {
  await using dir = await TemporaryFolder.make();
  {
    using file = await dir.fs.open(dir.at("a"), "create");
    await file.write(bytes("lost"));
  }
  await dir.fs.rename(dir.at("a"), dir.at("b"));
  dir.fs.inject({ action: { crash: "power" } });
  await assertRejects(() => dir.fs.lstat(dir.at("b")), CrashError);
  assertEquals(await Deno.readTextFile(dir.at("b")), "");
});
