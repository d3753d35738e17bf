import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { StorageError } from "../base/errors.ts";
import { unlessMissing } from "../base/system_error.ts";
import { ApiFile } from "./api_file.ts";
import { TemporaryFolder } from "./testing/temporary_folder.ts";

const FILE = "data/api.json";
const bytes = (text: string) => new TextEncoder().encode(text);
const isThere = async (path: string) => await unlessMissing(Deno.lstat(path)) !== undefined;

Deno.test({
  name: "the file is private and whole, and goes at the end",
  ignore: Deno.build.os === "windows", // it has no modes
  fn: async () => {
    await using dir = await TemporaryFolder.make();
    using folder = await dir.dataFolder();
    const file = await ApiFile.open(dir.fs, folder);
    {
      await using _written = await file.write(bytes("one"));
      assertEquals(await Deno.readTextFile(dir.at(FILE)), "one");
      assertEquals(((await Deno.lstat(dir.at(FILE))).mode ?? 0) & 0o777, 0o600);
    }
    assert(!await isThere(dir.at(FILE)));
    for await (const { name } of Deno.readDir(dir.at("data"))) assert(!name.endsWith(".tmp"), name);
  },
});

Deno.test("what a killed daemon has left is removed at the start, whatever is in it and who may read it", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  await Deno.writeTextFile(dir.at(FILE), "junk", { mode: 0o644 });
  await ApiFile.open(dir.fs, folder);
  assert(!await isThere(dir.at(FILE)));
});

Deno.test({
  name: "a link or a folder under its name is refused, and neither followed nor removed",
  ignore: Deno.build.os === "windows", // links need a right there that most users do not have
  fn: async () => {
    await using dir = await TemporaryFolder.make();
    using folder = await dir.dataFolder();
    await Deno.writeTextFile(dir.at("precious"), "precious");
    await Deno.symlink(dir.at("precious"), dir.at(FILE));
    const link = await assertRejects(() => ApiFile.open(dir.fs, folder), StorageError);
    assertEquals(link.code, "FOLDER_INVALID");
    assertStringIncludes(link.message, "is not a regular file: remove it");
    assertEquals(await Deno.readTextFile(dir.at("precious")), "precious");
    await Deno.remove(dir.at(FILE));
    await Deno.mkdir(dir.at(FILE));
    await assertRejects(() => ApiFile.open(dir.fs, folder), StorageError, "not a regular file");
  },
});

Deno.test({
  name:
    "a link that is put there while the daemon runs is replaced, not followed, by the next write",
  ignore: Deno.build.os === "windows", // as above
  fn: async () => {
    await using dir = await TemporaryFolder.make();
    using folder = await dir.dataFolder();
    const file = await ApiFile.open(dir.fs, folder);
    await Deno.writeTextFile(dir.at("precious"), "precious");
    await Deno.symlink(dir.at("precious"), dir.at(FILE));
    await using _written = await file.write(bytes("one"));
    assertEquals(await Deno.readTextFile(dir.at("precious")), "precious");
    assertEquals((await Deno.lstat(dir.at(FILE))).isFile, true);
  },
});

Deno.test("another file that has its name at the end is left there", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const file = await ApiFile.open(dir.fs, folder);
  const written = await file.write(bytes("ours"));
  await Deno.writeTextFile(dir.at("theirs"), "theirs");
  await Deno.rename(dir.at("theirs"), dir.at(FILE));
  await written[Symbol.asyncDispose]();
  assertEquals(await Deno.readTextFile(dir.at(FILE)), "theirs");
});
