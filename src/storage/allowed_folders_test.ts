import { assertEquals, assertRejects } from "@std/assert";
import { StorageError } from "../base/errors.ts";
import { listArchive } from "./archive/listing.ts";
import { AllowedFolders } from "./allowed_folders.ts";
import { denoFileSystem } from "./file_system.ts";
import { FaultyFileSystem } from "./testing/faulty_file_system.ts";
import { TemporaryFolder } from "./testing/temporary_folder.ts";

const OUTSIDE = "none of the folders that --allow-send-from names";

/** A folder with `out/in.txt`, `out/deep/in.txt` and `other/secret`. */
async function fixture(): Promise<TemporaryFolder> {
  const folder = await TemporaryFolder.make();
  for (const name of ["out/deep", "outer", "other"]) {
    await Deno.mkdir(folder.at(name), { recursive: true });
  }
  for (const file of ["out/in.txt", "out/deep/in.txt", "outer/in.txt", "other/secret"]) {
    await Deno.writeTextFile(folder.at(file), file);
  }
  return folder;
}

/** Has `out/deep` become a link to `other` just before the first file is opened. */
async function linkWhenOpened(fs: FaultyFileSystem, folder: TemporaryFolder): Promise<void> {
  await Deno.writeTextFile(folder.at("out/deep/secret"), "in its place");
  fs.inject({
    on: "open",
    times: 1,
    action: {
      before: async () => {
        await Deno.rename(folder.at("out/deep"), folder.at("out/kept"));
        await Deno.symlink(folder.at("other"), folder.at("out/deep"));
      },
    },
  });
}

const refused = (work: () => Promise<unknown>, sentence: string) =>
  assertRejects(work, StorageError, sentence);

Deno.test("what is in an allowed folder is read, and nothing beside it", async () => {
  await using folder = await fixture();
  const { files } = new AllowedFolders(denoFileSystem, [
    folder.at("missing"),
    folder.at("out"),
  ], "--allow-send-from");
  for (const name of ["out/in.txt", "out/deep/in.txt", "out/deep/../in.txt"]) {
    const path = folder.at(name);
    assertEquals((await files.lstat(path)).kind, "file");
    using file = await files.open(path, "read");
    assertEquals((await file.status()).kind, "file");
  }
  for (const name of ["outer/in.txt", "other/secret", "out/../other/secret"]) {
    await refused(() => files.lstat(folder.at(name)), OUTSIDE);
    await refused(() => files.open(folder.at(name), "read"), OUTSIDE);
  }
});

Deno.test("an allowed folder may be a link, and links in it lead nowhere else", async () => {
  await using folder = await fixture();
  await Deno.symlink(folder.at("out"), folder.at("link"));
  await Deno.symlink(folder.at("other"), folder.at("out/away"));
  const { files } = new AllowedFolders(denoFileSystem, [folder.at("link")], "--allow-send-from");
  assertEquals((await files.lstat(folder.at("link/in.txt"))).kind, "file");
  assertEquals((await files.lstat(folder.at("out/in.txt"))).kind, "file");
  await refused(() => files.open(folder.at("out/away/secret"), "read"), OUTSIDE);
});

Deno.test("a folder that becomes a link while a file in it is opened is noticed, and the file closed", async () => {
  await using folder = await fixture();
  const fs = new FaultyFileSystem(denoFileSystem);
  const { files } = new AllowedFolders(fs, [folder.at("out")], "--allow-send-from");
  await linkWhenOpened(fs, folder);
  await refused(() => files.open(folder.at("out/deep/secret"), "read"), OUTSIDE);
  assertEquals(fs.openFiles, 0);
});

Deno.test("a folder that was a link while a file was opened, and none before and after, is noticed", async () => {
  await using folder = await fixture();
  const fs = new FaultyFileSystem(denoFileSystem);
  const { files } = new AllowedFolders(fs, [folder.at("out")], "--allow-send-from");
  await linkWhenOpened(fs, folder);
  fs.inject({
    on: "status",
    times: 1,
    action: {
      before: async () => {
        await Deno.remove(folder.at("out/deep"));
        await Deno.rename(folder.at("out/kept"), folder.at("out/deep"));
      },
    },
  });
  await refused(() => files.open(folder.at("out/deep/secret"), "read"), "changed while");
  assertEquals(fs.openFiles, 0);
});

Deno.test("a folder in an allowed one is listed; links in it are left out, wherever they lead, and none is listed that leads out", async () => {
  await using folder = await fixture();
  await Deno.symlink(folder.at("other"), folder.at("out/away"));
  await Deno.symlink(folder.at("nowhere"), folder.at("out/dangling"));
  const { files } = new AllowedFolders(denoFileSystem, [folder.at("out")], "--allow-send-from");
  for (const name of ["out", "out/deep"]) {
    const { entries } = await listArchive(files, { paths: [folder.at(name)] });
    assertEquals(entries.map(({ name }) => name).at(-1), "in.txt");
  }
  const { skipped } = await listArchive(files, { paths: [folder.at("out")] });
  assertEquals(skipped.names, ["out/away (symbolic link)", "out/dangling (symbolic link)"]);
  for (const name of ["other", "outer", "out/away/x"]) {
    await refused(() => listArchive(files, { paths: [folder.at(name)] }), "");
    await refused(
      () => Array.fromAsync(files.names(folder.at(name === "outer" ? name : "other"))),
      OUTSIDE,
    );
  }
});
