/**
 * The installer, run as an operator runs it, on builds made up for the test.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { TempFolder } from "../tests/support/temp_folder.ts";
import { fromFileUrl } from "../tests/support/paths.ts";
import { sha256Hex, writeChecksums } from "./build/output.ts";
import { hostTarget } from "./build/targets.ts";

const SCRIPT = fromFileUrl(new URL("./install.sh", import.meta.url));
const ignore = Deno.build.os === "windows";

/** A build for this platform in `folder/build`, and a home in `folder/home`. */
async function makeBuild(folder: TempFolder, target = hostTarget().name): Promise<void> {
  await Deno.mkdir(folder.path("build"));
  await Deno.mkdir(folder.path("home"));
  const name = `bolt-daemon-${target}`;
  const content = new TextEncoder().encode('#!/bin/sh\necho this is "${0##*/}"\n');
  await Deno.writeFile(folder.path("build", name), content);
  await writeChecksums(folder.path("build"), [{ name, sha256: await sha256Hex(content) }]);
}

const FILE = `bolt-daemon-${hostTarget().name}`;

async function install(
  folder: TempFolder,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stderr: string }> {
  const { code, stderr, stdout } = await new Deno.Command("sh", {
    args: [SCRIPT, ...args],
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH") ?? "", HOME: folder.path("home"), ...env },
    stdin: "null",
  }).output();
  assertEquals(new TextDecoder().decode(stdout), "");
  return { code, stderr: new TextDecoder().decode(stderr) };
}

/** Everything under the home: paths, sorted. */
async function installed(folder: TempFolder, top = "home"): Promise<string[]> {
  const found: string[] = [];
  const walk = async (path: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(folder.path(top, path))) {
      if (isDirectory) await walk(`${path}${name}/`);
      else found.push(`${path}${name}`);
    }
  };
  await walk("");
  return found.toSorted();
}

Deno.test({
  name: "a build whose sums are right is installed into ~/.local/bin and runs",
  ignore,
  fn: async () => {
    await using folder = await TempFolder.make();
    await makeBuild(folder);
    const { code, stderr } = await install(folder, [folder.path("build")]);
    assertEquals(code, 0, stderr);
    assertEquals(await installed(folder), [".local/bin/bolt-daemon", ".local/bin/boltctl"]);
    assertStringIncludes(stderr, "is not in PATH");
    const inodes = new Set<number | null>();
    for (const name of ["bolt-daemon", "boltctl"]) {
      const program = folder.path("home", ".local", "bin", name);
      const { stdout } = await new Deno.Command(program).output();
      assertEquals(new TextDecoder().decode(stdout), `this is ${name}\n`);
      inodes.add((await Deno.stat(program)).ino);
    }
    assertEquals(inodes.size, 1, "two files on the disk");
  },
});

Deno.test({
  name: "--prefix names another place; installing again replaces what is there",
  ignore,
  fn: async () => {
    await using folder = await TempFolder.make();
    await makeBuild(folder);
    const prefix = folder.path("a b");
    for (const flag of [["--prefix", prefix], [`--prefix=${prefix}`]]) {
      const PATH = `${Deno.env.get("PATH") ?? ""}:${prefix}/bin`;
      const { code, stderr } = await install(folder, [...flag, folder.path("build")], { PATH });
      assertEquals(code, 0, stderr);
      assertEquals(await installed(folder, "a b"), ["bin/bolt-daemon", "bin/boltctl"]);
      assert(!stderr.includes("not in PATH"), stderr);
    }
    assertEquals(await installed(folder), []);
  },
});

Deno.test({
  name: "when the file is not what its sum says, nothing is installed",
  ignore,
  fn: async () => {
    await using folder = await TempFolder.make();
    await makeBuild(folder);
    await Deno.writeTextFile(folder.path("build", FILE), "other", { append: true });
    const { code, stderr } = await install(folder, [folder.path("build")]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `FATAL: ${FILE} is not what SHA256SUMS says`);
    assertEquals(await installed(folder), []);
  },
});

Deno.test({
  name: "without a sum that can be relied on nothing is installed",
  ignore,
  fn: async (t) => {
    const name = FILE;
    const zeros = "0".repeat(64);
    const cases: { what: string; sums: string | undefined; says: string }[] = [
      { what: "no SHA256SUMS", sums: undefined, says: "SHA256SUMS is missing" },
      { what: "an empty one", sums: "", says: "does not tell the sum" },
      { what: "another file's", sums: `${zeros}  ${name}.old\n`, says: "does not tell the sum" },
      {
        what: "two for the name",
        sums: `${zeros}  ${name}\n${zeros}  ${name}\n`,
        says: "does not tell the sum",
      },
      { what: "too short", sums: `0000  ${name}\n`, says: "does not tell the sum" },
      { what: "wrong", sums: `${zeros}  ${name}\n`, says: "is not what SHA256SUMS says" },
    ];
    for (const { what, sums, says } of cases) {
      await t.step(what, async () => {
        await using folder = await TempFolder.make();
        await makeBuild(folder);
        const path = folder.path("build", "SHA256SUMS");
        if (sums === undefined) await Deno.remove(path);
        else await Deno.writeTextFile(path, sums);
        const { code, stderr } = await install(folder, [folder.path("build")]);
        assertEquals(code, 1);
        assertStringIncludes(stderr, says);
        assertEquals(await installed(folder), []);
      });
    }
  },
});

Deno.test({
  name: "bad use, and a folder without a program for this platform, end with a sentence and 1",
  ignore,
  fn: async () => {
    await using folder = await TempFolder.make();
    await makeBuild(folder, "beos-x64");
    const cases: [string[], string][] = [
      [["--bogus"], "Unknown argument: --bogus"],
      [["--prefix"], "--prefix requires a folder"],
      [["a", "b"], "one folder is enough"],
      [[folder.path("build")], "holds no program for"],
    ];
    for (const [args, says] of cases) {
      const { code, stderr } = await install(folder, args);
      assertEquals(code, 1, stderr);
      assertStringIncludes(stderr, `[install] FATAL: `);
      assertStringIncludes(stderr, says);
    }
    const homeless = await install(folder, [folder.path("build")], { HOME: "" });
    assertStringIncludes(homeless.stderr, "set HOME, or give --prefix DIR");
    assertEquals(await installed(folder), []);
  },
});

Deno.test("the installer uses no network: it checks what is there", async () => {
  const script = await Deno.readTextFile(SCRIPT);
  for (const program of ["curl", "wget", "sudo", "https://"]) {
    assert(!script.includes(program), program);
  }
});
