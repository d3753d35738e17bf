import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { unpackTar } from "modern-tar";
import { StorageError } from "../../base/errors.ts";
import type { SourceFileSystem } from "../allowed_folders.ts";
import { denoFileSystem } from "../file_system.ts";
import { OutgoingFile } from "../outgoing_file.ts";
import { OwnData } from "../own_data.ts";
import { sha256 } from "../testing/inbox_fixture.ts";
import { TemporaryFolder } from "../testing/temporary_folder.ts";
import { readFully } from "../whole_file.ts";
import { ArchiveFile, inspectArchive, listAgain } from "./archive_file.ts";
import { listArchive, MAX_ARCHIVE_ENTRIES, MAX_NAME_CHARS, MAX_SKIPPED_NAMES } from "./listing.ts";

const CHUNK = 1000;
const OLD = 1_600_000_000;

async function codeOf(work: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(work, StorageError)).code;
}

/** Files by their paths inside the folder, all with an old time; a path that ends in `/` is a folder. */
async function makeTree(root: string, files: { readonly [path: string]: string }): Promise<void> {
  await Deno.mkdir(root, { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    await Deno.mkdir(`${root}/${folder}`, { recursive: true });
    if (path !== folder) await Deno.writeTextFile(`${root}/${path}`, text);
  }
  await makeOld(root);
}

async function makeOld(path: string): Promise<void> {
  if ((await Deno.lstat(path)).isSymlink) return;
  if ((await Deno.lstat(path)).isDirectory) {
    for await (const { name } of Deno.readDir(path)) await makeOld(`${path}/${name}`);
  }
  await Deno.utime(path, OLD, OLD);
}

const TREE = {
  "b/two.txt": "second ".repeat(300),
  "a.txt": "first",
  "empty": "",
  "b/c/": "",
  [`b/${"long ".repeat(25)}name`]: "long",
  "b/ünï.txt": "x".repeat(512),
};

async function makeDir(): Promise<TemporaryFolder> {
  const dir = await TemporaryFolder.make();
  await makeTree(dir.at("tree"), TREE);
  return dir;
}

const sourceOf = (dir: TemporaryFolder) => ({ name: "tree.tar", paths: [dir.at("tree")] });

async function bytesOf(dir: TemporaryFolder): Promise<Uint8Array<ArrayBuffer>> {
  const listing = await listArchive(denoFileSystem, sourceOf(dir));
  using file = new ArchiveFile(denoFileSystem, listing);
  const bytes = new Uint8Array(listing.size);
  assertEquals(await readFully(file, bytes), listing.size);
  assertEquals(await file.read(new Uint8Array(1)), null);
  return bytes;
}

Deno.test("a folder is read as an archive that other programs read, with the size that was listed", async () => {
  await using dir = await makeDir();
  const entries = await unpackTar(await bytesOf(dir), { strict: true });
  assertEquals(entries.map(({ header }) => header.name), [
    "tree/",
    "tree/a.txt",
    "tree/b/",
    "tree/b/c/",
    `tree/b/${"long ".repeat(25)}name`,
    "tree/b/two.txt",
    "tree/b/ünï.txt",
    "tree/empty",
  ]);
  for (const { header, data } of entries) {
    assertEquals(header.mtime?.getTime(), OLD * 1000);
    if (header.type !== "file") continue;
    const path = header.name.slice("tree/".length);
    assertEquals(
      new TextDecoder().decode(data),
      Object.entries(TREE).find(([p]) => p === path)?.[1],
    );
  }
});

Deno.test("GNU tar and Python unpack it, where they are installed", async (t) => {
  await using dir = await makeDir();
  await Deno.writeFile(dir.at("tree.tar"), await bytesOf(dir));
  const programs = [
    ["tar", "-xf", dir.at("tree.tar"), "-C"],
    ["bsdtar", "-xf", dir.at("tree.tar"), "-C"],
    ["python3", "-c", "import sys,tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])"]
      .concat(dir.at("tree.tar")),
  ];
  for (const [program = "", ...args] of programs) {
    await t.step({
      name: program,
      ignore: !await isInstalled(program),
      fn: () => unpacksTo(program, args),
    });
  }

  async function unpacksTo(program: string, args: readonly string[]): Promise<void> {
    const out = dir.at(`by-${program}`);
    await Deno.mkdir(out);
    const { success, stderr } = await new Deno.Command(program, { args: [...args, out] }).output();
    assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
    for (const [path, text] of Object.entries(TREE)) {
      if (path.endsWith("/")) continue;
      assertEquals(await Deno.readTextFile(`${out}/tree/${path}`), text);
      assertEquals((await Deno.lstat(`${out}/tree/${path}`)).mtime?.getTime(), OLD * 1000);
    }
    const compared = await new Deno.Command("diff", { args: ["-r", dir.at("tree"), `${out}/tree`] })
      .output();
    assertEquals(new TextDecoder().decode(compared.stdout), "");
  }
});

async function isInstalled(program: string): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args: ["--version"] }).output()).success;
  } catch {
    return false;
  }
}

Deno.test("the same folder gives the same bytes again, wherever it is read from", async () => {
  await using dir = await makeDir();
  const bytes = await bytesOf(dir);
  assertEquals(await bytesOf(dir), bytes);
  const listing = await listArchive(denoFileSystem, sourceOf(dir));
  using file = new ArchiveFile(denoFileSystem, listing);
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length), fc.nat(3000), async (from, length) => {
      await file.seek(from);
      const some = new Uint8Array(Math.min(length, bytes.length - from));
      assertEquals(await readFully(file, some), some.length);
      assertEquals(some, bytes.slice(from, from + length));
    }),
  );
});

Deno.test("it is sent in chunks as a file is, from any offset, with the hash of its bytes", async () => {
  await using dir = await makeDir();
  const bytes = await bytesOf(dir);
  const { size, mtimeMs } = await listArchive(denoFileSystem, sourceOf(dir));
  const told: number[] = [];
  const source = await inspectArchive(dir.fs, sourceOf(dir), { size, mtimeMs }, {
    onHashed: (count) => told.push(count),
  });
  assertEquals([source.status.size, source.hash, told.at(-1)], [size, sha256(bytes), size]);
  for (const from of [0, 3 * CHUNK]) {
    await using file = await OutgoingFile.open(dir.fs, source, CHUNK, from);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (let i = 0; i < file.totalChunks; i++) {
      parts.push((await file.readChunk(i)).slice());
      assertEquals(dir.fs.openFiles <= 1, true);
    }
    assertEquals(await new Blob(parts).bytes(), bytes.slice(from));
  }
  assertEquals(dir.fs.openFiles, 0);
});

Deno.test("what changes, goes or comes after it was listed ends the reading with SOURCE_CHANGED", async (t) => {
  const changes: { readonly [what: string]: (at: (path: string) => string) => Promise<void> } = {
    "a file grows": (at) => Deno.writeTextFile(at("b/two.txt"), "more", { append: true }),
    "a file is written over": (at) => Deno.writeTextFile(at("a.txt"), "FIRST"),
    "a file shrinks": (at) => Deno.truncate(at("b/two.txt"), 4),
    "a file goes": (at) => Deno.remove(at("b/two.txt")),
    "a file comes": (at) => Deno.writeTextFile(at("b/c/new"), "new"),
    "a folder goes": (at) => Deno.remove(at("b/c")),
    "a file becomes a link": async (at) => {
      await Deno.rename(at("b/two.txt"), at("../two.txt"));
      await Deno.symlink(at("../two.txt"), at("b/two.txt"));
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    await t.step(what, async () => {
      await using dir = await makeDir();
      const at = (path: string) => dir.at(`tree/${path}`);
      const known = await listArchive(denoFileSystem, sourceOf(dir));
      const source = await inspectArchive(denoFileSystem, sourceOf(dir), known);
      await using file = await OutgoingFile.open(denoFileSystem, source, CHUNK);
      await change(at);
      const code = await codeOf(async () => {
        for (let i = 0; i < file.totalChunks; i++) await file.readChunk(i);
      });
      assertEquals(code, "SOURCE_CHANGED");
      assertEquals(await codeOf(() => source.open(denoFileSystem)), "SOURCE_CHANGED");
      assertEquals(
        await codeOf(() => inspectArchive(denoFileSystem, sourceOf(dir), known)),
        "SOURCE_CHANGED",
      );
    });
  }
});

Deno.test("a file that becomes a link while it is opened is not followed", async () => {
  await using dir = await makeDir();
  await Deno.writeTextFile(dir.at("secret"), TREE["b/two.txt"]);
  await Deno.utime(dir.at("secret"), OLD, OLD);
  const path = dir.at("tree/b/two.txt");
  dir.fs.inject({
    on: "open",
    path: /two\.txt$/,
    action: {
      before: async () => {
        await Deno.remove(path);
        await Deno.symlink(dir.at("secret"), path);
      },
    },
  });
  const known = await listArchive(denoFileSystem, sourceOf(dir));
  assertEquals(await codeOf(() => inspectArchive(dir.fs, sourceOf(dir), known)), "SOURCE_CHANGED");
  assertEquals(dir.fs.openFiles, 0);
});

Deno.test("what is gone says so, and failures of the disk name the file", async () => {
  await using dir = await makeDir();
  const known = await listArchive(denoFileSystem, sourceOf(dir));
  dir.fs.inject({ on: "read", path: /a\.txt$/, action: { fail: "EIO" } });
  const error = await assertRejects(
    () => inspectArchive(dir.fs, sourceOf(dir), known),
    StorageError,
  );
  assertEquals([error.code, error.message.includes(dir.at("tree/a.txt"))], ["IO_FAILED", true]);
  await Deno.remove(dir.at("tree"), { recursive: true });
  assertEquals(await codeOf(() => listAgain(dir.fs, sourceOf(dir), known)), "SOURCE_GONE");
});

Deno.test("links, pipes and names that are no text are left out and told, up to a bound", async () => {
  await using dir = await makeDir();
  const root = dir.at("tree");
  await Deno.symlink("a.txt", `${root}/to-file`);
  await Deno.symlink("b", `${root}/b/to-folder`);
  await new Deno.Command("mkfifo", { args: [`${root}/pipe`] }).output();
  for (let i = 0; i < MAX_SKIPPED_NAMES; i++) await Deno.symlink("x", `${root}/z${i}`);
  const { skipped, entries } = await listArchive(denoFileSystem, sourceOf(dir));
  assertEquals(skipped.count, MAX_SKIPPED_NAMES + 3);
  assertEquals(skipped.names.slice(0, 3), [
    "tree/b/to-folder (symbolic link)",
    "tree/pipe (pipe, socket or device)",
    "tree/to-file (symbolic link)",
  ]);
  assertEquals([skipped.names.length, entries.length], [MAX_SKIPPED_NAMES, 8]);
});

Deno.test("several names become one archive; what they end in must differ", async () => {
  await using dir = await makeDir();
  await makeTree(dir.at("other"), { "tree": "a file", "x": "" });
  const paths = [dir.at("other/tree"), dir.at("tree/a.txt"), dir.at("tree/b")];
  const { entries } = await listArchive(denoFileSystem, { paths });
  assertEquals(entries.filter(({ folder }) => typeof folder === "string").map((e) => e.name), [
    "tree",
    "a.txt",
    "b",
  ]);
  const twice = [dir.at("other/tree"), dir.at("tree")];
  assertEquals(
    await codeOf(() => listArchive(denoFileSystem, { paths: twice })),
    "SOURCE_UNUSABLE",
  );
  await Deno.symlink(dir.at("tree"), dir.at("link"));
  for (const path of [dir.at("link"), "/dev/null", "/"]) {
    assertEquals(
      await codeOf(() => listArchive(denoFileSystem, { paths: [path] })),
      "SOURCE_UNUSABLE",
    );
  }
});

Deno.test("more than the bounds are refused, and a listing ends with its signal", async () => {
  await using dir = await makeDir();
  const most = (maxEntries: number) => listArchive(denoFileSystem, sourceOf(dir), { maxEntries });
  assertEquals((await most(8)).entries.length, 8);
  assertEquals(await codeOf(() => most(7)), "SOURCE_TOO_LARGE");
  let deep = dir.at("deep");
  for (let i = 0; i <= 100; i++) deep += "/d";
  await Deno.mkdir(deep, { recursive: true });
  const paths = [dir.at("deep")];
  assertEquals(await codeOf(() => listArchive(denoFileSystem, { paths })), "SOURCE_TOO_LARGE");
  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(
    () => listArchive(denoFileSystem, sourceOf(dir), { signal }),
    Error,
    "enough",
  );
});

Deno.test("the daemon's own data is refused by any name, and left out of a folder around it", async () => {
  await using dir = await TemporaryFolder.make();
  const id = "0".repeat(32);
  await makeTree(dir.at("home"), {
    "data/identity.key": "secret",
    "data/pins/trust.json": "{}",
    "data/inbox/photo.jpg": "mine",
    [`data/inbox/.${id}.part`]: "half",
    [`data/inbox/.${id}.unpack/x`]: "half",
    "own.txt": "mine",
  });
  const home = dir.at("home");
  await Deno.link(`${home}/data/identity.key`, `${home}/harmless.txt`);
  await Deno.link(`${home}/own.txt`, `${home}/again.txt`);
  await Deno.symlink(`${home}/data`, dir.at("link"));
  const own = new OwnData(denoFileSystem, {
    dataFolder: `${home}/data`,
    inbox: `${home}/data/inbox`,
  });
  const refused = [
    `${home}/data`,
    `${home}/data/identity.key`,
    `${home}/data/pins`,
    `${home}/data/pins/trust.json`,
    `${home}/harmless.txt`,
    `${home}/data/inbox/.${id}.unpack`,
    `${home}/data/inbox/.${id}.unpack/x`,
    `${home}/data/inbox/.${id}.part`,
    dir.at("link/identity.key"),
    dir.at("link/pins"),
  ];
  for (const path of refused) {
    assertEquals([path, await codeOf(() => own.refuse(path))], [path, "SOURCE_OWN"]);
    assertEquals(
      await codeOf(() => listArchive(denoFileSystem, { paths: [path] }, { own })),
      "SOURCE_OWN",
    );
  }
  for (const path of ["data/inbox", "data/inbox/photo.jpg", "own.txt", "again.txt", ""]) {
    await own.refuse(`${home}/${path}`);
  }
  const around = await listArchive(denoFileSystem, { paths: [home] }, { own });
  assertEquals(around.entries.map(({ name }) => name), ["home", "again.txt", "own.txt"]);
  assertEquals(around.skipped.names, [
    "home/data (the daemon's own data)",
    "home/harmless.txt (the daemon's own data)",
  ]);
  const inbox = await listArchive(denoFileSystem, { paths: [`${home}/data/inbox`] }, { own });
  assertEquals(inbox.entries.map(({ name }) => name), ["inbox", "photo.jpg"]);
  assertEquals(inbox.skipped.count, 2);
});

/** A folder `/d` of so many files, in memory. */
function folderOf(count: number, nameOf: (i: number) => string): SourceFileSystem {
  const about = { mtimeMs: 1, mode: 0o644, uid: 0, dev: 1, links: 1, size: 10 };
  return {
    lstat: (path) =>
      Promise.resolve(
        path === "/d"
          ? { ...about, kind: "folder" as const, ino: 1 }
          : { ...about, kind: "file" as const, ino: 2 },
      ),
    names: async function* () {
      for (let i = 0; i < count; i++) yield await nameOf(i);
    },
    open: () => Promise.reject(new Error("nothing is read")),
  };
}

Deno.test("entries and names of an archive are bounded, as are the bytes of it", async () => {
  const paths = ["/d"];
  const name = (i: number) => String(i);
  const most = await listArchive(folderOf(MAX_ARCHIVE_ENTRIES - 1, name), { paths });
  assertEquals(most.entries.length, MAX_ARCHIVE_ENTRIES);
  const long = (i: number) => `${i}`.padStart(255, "x");
  for (
    const fs of [
      folderOf(MAX_ARCHIVE_ENTRIES, name),
      folderOf(Math.ceil(MAX_NAME_CHARS / 255), long),
    ]
  ) assertEquals(await codeOf(() => listArchive(fs, { paths })), "SOURCE_TOO_LARGE");
  const few = folderOf(10, name);
  const lstat = async (path: string) => ({ ...await few.lstat(path), size: 2 * 1024 ** 3 });
  assertEquals(await codeOf(() => listArchive({ ...few, lstat }, { paths })), "SOURCE_TOO_LARGE");
});
