import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { StorageError } from "../base/errors.ts";
import { denoFileSystem } from "./file_system.ts";
import {
  CHECKED_BYTES,
  checkSource,
  checkUnchanged,
  inspectSource,
  isUnchanged,
  KEPT_CONTENT_BYTES,
  keptChunk,
  OutgoingFile,
  type SourceFile,
  waitingSource,
} from "./outgoing_file.ts";
import { sha256 } from "./testing/inbox_fixture.ts";
import { TemporaryFolder } from "./testing/temporary_folder.ts";

/** Windows has no modes and, for most users, no links, no POSIX shell and no /proc. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const CHUNK = 1000;
const CONTENT = crypto.getRandomValues(new Uint8Array(4500));

async function codeOf(work: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(work, StorageError)).code;
}

/** A temporary folder with the file `f` in it, looked at. */
async function offered(): Promise<{ dir: TemporaryFolder; source: SourceFile }> {
  const dir = await TemporaryFolder.make();
  await Deno.writeFile(dir.at("f"), CONTENT);
  // An old time stamp, so that a later write can't fall into the same millisecond.
  await Deno.utime(dir.at("f"), 1000, 1000);
  return { dir, source: await inspectSource(denoFileSystem, dir.at("f")) };
}

async function readAll(file: OutgoingFile): Promise<Uint8Array> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let i = 0; i < file.totalChunks; i++) parts.push((await file.readChunk(i)).slice());
  return await new Blob(parts).bytes();
}

Deno.test("a file is offered with its size and hash, and read in chunks of which the last is short", async () => {
  const { dir, source } = await offered();
  await using _ = dir;
  assertEquals([source.status.size, source.hash], [4500, sha256(CONTENT)]);
  await using file = await OutgoingFile.open(dir.fs, source, CHUNK);
  assertEquals(file.totalChunks, 5);
  dir.fs.inject({ on: "read", action: { shortRead: 300 } });
  assertEquals(await readAll(file), CONTENT);
});

Deno.test("chunks may be read again and out of order, into two buffers", async () => {
  const { dir, source } = await offered();
  await using _ = dir;
  await using file = await OutgoingFile.open(dir.fs, source, CHUNK);
  const buffers = new Set<ArrayBuffer>();
  for (const index of [0, 0, 3, 1, 4, 2, 0, 4]) {
    const chunk = await file.readChunk(index);
    assertEquals(chunk, CONTENT.slice(index * CHUNK, (index + 1) * CHUNK));
    buffers.add(chunk.buffer);
  }
  assertEquals(buffers.size, 2);
  for (const index of [-1, 5, 0.5]) {
    assertEquals(await codeOf(() => file.readChunk(index)), "SOURCE_UNUSABLE");
  }
});

Deno.test("an empty file has no chunks", async () => {
  await using dir = await TemporaryFolder.make();
  await Deno.writeFile(dir.at("f"), new Uint8Array());
  const source = await inspectSource(denoFileSystem, dir.at("f"));
  await using file = await OutgoingFile.open(denoFileSystem, source, CHUNK);
  assertEquals([file.totalChunks, source.hash], [0, sha256(new Uint8Array())]);
});

test("only regular files are sent: no folder, link, device or missing file", async () => {
  const { dir } = await offered();
  await using _ = dir;
  await Deno.symlink(dir.at("f"), dir.at("link"));
  for (const path of [dir.path, dir.at("link"), "/dev/zero"]) {
    assertEquals(await codeOf(() => inspectSource(denoFileSystem, path)), "SOURCE_UNUSABLE");
  }
  const missing = () => inspectSource(denoFileSystem, dir.at("missing"));
  assertEquals(await codeOf(missing), "IO_FAILED");
  const tooLong = () => inspectSource(denoFileSystem, dir.at("f"), { maxBytes: 4499 });
  assertEquals(await codeOf(tooLong), "SOURCE_TOO_LARGE");
});

test("what can't be sent is told without reading it, each kind by its own sentence", async () => {
  const { dir } = await offered();
  await using _ = dir;
  await Deno.symlink(dir.at("f"), dir.at("link"));
  await Deno.symlink(dir.at("gone"), dir.at("dangling"));
  await Deno.writeFile(dir.at("huge"), new Uint8Array(1));
  await Deno.truncate(dir.at("huge"), 10 * 1024 ** 3 + 1);
  await new Deno.Command("mkfifo", { args: [dir.at("pipe")] }).output();
  const sentences: { readonly [path: string]: string } = {
    [dir.path]: "is a folder: name the files in it, or pack it into one file",
    [dir.at("link")]: "is a symbolic link: name the file that it points to",
    [dir.at("dangling")]: "is a symbolic link: name the file that it points to",
    [dir.at("pipe")]: "is a pipe, a socket or a device: name a regular file",
    [dir.at("huge")]: "has 10737418241 bytes, more than the 10737418240 that may be sent (serve " +
      "--max-file-bytes): split it",
    [dir.at("missing")]: ": it does not exist; check the path",
    [dir.at("f/below")]: ": a part of the path is not a folder; check the path",
  };
  for (const [path, sentence] of Object.entries(sentences)) {
    const error = await assertRejects(() => checkSource(denoFileSystem, path), StorageError);
    assert(error.message.endsWith(sentence), error.message);
    assertStringIncludes(error.message, path);
  }
  assertEquals((await checkSource(denoFileSystem, dir.at("f"))).size, 4500);
});

Deno.test("the hash tells how far it is, up to the whole file", async () => {
  const { dir } = await offered();
  await using _ = dir;
  await Deno.writeFile(dir.at("big"), new Uint8Array(600_000));
  const told: number[] = [];
  await inspectSource(denoFileSystem, dir.at("big"), { onHashed: (bytes) => told.push(bytes) });
  assert(told.length >= 3 && told.every((bytes, i) => bytes > (told[i - 1] ?? 0)), `${told}`);
  assertEquals(told.at(-1), 600_000);
});

const CHANGES: { readonly [what: string]: (path: string) => Promise<void> } = {
  "is cut": (path) => Deno.truncate(path, 2500),
  "grows": (path) => Deno.writeFile(path, new Uint8Array(1), { append: true }),
  "is written over": (path) => Deno.writeFile(path, CONTENT.slice().fill(0, 4400)),
  "is replaced": async (path) => {
    await Deno.writeFile(path + ".new", CONTENT);
    await Deno.utime(path + ".new", 1000, 1000);
    await Deno.rename(path + ".new", path);
  },
  "becomes a link": async (path) => {
    await Deno.rename(path, path + ".moved");
    await Deno.symlink(path + ".moved", path);
  },
  "goes away": (path) => Deno.remove(path),
};

for (const [what, change] of Object.entries(CHANGES)) {
  Deno.test(`"A file that changes while it is sent": one that ${what} after the offer is not sent`, async () => {
    const { dir, source } = await offered();
    await using _ = dir;
    await change(source.path);
    const code = await codeOf(() => OutgoingFile.open(denoFileSystem, source, CHUNK));
    const other = { "becomes a link": "SOURCE_UNUSABLE", "goes away": "IO_FAILED" };
    assertEquals(
      code,
      Object.entries(other).find(([key]) => key === what)?.[1] ?? "SOURCE_CHANGED",
    );
  });
}

for (const what of ["is cut", "grows", "is written over"]) {
  Deno.test(`"A file that changes while it is sent": of one that ${what} between chunks the last is not given out`, async () => {
    const { dir, source } = await offered();
    await using _ = dir;
    await using file = await OutgoingFile.open(denoFileSystem, source, CHUNK);
    await file.readChunk(0);
    await CHANGES[what]?.(source.path);
    const code = await codeOf(async () => {
      for (let i = 1; i < file.totalChunks; i++) await file.readChunk(i);
    });
    assertEquals(code, "SOURCE_CHANGED");
  });
}

Deno.test("a long file that changes while it is sent is refused before it has been read in vain", async () => {
  await using dir = await TemporaryFolder.make();
  await Deno.writeFile(dir.at("f"), new Uint8Array());
  await Deno.truncate(dir.at("f"), 4 * CHECKED_BYTES);
  await Deno.utime(dir.at("f"), 1000, 1000);
  const source = await inspectSource(denoFileSystem, dir.at("f"));
  const chunkBytes = CHECKED_BYTES / 4;
  await using file = await OutgoingFile.open(denoFileSystem, source, chunkBytes);
  await file.readChunk(0);
  await CHANGES["grows"]?.(source.path);
  await file.readChunk(1);
  await file.readChunk(2);
  assertEquals(await codeOf(() => file.readChunk(3)), "SOURCE_CHANGED");
});

Deno.test("the file's status is looked at when it is opened and at its end, not for each chunk", async () => {
  const { dir, source } = await offered();
  await using _ = dir;
  await using file = await OutgoingFile.open(dir.fs, source, CHUNK);
  const looks = () => dir.fs.calls.filter((call) => /^l?stat/.test(call)).length;
  const opened = looks();
  for (let i = 0; i < 4; i++) await file.readChunk(i);
  assertEquals(looks(), opened);
  await file.readChunk(4);
  assertEquals(looks(), opened + 1);
});

Deno.test("one chunk is read ahead and no more, while the one before it is in use", async () => {
  const { dir, source } = await offered();
  await using _ = dir;
  await using file = await OutgoingFile.open(dir.fs, source, CHUNK);
  const reads = () => dir.fs.calls.filter((call) => call.startsWith("read")).length;
  const first = await file.readChunk(0);
  const { promise: read, resolve } = Promise.withResolvers<void>();
  dir.fs.inject({ on: "read", action: { before: () => Promise.resolve(resolve()) } });
  await file.readChunk(1);
  await read;
  assertEquals(first.buffer === (await file.readChunk(2)).buffer, true);
  assertEquals(reads(), 4);
  assertEquals(await file.readChunk(3), CONTENT.slice(3 * CHUNK, 4 * CHUNK));
});

Deno.test("a read ahead that fails is told to who asks for the chunk, and to nobody else", async () => {
  const { dir, source } = await offered();
  await using _ = dir;
  {
    await using file = await OutgoingFile.open(dir.fs, source, CHUNK);
    dir.fs.inject({ on: "read", skip: 1, times: 1, action: { fail: "EIO" } });
    assertEquals(await file.readChunk(0), CONTENT.slice(0, CHUNK));
    // Nobody asks: closing it says nothing.
  }
  dir.fs.heal();
  await using file = await OutgoingFile.open(dir.fs, source, CHUNK);
  dir.fs.inject({ on: "read", skip: 1, times: 1, action: { fail: "EIO" } });
  await file.readChunk(0);
  assertEquals(await codeOf(() => file.readChunk(1)), "IO_FAILED");
  assertEquals(await file.readChunk(1), CONTENT.slice(CHUNK, 2 * CHUNK));
});

test("a link put in place of the file between the look and the opening is not read", async () => {
  const { dir } = await offered();
  await using _ = dir;
  await Deno.writeTextFile(dir.at("secret"), "secret");
  const swap = async () => {
    await Deno.remove(dir.at("f"));
    await Deno.symlink(dir.at("secret"), dir.at("f"));
  };
  dir.fs.inject({ on: "open", action: { before: swap } });
  assertEquals(await codeOf(() => inspectSource(dir.fs, dir.at("f"))), "SOURCE_CHANGED");
  assertEquals(dir.fs.calls.some((call) => call.startsWith("read")), false);
});

Deno.test("a file replaced while it is open is sent as it was offered", async () => {
  const { dir, source } = await offered();
  await using _ = dir;
  await using file = await OutgoingFile.open(denoFileSystem, source, CHUNK);
  await CHANGES["is replaced"]?.(source.path);
  assertEquals(await readAll(file), CONTENT);
});

Deno.test("a change that hides its time stamp is found by the hash: the last chunk is not given out", async () => {
  const { dir, source } = await offered();
  await using _ = dir;
  await using file = await OutgoingFile.open(denoFileSystem, source, CHUNK);
  await Deno.writeFile(source.path, CONTENT.slice().fill(0, 4400));
  await Deno.utime(source.path, 1000, 1000);
  for (let i = 0; i < 4; i++) await file.readChunk(i);
  assertEquals(await codeOf(() => file.readChunk(4)), "SOURCE_CHANGED");
});

Deno.test("a file that changes while it is hashed is not offered", async () => {
  const { dir } = await offered();
  await using _ = dir;
  dir.fs.inject({
    on: "read",
    skip: 1,
    times: 1,
    action: { before: () => Deno.writeFile(dir.at("f"), CONTENT) },
  });
  assertEquals(await codeOf(() => inspectSource(dir.fs, dir.at("f"))), "SOURCE_CHANGED");
  dir.fs.heal();
  dir.fs.inject({ on: "read", skip: 0, action: { endOfFile: true } });
  assertEquals(await codeOf(() => inspectSource(dir.fs, dir.at("f"))), "SOURCE_CHANGED");
});

Deno.test("read errors are told, and a read may be tried again", async () => {
  const { dir, source } = await offered();
  await using _ = dir;
  await using file = await OutgoingFile.open(dir.fs, source, CHUNK);
  await file.readChunk(0);
  dir.fs.inject({ on: "read", times: 1, action: { shortRead: 10 } });
  dir.fs.inject({ on: "read", times: 1, action: { fail: "EIO" } });
  // Another than the one that is read ahead.
  assertEquals(await codeOf(() => file.readChunk(3)), "IO_FAILED");
  assertEquals((await file.readChunk(3)).slice(), CONTENT.slice(3 * CHUNK, 4 * CHUNK));
});

Deno.test("hashing ends with the signal's reason, and the file is closed", async () => {
  const { dir } = await offered();
  await using _ = dir;
  const controller = new AbortController();
  const reason = new Error("shutting down");
  dir.fs.inject({ on: "read", action: { before: () => controller.abort(reason) } });
  const { signal } = controller;
  const error = await assertRejects(() => inspectSource(dir.fs, dir.at("f"), { signal }));
  assertEquals(error, reason);
});

Deno.test("a file that has waited is looked at again without reading it: gone, changed, or no file any more", async () => {
  const { dir } = await offered();
  await using _ = dir;
  const path = dir.at("f");
  const { size, mtimeMs } = await checkSource(denoFileSystem, path);
  const look = () => checkUnchanged(denoFileSystem, path, { size, mtimeMs });
  await look();
  await Deno.utime(path, 1, 1);
  assertEquals(await codeOf(look), "SOURCE_CHANGED");
  await Deno.truncate(path, size - 1);
  await Deno.utime(path, mtimeMs / 1000, mtimeMs / 1000);
  assertEquals(await codeOf(look), "SOURCE_CHANGED");
  await Deno.remove(path);
  assertEquals(await codeOf(look), "SOURCE_GONE");
  await Deno.mkdir(path);
  assertEquals(await codeOf(look), "SOURCE_UNUSABLE");
});

Deno.test("another file of the same size and time of change in the place of one that has waited is noticed", async () => {
  const { dir } = await offered();
  await using _ = dir;
  const [path, other] = [dir.at("f"), dir.at("other")];
  const seen = waitingSource(await checkSource(denoFileSystem, path));
  await Deno.writeFile(other, CONTENT.map((byte) => byte ^ 1));
  await Deno.utime(other, seen.mtimeMs / 1000, seen.mtimeMs / 1000);
  await Deno.utime(path, seen.mtimeMs / 1000, seen.mtimeMs / 1000);
  await checkUnchanged(denoFileSystem, path, seen);
  await Deno.rename(other, path);
  // A record of an earlier version tells less, and so does a platform without inodes.
  const { ino, ...less } = seen;
  await checkUnchanged(denoFileSystem, path, less);
  if (ino === undefined) return;
  assertEquals(await codeOf(() => checkUnchanged(denoFileSystem, path, seen)), "SOURCE_CHANGED");
});

Deno.test("an inode that a number does not hold is not kept", async () => {
  const { dir } = await offered();
  await using _ = dir;
  const status = await denoFileSystem.lstat(dir.at("f"));
  const { size, mtimeMs } = status;
  for (const ino of [2 ** 53, null]) {
    assertEquals(waitingSource({ ...status, ino }), { size, mtimeMs });
  }
  assertEquals(waitingSource({ ...status, ino: 7 }), { size, mtimeMs, ino: 7 });
});

Deno.test("a small file is read once, and its content given out as long as the file is what it was", async () => {
  const { dir, source } = await offered();
  await using _ = dir;
  const { content } = source;
  assert(content !== undefined);
  assertEquals(await isUnchanged(dir.fs, source), true);
  assertEquals(await keptChunk(dir.fs, { ...source, content }), CONTENT);
  await Deno.writeFile(dir.at("f"), CONTENT);
  assertEquals(await isUnchanged(dir.fs, source), false);
  assertEquals(await codeOf(() => keptChunk(dir.fs, { ...source, content })), "SOURCE_CHANGED");
  await Deno.remove(dir.at("f"));
  assertEquals(await isUnchanged(dir.fs, source), false);
});

Deno.test("content is kept up to its bound, and of one read only", async () => {
  await using dir = await TemporaryFolder.make();
  for (const [bytes, isKept] of [[KEPT_CONTENT_BYTES, true], [KEPT_CONTENT_BYTES + 1, false]]) {
    await Deno.writeFile(dir.at("f"), new Uint8Array(Number(bytes)));
    const { content } = await inspectSource(dir.fs, dir.at("f"));
    assertEquals(content?.length, isKept ? bytes : undefined);
  }
  await Deno.writeFile(dir.at("f"), CONTENT);
  dir.fs.inject({ on: "read", action: { shortRead: 300 } });
  const { content, hash } = await inspectSource(dir.fs, dir.at("f"));
  assertEquals([content, hash], [undefined, sha256(CONTENT)]);
});
