import { assertEquals, assertLess, assertNotEquals, assertRejects } from "@std/assert";
import nacl from "tweetnacl";
import { StorageError } from "../base/errors.ts";
import { denoFileSystem } from "./file_system.ts";
import { openIdentity } from "./identity_file.ts";
import { FaultyFileSystem } from "./testing/faulty_file_system.ts";
import { namesIn, TemporaryFolder } from "./testing/temporary_folder.ts";

/** Windows has no modes and, for most users, no links. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const KEY = "data/identity.key";

test("identity file: 64 raw bytes, public(32) || secret(32), mode 0600", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const pair = await openIdentity(denoFileSystem, folder);
  const bytes = await Deno.readFile(dir.at(KEY));
  assertEquals(bytes.length, 64);
  assertEquals(bytes.subarray(0, 32), pair.publicKey.bytes);
  assertEquals(nacl.box.keyPair.fromSecretKey(bytes.subarray(32)).publicKey, pair.publicKey.bytes);
  assertEquals(((await Deno.stat(dir.at(KEY))).mode ?? 0) & 0o777, 0o600);
});

Deno.test("the identity is the same at each start, and another in another folder", async () => {
  await using dir = await TemporaryFolder.make();
  await using other = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  using otherFolder = await other.dataFolder();
  const first = await openIdentity(denoFileSystem, folder);
  const hexOf = async (of: typeof folder) => (await openIdentity(denoFileSystem, of)).publicKey.hex;
  assertEquals(await hexOf(folder), first.publicKey.hex);
  assertNotEquals(await hexOf(otherFolder), first.publicKey.hex);
});

/** Spoils an identity file, opens it, and gives the refusal's code; the file must be untouched. */
async function refusalOf(spoil: (path: string, bytes: Uint8Array) => Promise<void>) {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  await openIdentity(denoFileSystem, folder);
  await spoil(dir.at(KEY), await Deno.readFile(dir.at(KEY)));
  const before = await Deno.readFile(dir.at(KEY));
  const error = await assertRejects(() => openIdentity(denoFileSystem, folder), StorageError);
  assertEquals(await Deno.readFile(dir.at(KEY)), before);
  return error.code;
}

test('"Wrong length or looser mode: refuse to start, never regenerate"', async () => {
  for (const length of [0, 1, 32, 63]) {
    assertEquals(
      await refusalOf((path, bytes) => Deno.writeFile(path, bytes.subarray(0, length))),
      "IDENTITY_INVALID",
    );
  }
  assertEquals(
    await refusalOf((path, bytes) => Deno.writeFile(path, new Uint8Array([...bytes, 0]))),
    "IDENTITY_INVALID",
  );
  for (const mode of [0o640, 0o604, 0o601, 0o660]) {
    assertEquals(await refusalOf((path) => Deno.chmod(path, mode)), "MODE_TOO_OPEN");
  }
});

Deno.test("keys that don't belong together are refused, whichever bit was flipped", async () => {
  // Bit 6 of byte 45 is in the middle of the secret key; the clamped bits don't count.
  for (const [index, bit] of [[0, 1], [31, 1], [45, 64], [63, 1]] as const) {
    const code = await refusalOf(async (path, bytes) => {
      bytes[index] = (bytes[index] ?? 0) ^ bit;
      await Deno.writeFile(path, bytes);
    });
    assertEquals(code, "IDENTITY_INVALID");
  }
});

test("an identity that is a symbolic link is refused", async () => {
  const code = await refusalOf(async (path) => {
    await Deno.rename(path, path + ".moved");
    await Deno.symlink(path + ".moved", path);
  });
  assertEquals(code, "IDENTITY_INVALID");
});

test("an identity that is replaced between the look and the opening is refused", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  await openIdentity(denoFileSystem, folder);
  await Deno.copyFile(dir.at(KEY), dir.at("other"));
  const swap = async () => {
    await Deno.remove(dir.at(KEY));
    await Deno.symlink(dir.at("other"), dir.at(KEY));
  };
  dir.fs.inject({ on: "open", path: /identity\.key$/, action: { before: swap } });
  const error = await assertRejects(() => openIdentity(dir.fs, folder), StorageError, "replaced");
  assertEquals(error.code, "IDENTITY_INVALID");
});

Deno.test("an identity that can't be read is an error, not a reason for a new one", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  const pair = await openIdentity(denoFileSystem, folder);
  for (const on of ["lstat", "open", "read", "status"] as const) {
    for (const errno of ["EACCES", "EIO"] as const) {
      dir.fs.heal();
      dir.fs.inject({ on, path: /identity\.key$/, action: { fail: errno } });
      const error = await assertRejects(() => openIdentity(dir.fs, folder), StorageError);
      assertEquals(error.code, errno === "EIO" ? "IO_FAILED" : "ACCESS_DENIED");
    }
  }
  assertEquals(await openIdentity(denoFileSystem, folder), pair);
});

for (const witness of ["pins/trust.json", "pins/peers.json", "journal.ndjson"]) {
  Deno.test(`a folder with ${witness} but no identity gets no new one`, async () => {
    await using dir = await TemporaryFolder.make();
    using folder = await dir.dataFolder();
    await Deno.writeTextFile(dir.at(`data/${witness}`), "");
    const error = await assertRejects(() => openIdentity(denoFileSystem, folder), StorageError);
    assertEquals(error.code, "IDENTITY_MISSING");
    assertEquals((await namesIn(dir.at("data"))).includes("identity.key"), false);
  });
}

Deno.test("an error while an identity is made wipes the secret and leaves no file", async () => {
  await using dir = await TemporaryFolder.make();
  using folder = await dir.dataFolder();
  dir.fs.inject({ on: "sync", action: { fail: "ENOSPC" } });
  let secret = new Uint8Array();
  const random = (length: number) => secret = new Uint8Array(length).fill(7);
  const error = await assertRejects(
    () => openIdentity(dir.fs, folder, { random }),
    StorageError,
  );
  assertEquals(error.code, "DISK_FULL");
  assertEquals(secret, new Uint8Array(32));
  assertEquals(await namesIn(dir.at("data")), ["lock", "pins"]);
});

for (const crash of ["process", "power"] as const) {
  Deno.test(`a ${crash} crash at each call of the first start leaves no identity or a whole one`, async () => {
    const outcomes = new Set<boolean>();
    for (let skip = 0;; skip++) {
      assertLess(skip, 60);
      await using dir = await TemporaryFolder.make();
      const fs = new FaultyFileSystem(denoFileSystem);
      fs.inject({ skip, action: { crash } });
      const start = async () => {
        using folder = await dir.dataFolder(fs);
        return await openIdentity(fs, folder);
      };
      const promised = await start().catch(() => undefined);
      const exists = await Deno.readFile(dir.at(KEY)).catch(() => undefined);
      outcomes.add(exists !== undefined);
      using folder = await dir.dataFolder();
      const restarted = await openIdentity(denoFileSystem, folder);
      if (exists !== undefined) assertEquals(restarted.publicKey.bytes, exists.subarray(0, 32));
      assertEquals(await namesIn(dir.at("data")), ["identity.key", "lock", "pins"]);
      if (promised === undefined) continue;
      assertEquals(restarted.publicKey.hex, promised.publicKey.hex);
      break;
    }
    assertEquals([...outcomes].sort(), [false, true]);
  });
}
