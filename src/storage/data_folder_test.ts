import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { StorageError } from "../base/errors.ts";
import { DataFolder } from "./data_folder.ts";
import { denoFileSystem, type FileSystem } from "./file_system.ts";
import { namesIn, TemporaryFolder } from "./testing/temporary_folder.ts";

/** Windows has no modes and, for most users, no links. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const modeOf = async (path: string) => ((await Deno.stat(path)).mode ?? 0) & 0o777;

test("a data folder is made with mode 0700, its pins too", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  assertEquals(await modeOf(folder.path), 0o700);
  assertEquals(await modeOf(folder.pinsPath), 0o700);
  assertEquals(await modeOf(dir.at("data/lock")), 0o600);
  assertEquals(await namesIn(folder.path), ["lock", "pins"]);
});

for (const name of ["data", "data/pins"]) {
  test(`${name} that others may enter is refused, with the chmod to run, and left alone`, async () => {
    await using dir = await TemporaryFolder.make();
    (await dir.dataFolder())[Symbol.dispose]();
    await Deno.chmod(dir.at(name), 0o750);
    const error = await assertRejects(() => dir.dataFolder(), StorageError);
    assertEquals(error.code, "MODE_TOO_OPEN");
    assertStringIncludes(error.message, `chmod 700 ${dir.at(name)}`);
    assertEquals(await modeOf(dir.at(name)), 0o750);
    await Deno.chmod(dir.at(name), 0o700);
    (await dir.dataFolder())[Symbol.dispose]();
  });
}

test("a data folder that is a symbolic link, or a file, is refused", async () => {
  await using dir = await TemporaryFolder.make();
  await Deno.mkdir(dir.at("real"), { mode: 0o700 });
  await Deno.symlink(dir.at("real"), dir.at("data"));
  const linked = await assertRejects(() => dir.dataFolder(), StorageError, "symbolic link");
  assertEquals(linked.code, "FOLDER_INVALID");
  const slashed = () => DataFolder.open(denoFileSystem, { path: dir.at("data/") });
  assertEquals((await assertRejects(slashed, StorageError)).code, "FOLDER_INVALID");
  assertEquals(await namesIn(dir.at("real")), []);
  await Deno.remove(dir.at("data"));
  await Deno.writeTextFile(dir.at("data"), "");
  assertEquals((await assertRejects(() => dir.dataFolder(), StorageError)).code, "FOLDER_INVALID");
});

Deno.test("a data folder of another user is refused, with the chown to run", async () => {
  await using dir = await TemporaryFolder.make();
  (await dir.dataFolder())[Symbol.dispose]();
  const foreign: FileSystem = {
    ...denoFileSystem,
    lstat: async (path) => ({ ...await denoFileSystem.lstat(path), uid: 4711 }),
  };
  const error = await assertRejects(() => dir.dataFolder(foreign), StorageError);
  assertEquals(error.code, "OWNER_FOREIGN");
  assertMatch(error.message, /belongs to user 4711.*chown \d+ /);
});

Deno.test("a folder that can't be written is refused with advice", async () => {
  await using dir = await TemporaryFolder.make();
  (await dir.dataFolder())[Symbol.dispose]();
  dir.fs.inject({ on: "open", action: { fail: "EACCES" } });
  const error = await assertRejects(() => dir.dataFolder(dir.fs), StorageError);
  assertEquals(error.code, "ACCESS_DENIED");
  assertStringIncludes(error.message, dir.at("data"));
});

Deno.test("the second daemon on a folder is told who holds it, and gets it when that one is gone", async () => {
  await using dir = await TemporaryFolder.make();
  {
    using _first = await DataFolder.open(denoFileSystem, { path: dir.at("data"), pid: 4711471147 });
    const error = await assertRejects(() => dir.dataFolder(), StorageError);
    assertEquals(error.code, "FOLDER_LOCKED");
    assertStringIncludes(error.message, "process 4711471147");
    assertStringIncludes(error.message, "--data-dir");
  }
  using second = await dir.dataFolder();
  assert(second.path);
  assertEquals(await Deno.readTextFile(dir.at("data/lock")), `${Deno.pid}\n`);
});

test("a lock file that is a symbolic link is refused and its target untouched", async () => {
  await using dir = await TemporaryFolder.make();
  (await dir.dataFolder())[Symbol.dispose]();
  await Deno.remove(dir.at("data/lock"));
  await Deno.writeTextFile(dir.at("victim"), "precious");
  await Deno.symlink(dir.at("victim"), dir.at("data/lock"));
  assertEquals((await assertRejects(() => dir.dataFolder(), StorageError)).code, "FOLDER_INVALID");
  assertEquals(await Deno.readTextFile(dir.at("victim")), "precious");
});

Deno.test("a lock file with nonsense in it still locks, and the holder is called another process", async () => {
  await using dir = await TemporaryFolder.make();
  using _first = await dir.dataFolder();
  await Deno.writeTextFile(dir.at("data/lock"), "\u001b[31m not a number");
  const error = await assertRejects(() => dir.dataFolder(), StorageError);
  assertStringIncludes(error.message, "another process");
});

Deno.test("opening a data folder removes what killed writes left, and nothing else", async () => {
  await using dir = await TemporaryFolder.make();
  (await dir.dataFolder())[Symbol.dispose]();
  const suffix = "0123456789abcdef.tmp";
  const ours = [`identity.key`, "journal.ndjson", "owner", "pins/trust.json", "pins/peers.json"];
  for (const name of ours) {
    const [base = "", folder] = name.split("/").reverse();
    await Deno.writeTextFile(dir.at(`data/${folder ? folder + "/" : ""}.${base}.${suffix}`), "x");
  }
  await Deno.writeTextFile(dir.at("data/.notes.tmp"), "the user's");
  await Deno.writeTextFile(dir.at(`data/.notes.${suffix}`), "the user's");
  using folder = await dir.dataFolder();
  assertEquals(folder.leftoversRemoved, 5);
  assertEquals(await namesIn(folder.path), [`.notes.${suffix}`, ".notes.tmp", "lock", "pins"]);
  assertEquals(await namesIn(folder.pinsPath), []);
});

Deno.test("a second daemon removes nothing of the running one", async () => {
  await using dir = await TemporaryFolder.make();
  using _first = await dir.dataFolder();
  const running = dir.at("data/.identity.key.0123456789abcdef.tmp");
  await Deno.writeTextFile(running, "being written");
  await assertRejects(() => dir.dataFolder(), StorageError);
  assertEquals(await Deno.readTextFile(running), "being written");
});
