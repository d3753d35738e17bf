import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { StorageError } from "../base/errors.ts";
import type { DataFolder } from "./data_folder.ts";
import { denoFileSystem, type FileSystem } from "./file_system.ts";
import {
  type Arrival,
  FILES_PER_BLOCK,
  KEPT_FILES,
  parseBlock,
  ReceivedFiles,
  type ReceivedFilesOptions,
} from "./received_files.ts";
import { FaultyFileSystem } from "./testing/faulty_file_system.ts";
import { namesIn, TemporaryFolder } from "./testing/temporary_folder.ts";

/** Windows has no modes and, for most users, no links. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const arrival = (n: number, more: Partial<Arrival> = {}): Arrival => ({
  transferId: n.toString(16).padStart(32, "0"),
  peer: "ab".repeat(32),
  displayName: `file-${n}`,
  path: `/in\nbox/file-${n}`,
  size: n,
  hash: "cd".repeat(32),
  offeredAt: n,
  arrivedAt: n + 1,
  ...more,
});

/** A record with a run of its own. */
function open(
  folder: DataFolder,
  run = "aaaaaaaa",
  options: ReceivedFilesOptions = {},
  fs: FileSystem = denoFileSystem,
): Promise<ReceivedFiles> {
  return ReceivedFiles.open(fs, folder, { run, ...options });
}

async function fill(files: ReceivedFiles, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await files.record(arrival(n));
}

/** The numbers of all that come after a position, over all parts; and whether a gap was told. */
async function readAll(files: ReceivedFiles, after?: string) {
  const sizes: number[] = [];
  let [at, isGap] = [after, false];
  for (;;) {
    const { files: part, gap, more } = await files.after(at);
    sizes.push(...part.map(({ size }) => size));
    isGap ||= gap;
    at = part.at(-1)?.id ?? at;
    if (!more) return { sizes, isGap, last: at };
  }
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

test("nothing has arrived at first; then what arrives is there in order, with its number, also after a restart", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const files = await open(folder);
  assertEquals(await files.after(undefined), {
    files: [],
    gap: false,
    before: undefined,
    more: false,
  });
  await fill(files, 1, 2);
  const again = await open(folder, "bbbbbbbb");
  await again.record(arrival(3));
  const { files: all } = await again.after(undefined);
  assertEquals(all, [
    { id: "aaaaaaaa-1", ...arrival(1) },
    { id: "aaaaaaaa-2", ...arrival(2) },
    { id: "bbbbbbbb-3", ...arrival(3) },
  ]);
  for (const name of await namesIn(`${folder.path}/received`)) {
    const { mode } = await Deno.stat(`${folder.path}/received/${name}`);
    assertEquals((mode ?? 0) & 0o777, 0o600);
  }
});

Deno.test("the order of arriving, and where a reader goes on, are not of the time of day: it may jump by days", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const files = await open(folder);
  const day = 24 * 3600 * 1000;
  const times = [1e12, 1e12 + 400 * day, 1e12 - 400 * day, 0, 1e12];
  for (const [n, time] of times.entries()) {
    await files.record(arrival(n + 1, { offeredAt: time, arrivedAt: time }));
  }
  const again = await open(folder, "bbbbbbbb");
  assertEquals((await readAll(again)).sizes, [1, 2, 3, 4, 5]);
  assertEquals(await readAll(again, "aaaaaaaa-2"), {
    ...{ sizes: [3, 4, 5], isGap: false, last: "aaaaaaaa-5" },
  });
});

Deno.test("reading goes on after an id, over blocks and restarts, and misses nothing", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const count = 2 * FILES_PER_BLOCK + 3;
  await fill(await open(folder), 1, count);
  const files = await open(folder, "bbbbbbbb");
  for (let n = 1; n <= count; n++) {
    const { sizes, isGap } = await readAll(files, `aaaaaaaa-${n}`);
    assertEquals([sizes, isGap], [range(n + 1, count), false], String(n));
  }
  const { before } = await files.after("aaaaaaaa-7");
  assertEquals(before, "aaaaaaaa-7");
});

Deno.test("what is pushed out is a gap to whoever had not read it, and to nobody else", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const files = await open(folder, "aaaaaaaa", { maxBlocks: 2 });
  await fill(files, 1, 2 * FILES_PER_BLOCK + 1);
  assertEquals(await namesIn(`${folder.path}/received`), ["129.json", "65.json"]);
  const kept = range(65, 129);
  for (const record of [files, await open(folder, "bbbbbbbb", { maxBlocks: 2 })]) {
    const missing = await record.after("aaaaaaaa-63");
    assertEquals([missing.gap, missing.before], [true, "aaaaaaaa-64"]);
    assertEquals(await readAll(record, "aaaaaaaa-63"), {
      sizes: kept,
      isGap: true,
      last: "aaaaaaaa-129",
    });
    assertEquals((await readAll(record, "aaaaaaaa-64")).isGap, false);
    assertEquals((await readAll(record, "aaaaaaaa-64")).sizes, kept);
    // A new reader has missed nothing.
    assertEquals((await readAll(record)).isGap, false);
  }
});

test("at least as many files are kept as is said", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const files = await open(folder);
  await fill(files, 1, 1);
  // A block that is begun pushes out the oldest: as many as are promised must be there beside it.
  const firsts = range(1, 200).map((n) => 1 + n * FILES_PER_BLOCK);
  const template = JSON.parse(await Deno.readTextFile(`${folder.path}/received/1.json`));
  for (const first of [1, ...firsts]) {
    const block = {
      ...template,
      before: first === 1 ? null : `aaaaaaaa-${first - 1}`,
      files: range(first, first + FILES_PER_BLOCK - 1).map((n) => ({
        id: `aaaaaaaa-${n}`,
        ...arrival(n),
      })),
    };
    const path = `${folder.path}/received/${first}.json`;
    await Deno.writeTextFile(path, JSON.stringify(block), { mode: 0o600 });
  }
  const full = await open(folder);
  await full.record(arrival(1));
  const { sizes } = await readAll(full);
  assert(sizes.length >= KEPT_FILES, String(sizes.length));
  assertLess(sizes.length, KEPT_FILES + 2 * FILES_PER_BLOCK);
});

Deno.test("an id of another record, or that is none, is a gap: nothing is taken for handled", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const files = await open(folder);
  await fill(files, 1, 3);
  for (const id of ["bbbbbbbb-2", "aaaaaaaa-4", "aaaaaaaa-99", "bbbbbbbb-4", "nonsense", ""]) {
    const { sizes, isGap } = await readAll(files, id);
    assertEquals([sizes, isGap], [[1, 2, 3], true], id);
  }
});

test("an older copy of the record, put back, is told by a gap where other files came after it", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  await fill(await open(folder), 1, 2);
  const copy = await Deno.readFile(`${folder.path}/received/1.json`);
  await fill(await open(folder, "bbbbbbbb"), 3, 4);
  await Deno.writeFile(`${folder.path}/received/1.json`, copy, { mode: 0o600 });
  const restored = await open(folder, "cccccccc");
  await fill(restored, 30, 40);
  assertEquals((await readAll(restored, "bbbbbbbb-4")).sizes, [1, 2, ...range(30, 40)]);
  assertEquals((await readAll(restored, "aaaaaaaa-2")).sizes, range(30, 40));
});

Deno.test("a block that somebody has removed is a gap", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const files = await open(folder);
  await fill(files, 1, 2 * FILES_PER_BLOCK + 1);
  await Deno.remove(`${folder.path}/received/65.json`);
  for (const record of [files, await open(folder)]) {
    const { sizes, isGap } = await readAll(record, "aaaaaaaa-10");
    assertEquals([sizes, isGap], [[...range(11, 64), 129], true]);
  }
});

Deno.test("a file is found by transfer, peer and time of its offer", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const files = await open(folder);
  await fill(files, 1, FILES_PER_BLOCK + 5);
  assertEquals(await files.has(arrival(1)), true);
  assertEquals(await files.has(arrival(FILES_PER_BLOCK + 5)), true);
  assertEquals(await files.has(arrival(1, { offeredAt: 7 })), false);
  assertEquals(await files.has(arrival(1, { peer: "ef".repeat(32) })), false);
});

Deno.test("what a peer's transfer has brought is found as long as it is recorded, and nothing else", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const files = await open(folder, "aaaaaaaa", { maxBlocks: 3 });
  await fill(files, 1, 10);
  assertEquals(await files.find(arrival(1)), { id: "aaaaaaaa-1", ...arrival(1) });
  await fill(files, 11, 3 * FILES_PER_BLOCK); // the index is there already, and grows
  for (const n of [1, FILES_PER_BLOCK, FILES_PER_BLOCK + 1, 3 * FILES_PER_BLOCK]) {
    assertEquals((await files.find(arrival(n)))?.size, n);
  }
  for (
    const other of [
      { transferId: "f".repeat(32) },
      { peer: "cd".repeat(32) },
      { size: 2 },
      { hash: "ab".repeat(32) },
    ]
  ) assertEquals(await files.find(arrival(1, other)), undefined);
  // The peer has used the id again: the later one is what it means.
  await files.record(arrival(1, { hash: "ef".repeat(32) }));
  assertEquals(await files.find(arrival(1)), undefined);
  assertEquals((await files.find(arrival(1, { hash: "ef".repeat(32) })))?.size, 1);
  const again = await open(folder, "bbbbbbbb", { maxBlocks: 3 });
  assertEquals(await again.find(arrival(2)), undefined); // pushed out by that one
  assertEquals((await again.find(arrival(FILES_PER_BLOCK + 2)))?.size, FILES_PER_BLOCK + 2);
});

Deno.test("who asks for files that never came has no block read but once, and a damaged one is as good as none", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  await fill(await open(folder), 1, 3 * FILES_PER_BLOCK);
  await Deno.writeTextFile(`${folder.path}/received/1.json`, "damaged");
  const fs = new FaultyFileSystem(denoFileSystem);
  const files = await open(folder, "bbbbbbbb", {}, fs);
  assertEquals(await files.find(arrival(1)), undefined);
  const before = fs.calls.length;
  for (let n = 1000; n < 1100; n++) assertEquals(await files.find(arrival(n)), undefined);
  assertEquals(fs.calls.slice(before), []);
  assertEquals((await files.find(arrival(FILES_PER_BLOCK + 1)))?.size, FILES_PER_BLOCK + 1);
});

Deno.test("long paths and names make smaller blocks, not longer files", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const files = await open(folder);
  const path = `/${"\u0001".repeat(4000)}`;
  for (let n = 1; n <= 40; n++) {
    await files.record(arrival(n, { path, displayName: "😀".repeat(1000) }));
  }
  assertLess(1, (await namesIn(`${folder.path}/received`)).length);
  assertEquals((await readAll(await open(folder))).sizes, range(1, 40));
});

const BLOCK = { version: 1, before: null, files: [{ id: "aaaaaaaa-1", ...arrival(1) }] };
const [FILE] = BLOCK.files;
const DAMAGED: readonly unknown[] = [
  ...[1, null, [], {}, { ...BLOCK, version: 2 }, { ...BLOCK, more: 1 }],
  ...[{ ...BLOCK, before: "aaaaaaaa-1" }, { ...BLOCK, before: 1 }, { ...BLOCK, files: [] }],
  { ...BLOCK, files: Array.from({ length: FILES_PER_BLOCK + 1 }, () => FILE) },
  ...[
    { id: "aaaaaaaa-2" },
    { id: 1 },
    { transferId: "x" },
    { peer: "x" },
    { displayName: 1 },
    { displayName: "x".repeat(2049) },
    { path: "" },
    { path: "x".repeat(4097) },
    { size: -1 },
    { hash: "x" },
    { offeredAt: 1.5 },
    { arrivedAt: "1" },
    { more: 1 },
  ].map((changes) => ({ ...BLOCK, files: [{ ...FILE, ...changes }] })),
];

test("a block that is none is refused, with advice, and left as it is", async () => {
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  assert(parseBlock(bytes(BLOCK), 1) !== undefined);
  assertEquals(parseBlock(bytes(BLOCK), 2), undefined);
  for (const value of DAMAGED) {
    assertEquals(parseBlock(bytes(value), 1), undefined, JSON.stringify(value).slice(0, 200));
  }
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  await open(folder);
  await Deno.writeTextFile(`${folder.path}/received/1.json`, "{", { mode: 0o600 });
  const error = await assertRejects(() => open(folder), StorageError);
  assertEquals(error.code, "RECEIVED_INVALID");
  assert(error.message.includes("1.json is damaged: put back a copy"), error.message);
  assertEquals(await Deno.readTextFile(`${folder.path}/received/1.json`), "{");
});

for (const crash of ["process", "power"] as const) {
  Deno.test(`a ${crash} crash at each call leaves what was recorded, and at most the file in question beside it`, async () => {
    for (let skip = 0;; skip++) {
      assertLess(skip, 80);
      await using dir = await TemporaryFolder.make();
      const fs = new FaultyFileSystem(denoFileSystem);
      let recorded = FILES_PER_BLOCK - 1;
      let isDead = false;
      {
        using folder = await dir.dataFolder();
        const files = await open(folder, "aaaaaaaa", { maxBlocks: 1 }, fs);
        await fill(files, 1, recorded);
        fs.inject({ skip, action: { crash } });
        for (const n of [recorded + 1, recorded + 2]) {
          await files.record(arrival(n)).then(() => recorded = n, () => isDead = true);
        }
      }
      using folder = await dir.dataFolder();
      const { last } = await readAll(await open(folder, "bbbbbbbb"));
      const found = Number(last?.split("-")[1]);
      assert(found === recorded || found === recorded + 1, `${skip}: ${found} of ${recorded}`);
      const left = (await namesIn(`${folder.path}/received`)).filter((name) =>
        !/^\d+\.json$/.test(name)
      );
      assertEquals(left, []);
      if (!isDead) break;
    }
  });
}

Deno.test("a disk that is full records nothing, and goes on when it is freed", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const fs = new FaultyFileSystem(denoFileSystem);
  const files = await open(folder, "aaaaaaaa", {}, fs);
  await files.record(arrival(1));
  fs.inject({ on: "write", action: { fail: "ENOSPC" } });
  const error = await assertRejects(() => files.record(arrival(2)), StorageError);
  assertEquals(error.code, "DISK_FULL");
  fs.heal();
  await files.record(arrival(3));
  assertEquals((await readAll(files)).sizes, [1, 3]);
});
