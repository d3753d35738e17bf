import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { packTar } from "modern-tar";
import { StorageError } from "../../base/errors.ts";
import { denoFileSystem } from "../file_system.ts";
import {
  archiveOf,
  entryBytes,
  inputOf,
  paxBytes,
  paxRecord,
  treeOf,
} from "../testing/tar_blocks.ts";
import { namesIn, TemporaryFolder } from "../testing/temporary_folder.ts";
import { ArchiveFile } from "./archive_file.ts";
import { listArchive, MAX_ARCHIVE_ENTRIES } from "./listing.ts";
import { headerOf } from "./tar_header.ts";
import { TarReader } from "./tar_reader.ts";
import { type Unpacked, unpackTar } from "./unpack.ts";

/** Unpacks into the folder `out`. */
function unpack(
  dir: TemporaryFolder,
  bytes: Uint8Array,
  rest: { readonly maxEntries?: number; readonly size?: number; readonly atOnce?: number } = {},
): Promise<Unpacked> {
  const { atOnce, ...options } = rest;
  return unpackTar(dir.fs, {
    input: inputOf(bytes, atOnce),
    size: bytes.length,
    into: dir.at("out"),
    ...options,
  });
}

/** The sentence with which an archive is refused. */
async function refusal(
  bytes: Uint8Array,
  rest: Parameters<typeof unpack>[2] = {},
): Promise<string> {
  await using dir = await TemporaryFolder.make();
  const error = await assertRejects(() => unpack(dir, bytes, rest), StorageError);
  assertEquals([error.code, dir.fs.openFiles], ["ARCHIVE_REFUSED", 0], error.message);
  return error.message;
}

/** What unpacking made, without times and modes. */
async function madeOf(bytes: Uint8Array): Promise<Record<string, string>> {
  await using dir = await TemporaryFolder.make();
  await unpack(dir, bytes);
  const tree = await treeOf(dir.at("out"));
  return Object.fromEntries(
    Object.entries(tree).map(([path, about]) => [path, about.replace(/ [0-7]+ [\d.-]+/, "")]),
  );
}

const NAME = fc.string({ unit: fc.constantFrom(..."ab.-_ é漢🙂"), minLength: 1, maxLength: 80 })
  .filter((name) => /^[ab.é漢🙂](.*[abé漢🙂])?$/u.test(name) && !/^\.|--| {2}/.test(name))
  .map((name) => name.normalize("NFC"));

interface Tree {
  readonly [name: string]: string | Tree;
}

const TREE: fc.Memo<Tree> = fc.memo((depth) =>
  fc.dictionary(
    NAME,
    depth <= 1 ? fc.string() : fc.oneof(fc.string(), TREE(depth - 1)),
    { maxKeys: 4, noNullPrototype: true },
  )
);

async function makeTree(path: string, tree: Tree, seed: number): Promise<void> {
  await Deno.mkdir(path);
  for (const [name, what] of Object.entries(tree)) {
    const at = `${path}/${name}`;
    if (typeof what !== "string") await makeTree(at, what, seed * 7 + 1);
    else {
      await Deno.writeTextFile(at, what);
      await Deno.chmod(at, seed % 2 === 0 ? 0o600 : 0o755);
      await Deno.utime(at, seed % 1e9, seed % 1e9);
    }
  }
  await Deno.chmod(path, seed % 3 === 0 ? 0o700 : 0o755);
  await Deno.utime(path, seed % 1e8, seed % 1e8);
}

Deno.test("whatever tree is sent, the same tree is unpacked, with modes and times", async () => {
  await fc.assert(
    fc.asyncProperty(
      TREE(3),
      fc.nat(),
      fc.integer({ min: 1, max: 3000 }),
      async (tree, seed, atOnce) => {
        await using dir = await TemporaryFolder.make();
        await makeTree(dir.at("tree"), tree, seed);
        const listing = await listArchive(denoFileSystem, { paths: [dir.at("tree")] });
        using input = new ArchiveFile(denoFileSystem, listing);
        const slow = { read: (into: Uint8Array) => input.read(into.subarray(0, atOnce)) };
        const { size } = listing;
        const unpacked = await unpackTar(dir.fs, { input: slow, size, into: dir.at("out") });
        assertEquals([unpacked.renamed, unpacked.onlyFolder], [0, "tree"]);
        assertEquals(unpacked.entries, listing.entries.length);
        assertEquals(await treeOf(dir.at("out/tree")), await treeOf(dir.at("tree")));
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("whatever an entry is, its header is read as it was written", async () => {
  const path = fc.array(
    fc.string({ unit: "binary", minLength: 1 }).filter((s) => !/[/\0]/.test(s)),
    {
      minLength: 1,
      maxLength: 30,
    },
  ).map((names) => names.join("/"));
  await fc.assert(
    fc.asyncProperty(
      path,
      fc.boolean(),
      fc.oneof(fc.nat(1000), fc.constant(8 ** 11 - 1), fc.constant(8 ** 11), fc.constant(2 ** 40)),
      fc.oneof(fc.nat(), fc.constant(8 ** 11), fc.integer({ max: -1 })),
      fc.nat(0o777),
      async (path, isFolder, size, mtimeSecs, mode) => {
        const header = headerOf({ path, isFolder, size: isFolder ? 0 : size, mtimeSecs, mode });
        assertEquals(header.length % 512, 0);
        const reader = new TarReader(inputOf(header), header.length + size);
        assertEquals(await reader.next(), {
          kind: isFolder ? "folder" : "file",
          path: isFolder ? `${path}/` : path,
          size: isFolder ? 0 : size,
          mode,
          mtimeSecs: mtimeSecs < 0 ? undefined : mtimeSecs,
        });
      },
    ),
  );
});

Deno.test("archives of other programs are unpacked, in each of their formats", async (t) => {
  await using dir = await TemporaryFolder.make();
  const long = "long ".repeat(30).trim();
  await Deno.mkdir(dir.at(`tree/${long}`), { recursive: true });
  await Deno.writeTextFile(dir.at(`tree/${long}/${long}`), "far down");
  await Deno.writeTextFile(dir.at("tree/ünï"), "text");
  const python = (format: string) => [
    "python3",
    "-c",
    `import sys,tarfile
with tarfile.open(sys.argv[1], "w", format=tarfile.${format}) as t: t.add(sys.argv[2], "tree")`,
    dir.at("a.tar"),
    dir.at("tree"),
  ];
  const gnu = (
    format: string,
  ) => ["tar", "-C", dir.path, `--format=${format}`, "-cf", dir.at("a.tar"), "tree"];
  const commands = [
    gnu("gnu"),
    gnu("posix"),
    gnu("oldgnu"),
    python("GNU_FORMAT"),
    python("PAX_FORMAT"),
  ];
  for (const [program = "", ...args] of commands) {
    let isInstalled = true;
    try {
      const { success, stderr } = await new Deno.Command(program, { args }).output();
      assert(success, new TextDecoder().decode(stderr));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      isInstalled = false;
    }
    await t.step({
      name: args.join(" ").slice(0, 60),
      ignore: !isInstalled,
      fn: async () => {
        assertEquals(await madeOf(await Deno.readFile(dir.at("a.tar"))), {
          "/tree": "folder",
          "/tree/ünï": "file text",
          [`/tree/${long}`]: "folder",
          [`/tree/${long}/${long}`]: "file far down",
        });
      },
    });
  }
  const packed = await packTar([
    { header: { name: "./", size: 0, type: "directory" } },
    { header: { name: "./a//b/./c", size: 1 }, body: "c" },
  ]);
  assertEquals(await madeOf(packed), { "/a": "folder", "/a/b": "folder", "/a/b/c": "file c" });
});

Deno.test("paths that lead out, and what an honest archive has not, refuse the whole", async (t) => {
  const file = { name: "a", content: "text" };
  const typed = (type: string, content = "") => ({ name: "a", content, fields: { type } });
  const cases: { readonly [what: string]: readonly [archive: Uint8Array, why: string] } = {
    "..": [archiveOf({ name: "a/../../b" }), "leads out"],
    ".. as a whole": [archiveOf({ name: ".." }), "leads out"],
    ".. in a pax path": [archiveOf(paxBytes(paxRecord("path", "../b")), file), "leads out"],
    "an absolute path": [archiveOf({ name: "/etc/passwd" }), "begins with /"],
    "an absolute GNU name": [
      archiveOf({ ...typed("L", "/etc/x\0"), name: "l" }, file),
      "begins with /",
    ],
    "a NUL in a pax path": [archiveOf(paxBytes(paxRecord("path", "a\0b")), file), "NUL"],
    "a name of 10 KB": [archiveOf(paxBytes(paxRecord("path", "a".repeat(10_240))), file), "4096"],
    "a name of 2 KB": [
      archiveOf(paxBytes(paxRecord("path", "a".repeat(2048))), file),
      "1024 bytes",
    ],
    "a GNU name of 10 KB": [archiveOf(typed("L", "a".repeat(10_240)), file), "4096"],
    "a header of a megabyte": [archiveOf(paxBytes(" ".repeat(2 ** 20)), file), "262144"],
    "headers without an entry": [
      archiveOf(...Array.from({ length: 10 }, () => paxBytes(paxRecord("path", "a")))),
      "too many headers",
    ],
    "a name that is not UTF-8": [
      archiveOf({ name: "a", fields: { name: Uint8Array.of(0x61, 0xff) } }),
      "UTF-8",
    ],
    "no name": [archiveOf({ name: "" }), "no name"],
    "an invisible name": [archiveOf({ name: "a/\u2800" }), "no visible character"],
    "a name twice": [archiveOf(file, file), "twice"],
    "a file that is a folder": [
      archiveOf(file, { name: "a/b", content: "x" }),
      "a file and a folder",
    ],
    "a folder in a file": [
      archiveOf(file, { name: "a/b/", fields: { type: "5" } }),
      "a file and a folder",
    ],
    "a file over a folder": [archiveOf({ name: "a/b" }, file), "twice"],
    "a folder over a file": [
      archiveOf(file, { name: "a/", fields: { type: "5" } }),
      "a file and a folder",
    ],
    "names that are safe as the same": [archiveOf({ name: "a:b" }, { name: "a?b" }), "twice"],
    "a size beyond the archive": [
      archiveOf({ ...file, fields: { size: "77777777777\0" } }),
      "larger than the archive",
    ],
    "a pax size beyond the archive": [
      archiveOf(paxBytes(paxRecord("size", "9007199254740991")), file),
      "larger than the archive",
    ],
    "a pax size of no number": [archiveOf(paxBytes(paxRecord("size", "-5")), file), "damaged"],
    "a pax size beyond numbers": [
      archiveOf(paxBytes(paxRecord("size", "9".repeat(16))), file),
      "damaged",
    ],
    "a negative size": [
      archiveOf({ ...file, fields: { size: new Uint8Array(12).fill(0xff) } }),
      "size is no number",
    ],
    "a size in letters": [
      archiveOf({ ...file, fields: { size: "0000000000z" } }),
      "size is no number",
    ],
    "a pax record that is too long": [archiveOf(paxBytes("99 path=b\n"), file), "damaged"],
    "a pax record without an end": [archiveOf(paxBytes("8 path=b"), file), "damaged"],
    "a pax record of no length": [archiveOf(paxBytes("0 a=b\n"), file), "damaged"],
    "a path for all": [archiveOf(paxBytes(paxRecord("path", "b"), "g"), file), "for all entries"],
    "a GNU sparse file": [archiveOf(typed("S", "text")), "unknown kind"],
    "a pax sparse file": [archiveOf(paxBytes(paxRecord("GNU.sparse.major", "1")), file), "sparse"],
    "an unknown kind": [archiveOf(typed("Q")), "unknown kind"],
    "several volumes": [archiveOf(typed("M", "text")), "unknown kind"],
    "a hard link with content": [archiveOf(typed("1", "text")), "has content"],
    "a folder with content": [archiveOf({ name: "a/", content: "text" }), "has content"],
    "a wrong checksum": [
      archiveOf({ ...file, fields: { checksum: "000000\0 " } }),
      "no tar archive",
    ],
    "garbage": [crypto.getRandomValues(new Uint8Array(5000)), "no tar archive"],
    "nothing": [new Uint8Array(), "no file or folder"],
    "only its end": [archiveOf(), "no file or folder"],
    "links alone": [archiveOf(typed("2")).subarray(0, 100), "cut off"],
    "cut in a header": [archiveOf(file).subarray(0, 1024 + 100), "cut off"],
    "cut in a file": [
      entryBytes({ ...file, content: "x".repeat(1000) }).subarray(0, 900),
      "larger than",
    ],
    "folders in each other": [
      archiveOf(paxBytes(paxRecord("path", "d/".repeat(101))), { name: "x" }),
      "in each other",
    ],
  };
  for (const [what, [bytes, why]] of Object.entries(cases)) {
    await t.step(what, async () => assertStringIncludes(await refusal(bytes), why));
  }
});

Deno.test("an archive that ends before its size is refused, and one without an end mark is taken", async () => {
  const bytes = archiveOf({ name: "a", content: "x".repeat(2000) });
  assertStringIncludes(await refusal(bytes.subarray(0, 1200), { size: bytes.length }), "cut off");
  const entry = entryBytes({ name: "a", content: "text" });
  assertEquals(await madeOf(entry), { "/a": "file text" });
});

Deno.test("more entries than allowed are refused: files, folders that nobody named, names again and again", async () => {
  const files = Array.from({ length: 5 }, (_, i) => ({ name: `f${i}` }));
  await using dir = await TemporaryFolder.make();
  assertEquals((await unpack(dir, archiveOf(...files), { maxEntries: 5 })).entries, 5);
  const links = files.map((file) => ({ ...file, fields: { type: "2" } }));
  const folder = { name: "d/", fields: { type: "5" } };
  for (
    const archive of [
      archiveOf(...files),
      archiveOf({ name: "a/b/c/d/e" }),
      archiveOf(...links),
      archiveOf(...Array.from({ length: 5 }, () => folder)),
    ]
  ) assertStringIncludes(await refusal(archive, { maxEntries: 4 }), "more than 4");
});

Deno.test("links, devices and pipes are left out and told, whatever they point to", async () => {
  await using dir = await TemporaryFolder.make();
  const kinds = ["1", "2", "3", "4", "6"].map((type) => ({ name: `k${type}`, fields: { type } }));
  const link = { name: "out", fields: { type: "2" } };
  // What is put "through" the link stays inside: there is none.
  const bytes = archiveOf(...kinds, link, { name: "out/x", content: "inside" });
  const { skipped, entries } = await unpack(dir, bytes);
  assertEquals([skipped.count, entries], [6, 2]);
  assertEquals(skipped.names, [
    "k1 (hard link)",
    "k2 (symbolic link)",
    "k3 (device)",
    "k4 (device)",
    "k6 (pipe)",
    "out (symbolic link)",
  ]);
  assertEquals(await namesIn(dir.at("out")), ["out"]);
  assertEquals(await Deno.readTextFile(dir.at("out/out/x")), "inside");
});

Deno.test("names go through the rules of received files, a leading dot aside", async () => {
  await using dir = await TemporaryFolder.make();
  const names = [
    ".git/config",
    "-rf",
    "~",
    "con.txt",
    "a:b",
    "e\u0301",
    "x\u202egnp.exe",
    "dot.",
    "...",
  ];
  const archive = archiveOf(...names.slice(0, -1).map((name) => ({ name, content: "x" })));
  const { renamed } = await unpack(dir, archive);
  assertEquals(
    await namesIn(dir.at("out")),
    [
      "_-rf",
      "_con.txt",
      "_~",
      "a_b",
      "dot",
      ".git",
      "x_gnp.exe",
      "\u00e9",
    ].sort(),
  );
  assertEquals(renamed, 7);
  assertStringIncludes(await refusal(archiveOf({ name: "..." })), "no visible character");
});

Deno.test("nothing is made executable for others to change, and no id bits are kept", async () => {
  await using dir = await TemporaryFolder.make();
  const fields = (mode: string, mtime?: string | Uint8Array) => ({
    mode: `${mode}\0`,
    ...(mtime === undefined ? {} : { mtime }),
  });
  const far = Uint8Array.of(0x80, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0);
  const before = new Uint8Array(12).fill(0xff);
  const now = Math.floor(Date.now() / 1000);
  await unpack(
    dir,
    archiveOf(
      { name: "d", fields: { type: "5", ...fields("0007777") } },
      { name: "shut", fields: { type: "5", ...fields("0000000") } },
      { name: "shut/in", fields: fields("0000000") },
      { name: "d/all", fields: fields("0007777") },
      { name: "far", fields: fields("0000644", far) },
      { name: "before", fields: fields("0000644", before) },
    ),
  );
  const tree = await treeOf(dir.at("out"));
  assertEquals(tree["/d"], "folder 755 1000");
  assertEquals(tree["/shut"], "folder 700 1000");
  assertEquals(tree["/shut/in"], "file 600 1000 ");
  assertEquals(tree["/d/all"], "file 755 1000 ");
  for (const name of ["/far", "/before"]) {
    const [, mode, mtime] = tree[name]?.split(" ") ?? [];
    assertEquals(mode, "644");
    // As it was made now.
    assert(Math.abs(Number(mtime) - now) < 3600, tree[name]);
  }
});

Deno.test("any bytes are refused or unpacked, and nothing is made outside", async () => {
  const field = fc.constantFrom(
    "name",
    "mode",
    "size",
    "mtime",
    "type",
    "magic",
    "prefix" as const,
  );
  const good = archiveOf(
    { name: "d/", fields: { type: "5" } },
    paxBytes(paxRecord("path", "d/é") + paxRecord("mtime", "7.5")),
    { name: "x", content: "text" },
    { name: "last", content: "x".repeat(600) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }),
      fc.array(fc.record({ name: fc.string(), field, value: fc.string({ unit: "binary" }) }), {
        maxLength: 3,
      }),
      async (changes, more) => {
        const bytes = archiveOf(
          ...more.map(({ name, field, value }) => ({ name, fields: { [field]: value } })),
          good,
        );
        for (const [at, byte] of changes) bytes[at] = byte;
        await using dir = await TemporaryFolder.make();
        await Deno.mkdir(dir.at("in"));
        const options = { input: inputOf(bytes), size: bytes.length, into: dir.at("in/out") };
        try {
          await unpackTar(dir.fs, options);
        } catch (error) {
          assert(error instanceof StorageError, String(error));
          assertEquals(error.code, "ARCHIVE_REFUSED", error.message);
        }
        assertEquals([dir.fs.openFiles, await namesIn(dir.path)], [0, ["in"]]);
        assertEquals(await namesIn(dir.at("in")), ["out"]);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("a disk that fails in the middle is told by its code, and leaves no file open", async () => {
  const files = Array.from({ length: 40 }, (_, i) => ({ name: `f${i}`, content: "text" }));
  for (
    const [fault, code] of [
      [{ on: "write", skip: 20, action: { fail: "ENOSPC" } }, "DISK_FULL"],
      [{ on: "sync", skip: 3, action: { fail: "EIO" } }, "IO_FAILED"],
      [{ on: "setModified", skip: 39, action: { fail: "EIO" } }, "IO_FAILED"],
    ] as const
  ) {
    await using dir = await TemporaryFolder.make();
    dir.fs.inject(fault);
    const error = await assertRejects(() => unpack(dir, archiveOf(...files)), StorageError);
    assertEquals([error.code, dir.fs.openFiles], [code, 0]);
  }
});

Deno.test("an archive of one entry more than may be in it is refused, and so are endless paths of folders", async () => {
  await using dir = await TemporaryFolder.make();
  const link = entryBytes({ name: "link", fields: { type: "2" } });
  const endless = { read: (into: Uint8Array) => Promise.resolve(repeat(link, into)) };
  const links = (count: number) =>
    unpackTar(dir.fs, { input: endless, size: count * 512, into: dir.at(`out${count}`) });
  assertEquals((await links(MAX_ARCHIVE_ENTRIES)).skipped.count, MAX_ARCHIVE_ENTRIES);
  const error = await assertRejects(() => links(MAX_ARCHIVE_ENTRIES + 1), StorageError);
  assertStringIncludes(error.message, "more than 100000");
  const chains = Array.from({ length: 20 }, (_, i) => {
    const path = Array.from({ length: 60 }, () => `${i}`.padStart(60, "d")).join("/");
    return [paxBytes(paxRecord("path", path)), { name: "x", fields: { type: "5" } }];
  });
  assertStringIncludes(await refusal(archiveOf(...chains.flat())), "too long together");
});

/** Fills an array with whole copies of a block. */
function repeat(block: Uint8Array, into: Uint8Array): number {
  const count = Math.floor(into.length / block.length);
  for (let i = 0; i < count; i++) into.set(block, i * block.length);
  return count * block.length;
}
