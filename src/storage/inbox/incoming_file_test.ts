import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { StorageError } from "../../base/errors.ts";
import { denoFileSystem } from "../file_system.ts";
import { openInbox, sha256, transferId } from "../testing/inbox_fixture.ts";
import { type Errno, FaultyFileSystem } from "../testing/faulty_file_system.ts";
import { namesIn, TemporaryFolder } from "../testing/temporary_folder.ts";
import { IncomingFile } from "./incoming_file.ts";
import { Inbox } from "./inbox.ts";

/** Windows has no modes and, for most users, no links. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const CONTENT = crypto.getRandomValues(new Uint8Array(5000));
const ID = transferId(1);
const PART = `.${ID}.part`;
const nothing = () => Promise.resolve();

const create = (inbox: Inbox, size = CONTENT.length) =>
  IncomingFile.create(inbox, { transferId: ID, size });

const finishAs = (file: IncomingFile, name = "photo.jpg") =>
  file.finish({ name, expectedHash: sha256(CONTENT), onPublishing: nothing });

async function codeOf(work: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(work, StorageError)).code;
}

test("a file grows under .<transferId>.part and gets its name when it is whole", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await openInbox(dir);
  await using file = await create(inbox);
  await file.write(CONTENT.subarray(0, 3000));
  assertEquals(await namesIn(inbox.path), [PART]);
  assertEquals(((await Deno.stat(inbox.pathOf(PART))).mode ?? 0) & 0o777, 0o600);
  await file.write(CONTENT.subarray(3000));
  assertEquals(await finishAs(file), { savedAs: "photo.jpg", hash: sha256(CONTENT) });
  assertEquals(await namesIn(inbox.path), ["photo.jpg"]);
  assertEquals(await Deno.readFile(inbox.pathOf("photo.jpg")), CONTENT);
});

Deno.test("the order of a finish: sync the file, tell the journal, link, sync the folder", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await openInbox(dir);
  await using file = await create(inbox);
  await file.write(CONTENT);
  dir.fs.calls.length = 0;
  await file.finish({
    name: "f",
    expectedHash: null,
    onPublishing: (savedAs) => {
      dir.fs.calls.push(`journal ${savedAs}`);
      return Promise.resolve();
    },
  });
  const order = dir.fs.calls.map((call) => call.split(" ")[0])
    .filter((call) => call !== "lstat" && call !== "names");
  assertEquals(order, ["sync", "journal", "link", "syncFolder", "remove", "syncFolder"]);
});

Deno.test("an empty file is received", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await openInbox(dir);
  await using file = await create(inbox, 0);
  const empty = sha256(new Uint8Array());
  const received = await file.finish({ name: "e", expectedHash: empty, onPublishing: nothing });
  assertEquals(received, { savedAs: "e", hash: empty });
  assertEquals((await Deno.stat(inbox.pathOf("e"))).size, 0);
});

Deno.test("short writes are gone on with: the content is whole", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 700 }), async (shortWrite) => {
      await using dir = await TemporaryFolder.make();
      const inbox = await openInbox(dir);
      dir.fs.inject({ on: "write", action: { shortWrite } });
      await using file = await create(inbox);
      for (let at = 0; at < CONTENT.length; at += 1024) {
        await file.write(CONTENT.subarray(at, at + 1024));
      }
      await finishAs(file);
      assertEquals(await Deno.readFile(inbox.pathOf("photo.jpg")), CONTENT);
    }),
    { numRuns: 15 },
  );
});

Deno.test('"mismatch: the file is discarded", even where parts are kept', async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await openInbox(dir);
  const size = CONTENT.length;
  await using file = await IncomingFile.create(inbox, { transferId: ID, size, onAbort: "keep" });
  await file.write(CONTENT);
  const wrong = { name: "x", expectedHash: "0".repeat(64), onPublishing: nothing };
  assertEquals(await codeOf(() => file.finish(wrong)), "HASH_MISMATCH");
  assertEquals(await namesIn(inbox.path), []);
});

Deno.test("more bytes than offered are refused, fewer are not published", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await openInbox(dir);
  {
    await using file = await create(inbox);
    await file.write(CONTENT.subarray(0, 4999));
    assertEquals(await codeOf(() => file.write(CONTENT.subarray(0, 2))), "SIZE_MISMATCH");
    assertEquals(await codeOf(() => finishAs(file)), "SIZE_MISMATCH");
    assertEquals((await Deno.stat(inbox.pathOf(PART))).size, 4999);
  }
  assertEquals(await namesIn(inbox.path), []);
});

Deno.test("an aborted file is removed, or kept up to its last whole chunk, as asked", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await openInbox(dir);
  const file = await create(inbox);
  await file.write(CONTENT.subarray(0, 100));
  dir.fs.inject({ on: "write", times: 1, action: { shortWrite: 7 } });
  dir.fs.inject({ on: "write", action: { fail: "ENOSPC" } });
  assertEquals(await codeOf(() => file.write(CONTENT.subarray(0, 50))), "DISK_FULL");
  assertEquals(await codeOf(() => file.write(CONTENT.subarray(0, 1))), "QUEUE_FULL");
  assertEquals(await file.abort("keep"), true);
  assertEquals(await Deno.readFile(inbox.pathOf(PART)), CONTENT.subarray(0, 100));
  assertEquals(await inbox.hasPart(ID), true);
  assertEquals(await codeOf(() => create(inbox)), "NAME_TAKEN");
  await inbox.removePart(ID);
  await inbox.removePart(ID);
  dir.fs.heal();
  const second = await create(inbox);
  assertEquals(await second.abort(), false);
  assertEquals(await namesIn(inbox.path), []);
});

Deno.test("one write at a time: a second one is refused, an abort waits for the one under way", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await openInbox(dir);
  const file = await create(inbox);
  const gate = Promise.withResolvers<void>();
  const before = async () => {
    await gate.promise;
    dir.fs.calls.push("the disk goes on");
  };
  dir.fs.inject({ on: "write", action: { before } });
  const first = file.write(CONTENT);
  assertEquals(await codeOf(() => file.write(CONTENT)), "QUEUE_FULL");
  const aborted = file.abort("keep");
  gate.resolve();
  await first;
  await aborted;
  const order = dir.fs.calls.map((call) => call.split(" /")[0]).slice(-3);
  assertEquals(order, ["the disk goes on", "truncate", "sync"]);
  assertEquals(await Deno.readFile(inbox.pathOf(PART)), CONTENT);
});

test("a part that is replaced while it is made is not used", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await openInbox(dir);
  const swap = async () => {
    await Deno.remove(inbox.pathOf(PART));
    await Deno.symlink(dir.at("victim"), inbox.pathOf(PART));
  };
  dir.fs.inject({ on: "lstat", path: /part$/, action: { before: swap } });
  assertEquals(await codeOf(() => create(inbox)), "INBOX_CHANGED");
});

test("nothing is ever overwritten: a taken name gets a number, or is refused by policy", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await openInbox(dir);
  await Deno.writeTextFile(inbox.pathOf("photo.jpg"), "mine");
  await Deno.writeTextFile(inbox.pathOf("PHOTO (1).JPG"), "mine, in capitals");
  await Deno.symlink("/nowhere", inbox.pathOf("photo (2).jpg"));
  await Deno.mkdir(inbox.pathOf("photo (3).jpg"));
  {
    await using file = await create(inbox);
    await file.write(CONTENT);
    const refuse = {
      name: "photo.jpg",
      expectedHash: null,
      collision: "refuse",
      onPublishing: nothing,
    } as const;
    assertEquals(await codeOf(() => file.finish(refuse)), "NAME_TAKEN");
    assertEquals((await finishAs(file)).savedAs, "photo (4).jpg");
  }
  assertEquals(await Deno.readTextFile(inbox.pathOf("photo.jpg")), "mine");
  assertEquals(await Deno.readTextFile(inbox.pathOf("PHOTO (1).JPG")), "mine, in capitals");
  assertEquals(await Deno.readLink(inbox.pathOf("photo (2).jpg")), "/nowhere");
});

Deno.test("a name that is taken in the last moment is not overwritten", async () => {
  for (const links of [true, false]) {
    await using dir = await TemporaryFolder.make();
    const inbox = await openInbox(dir);
    await using file = await create(inbox);
    await file.write(CONTENT);
    if (!links) dir.fs.inject({ on: "link", action: { fail: "EPERM" } });
    const tried: string[] = [];
    const { savedAs } = await file.finish({
      name: "a.txt",
      expectedHash: null,
      onPublishing: async (name) => {
        tried.push(name);
        if (tried.length < 3) await Deno.writeTextFile(inbox.pathOf(name), "theirs");
      },
    });
    assertEquals(tried, ["a.txt", "a (1).txt", "a (2).txt"]);
    assertEquals(savedAs, "a (2).txt");
    assertEquals(await Deno.readTextFile(inbox.pathOf("a.txt")), "theirs");
    assertEquals(await Deno.readFile(inbox.pathOf(savedAs)), CONTENT);
    assertEquals(await namesIn(inbox.path), ["a (1).txt", "a (2).txt", "a.txt"]);
  }
});

for (const errno of ["EPERM", "EOPNOTSUPP"] as const satisfies readonly Errno[]) {
  Deno.test(`a file system without hard links (${errno}) publishes by a reserved name`, async () => {
    await using dir = await TemporaryFolder.make();
    const inbox = await openInbox(dir);
    dir.fs.inject({ on: "link", action: { fail: errno } });
    await using file = await create(inbox);
    await file.write(CONTENT);
    assertEquals((await finishAs(file)).savedAs, "photo.jpg");
    assertEquals(await namesIn(inbox.path), ["photo.jpg"]);
    assertEquals(await Deno.readFile(inbox.pathOf("photo.jpg")), CONTENT);
  });
}

Deno.test("a failed rename takes its reservation back", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await openInbox(dir);
  dir.fs.inject({ on: "link", action: { fail: "EPERM" } });
  dir.fs.inject({ on: "rename", action: { fail: "EIO" } });
  {
    await using file = await create(inbox);
    await file.write(CONTENT);
    assertEquals(await codeOf(() => finishAs(file)), "IO_FAILED");
    assertEquals(await namesIn(inbox.path), [PART]);
  }
  assertEquals(await namesIn(inbox.path), []);
});

for (
  const [on, errno, code] of [
    ["open", "ENOSPC", "DISK_FULL"],
    ["open", "EACCES", "ACCESS_DENIED"],
    ["write", "ENOSPC", "DISK_FULL"],
    ["write", "EIO", "IO_FAILED"],
    ["sync", "EIO", "IO_FAILED"],
    ["link", "EIO", "IO_FAILED"],
    ["link", "ENOSPC", "DISK_FULL"],
    ["syncFolder", "EIO", "IO_FAILED"],
    ["names", "EACCES", "ACCESS_DENIED"],
  ] as const
) {
  Deno.test(`${errno} in ${on} is ${code}, tells the path, and no part stays`, async () => {
    await using dir = await TemporaryFolder.make();
    const inbox = await openInbox(dir);
    dir.fs.inject({ on, times: 1, action: { fail: errno } });
    const error = await assertRejects(async () => {
      await using file = await create(inbox);
      await file.write(CONTENT);
      await finishAs(file);
    }, StorageError);
    assertEquals(error.code, code);
    assertStringIncludes(error.message, inbox.path);
    assertEquals((await namesIn(inbox.path)).filter((name) => name.startsWith(".")), []);
  });
}

Deno.test("free space is asked for before, with a reserve, and what others still need", async () => {
  await using dir = await TemporaryFolder.make();
  const inbox = await openInbox(dir, dir.fs, { keepFreeBytes: 1000 });
  dir.fs.inject({ on: "freeSpace", action: { free: { known: true, bytes: 16_000 } } });
  const error = await assertRejects(
    () => IncomingFile.create(inbox, { transferId: ID, size: 15_001 }),
    StorageError,
  );
  assertEquals(error.code, "DISK_FULL");
  assertStringIncludes(error.message, "free space");
  const size = 10_000;
  const first = await IncomingFile.create(inbox, { transferId: ID, size });
  const second = () => IncomingFile.create(inbox, { transferId: transferId(2), size: 6000 });
  assertEquals(await codeOf(second), "DISK_FULL", "the first still needs 10,000");
  await first.write(new Uint8Array(1000));
  await (await second()).abort();
  await first.abort();
  const whole = await IncomingFile.create(inbox, { transferId: ID, size: 15_000 });
  await whole.abort();
});

Deno.test("where free space can't be asked for, files are received and the log says why, once", async () => {
  await using dir = await TemporaryFolder.make();
  dir.fs.inject({ on: "freeSpace", action: { free: { known: false, reason: "no flag" } } });
  const warnings: unknown[] = [];
  const ignore = () => {};
  const log = {
    error: ignore,
    info: ignore,
    debug: ignore,
    warn: (_: string, fields?: unknown) => void warnings.push(fields),
  };
  const inbox = await Inbox.open(dir.fs, { path: dir.at("inbox"), uid: Deno.uid(), log });
  for (let i = 0; i < 3; i++) await (await create(inbox, 2 ** 50)).abort();
  assertEquals(warnings, [{ reason: "no flag" }]);
});

test("a link planted at the part is not followed", async () => {
  for (const exists of [true, false]) {
    await using dir = await TemporaryFolder.make();
    const inbox = await openInbox(dir);
    if (exists) await Deno.writeTextFile(dir.at("victim"), "precious");
    await Deno.symlink(dir.at("victim"), inbox.pathOf(PART));
    assertEquals(await codeOf(() => create(inbox)), "NAME_TAKEN");
    await inbox.removePart(ID);
    const after = await Deno.readTextFile(dir.at("victim")).catch(() => "absent");
    assertEquals(after, exists ? "precious" : "absent");
  }
});

for (
  const when of ["before the finish", "before one without links", "while it is named"] as const
) {
  for (const kind of ["symlink", "file"] as const) {
    test(`a ${kind} put in place of the part ${when} is not published`, async () => {
      await using dir = await TemporaryFolder.make();
      const inbox = await openInbox(dir);
      await Deno.writeTextFile(dir.at("victim"), "precious");
      const swap = async () => {
        await Deno.remove(inbox.pathOf(PART));
        if (kind === "symlink") await Deno.symlink(dir.at("victim"), inbox.pathOf(PART));
        else await Deno.writeFile(inbox.pathOf(PART), new Uint8Array(CONTENT.length));
      };
      {
        await using file = await create(inbox);
        await file.write(CONTENT);
        if (when !== "while it is named") await swap();
        else dir.fs.inject({ on: "link", action: { before: swap } });
        if (when === "before one without links") {
          dir.fs.inject({ on: "link", action: { fail: "EPERM" } });
        }
        assertEquals(await codeOf(() => finishAs(file)), "INBOX_CHANGED");
      }
      assertEquals(await namesIn(inbox.path), [PART], "what was planted stays, unpublished");
      assertEquals(await Deno.readTextFile(dir.at("victim")), "precious");
    });
  }
}

test("an inbox swapped for a link or another folder is noticed at each step, nothing lands there", async () => {
  for (const kind of ["symlink", "folder"] as const) {
    for (let skip = 0;; skip++) {
      assertLess(skip, 40);
      await using dir = await TemporaryFolder.make();
      const inbox = await openInbox(dir);
      await Deno.mkdir(dir.at("outside"));
      const swap = async () => {
        await Deno.rename(inbox.path, dir.at("moved"));
        if (kind === "symlink") await Deno.symlink(dir.at("outside"), inbox.path);
        else await Deno.rename(dir.at("outside"), inbox.path);
      };
      let swapped = false;
      dir.fs.inject({
        skip,
        times: 1,
        action: {
          before: () => {
            swapped = true;
            return swap();
          },
        },
      });
      const receive = async () => {
        await using file = await create(inbox);
        await file.write(CONTENT);
        await finishAs(file);
      };
      const outcome = await receive().then(() => "done", (error) => error);
      if (!swapped) {
        assertEquals(outcome, "done");
        break;
      }
      const there = kind === "symlink" ? dir.at("outside") : inbox.path;
      for (const name of await namesIn(there)) {
        // The instant between the look and the call: an empty part, and an error.
        assertEquals(name, PART);
        assertEquals((await Deno.stat(`${there}/${name}`)).size, 0);
        assert(outcome instanceof Error);
      }
    }
  }
});

test("an inbox that is a link, no folder, or open for others to write is refused", async () => {
  await using dir = await TemporaryFolder.make();
  await Deno.mkdir(dir.at("real"));
  await Deno.symlink(dir.at("real"), dir.at("inbox"));
  assertEquals(await codeOf(() => openInbox(dir)), "FOLDER_INVALID");
  const slashed = { path: dir.at("inbox//"), uid: Deno.uid() };
  assertEquals(await codeOf(() => Inbox.open(denoFileSystem, slashed)), "FOLDER_INVALID");
  await Deno.remove(dir.at("inbox"));
  await Deno.writeTextFile(dir.at("inbox"), "");
  assertEquals(await codeOf(() => openInbox(dir)), "FOLDER_INVALID");
  await Deno.remove(dir.at("inbox"));
  await Deno.mkdir(dir.at("inbox"));
  await Deno.chmod(dir.at("inbox"), 0o775);
  const error = await assertRejects(() => openInbox(dir), StorageError, "chmod go-w");
  assertEquals(error.code, "MODE_TOO_OPEN");
  await Deno.chmod(dir.at("inbox"), 0o755);
  await openInbox(dir);
  const foreign = { path: dir.at("inbox"), uid: 4711 };
  assertEquals(await codeOf(() => Inbox.open(denoFileSystem, foreign)), "OWNER_FOREIGN");
});

test("handles are closed whatever call fails", async () => {
  // The test runner's resource check fails this test if one stays open.
  for (let skip = 0;; skip++) {
    assertLess(skip, 60);
    await using dir = await TemporaryFolder.make();
    await Deno.mkdir(dir.at("inbox"), { mode: 0o700 });
    const fs = new FaultyFileSystem(denoFileSystem);
    fs.inject({ skip, action: { fail: "EIO" } });
    const receive = async () => {
      const inbox = await openInbox(dir, fs);
      await using file = await create(inbox);
      await file.write(CONTENT);
      await finishAs(file);
    };
    if (await receive().then(() => true, () => false)) break;
  }
});
