import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { StorageError, UsageError } from "../base/errors.ts";
import { encodeApiFile, type TcpAddress } from "../ipc/api/address.ts";
import { DaemonUnreachableError } from "../ipc/client/client.ts";
import { ServedFake } from "../ipc/testing/served_fake.ts";
import { readCommandLine } from "./command_line.ts";
import type { Environment } from "./context.ts";
import { locationOf, type NamedApi, namedApi } from "./named_api.ts";
import { runBoltctl } from "./run.ts";
import { MemoryTerminal } from "./testing/memory_terminal.ts";

const NO_MODES = Deno.build.os === "windows"; // its files have ACLs, which nothing here reads
const ADDRESS: TcpAddress = { kind: "tcp", port: 9, token: "0a".repeat(32) };

const named = (words: readonly string[], environment: Environment): NamedApi =>
  namedApi(readCommandLine(["status", ...words]).flags, environment, (path) => `/here/${path}`);

/** A private folder that goes with the test. */
async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "bolt-named-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a flag wins over the environment; two of a kind are refused; an empty variable is none", () => {
  const both = { BOLT_SOCKET: "/s", BOLT_API: "/a" };
  assertEquals(named([], { BOLT_SOCKET: "/s", BOLT_API: "" }), { kind: "socket", path: "/s" });
  assertEquals(named([], { BOLT_SOCKET: "", BOLT_API: "/a" }), { kind: "file", path: "/a" });
  assertEquals(named(["--api", "/b"], both), { kind: "file", path: "/b" });
  assertEquals(named(["--socket=/t"], both), { kind: "socket", path: "/t" });
  assertEquals(named(["--api", "a.json"], {}), { kind: "file", path: "/here/a.json" });
  assertThrows(() => named([], both), UsageError, "both set: unset one");
  assertThrows(() => named(["--api", "/a", "--socket", "/s"], {}), UsageError, "leave out one");
  assertThrows(() => named([], {}), UsageError, "give --socket PATH or set BOLT_SOCKET");
});

Deno.test({
  name: "the file is read anew for each call, and must be private",
  ignore: NO_MODES,
  fn: () =>
    withFolder(async (folder) => {
      const path = `${folder}/api.json`;
      const { name, address } = locationOf({ kind: "file", path });
      assertEquals(name, path);
      await assertRejects(address, DaemonUnreachableError, `there is no ${path}`);
      await Deno.writeFile(path, encodeApiFile(ADDRESS), { mode: 0o600 });
      assertEquals(await address(), ADDRESS);
      await Deno.writeFile(path, encodeApiFile({ ...ADDRESS, port: 10 }));
      assertEquals(await address(), { ...ADDRESS, port: 10 });
      for (const mode of [0o640, 0o604, 0o620, 0o660]) {
        await Deno.chmod(path, mode);
        assertEquals((await assertRejects(address, StorageError)).code, "MODE_TOO_OPEN");
      }
      await Deno.chmod(path, 0o600);
      for (const text of ["", "{}", '{"url":"http://evil.example:9"}', "x".repeat(5000)]) {
        await Deno.writeTextFile(path, text);
        const error = await assertRejects(address, StorageError);
        assertEquals(error.code, "API_FILE_INVALID");
        assertStringIncludes(error.message, "name the api.json of a daemon");
      }
      await Deno.rename(path, `${folder}/other`);
      await Deno.symlink(`${folder}/other`, path);
      await assertRejects(address, StorageError, "is not a regular file");
    }),
});

Deno.test({
  name: "a file in a folder that belongs to another user is refused",
  ignore: NO_MODES || Deno.uid() !== 0, // only root can make one
  fn: () =>
    withFolder(async (folder) => {
      const path = `${folder}/api.json`;
      await Deno.writeFile(path, encodeApiFile(ADDRESS), { mode: 0o600 });
      await Deno.chown(path, 12_345, null);
      const error = await assertRejects(locationOf({ kind: "file", path }).address, StorageError);
      assertEquals(error.code, "OWNER_FOREIGN");
    }),
});

async function boltctl(...words: readonly string[]): Promise<MemoryTerminal & { code?: number }> {
  const terminal: MemoryTerminal & { code?: number } = new MemoryTerminal();
  const interruption = new AbortController().signal;
  terminal.code = await runBoltctl(words, { terminal, environment: {}, interruption });
  return terminal;
}

/** Writes the file of a daemon that serves over TCP, with other members where they are given. */
async function writeApiFile(
  folder: string,
  { address }: ServedFake,
  others: { readonly token?: string },
): Promise<string> {
  if (address.kind !== "tcp") throw new TypeError("It is served over TCP");
  const file = `${folder}/api.json`;
  await Deno.writeFile(file, encodeApiFile({ ...address, ...others }), { mode: 0o600 });
  return file;
}

Deno.test({
  name: "commands work over TCP, and say so where the daemon serves the other way",
  ignore: NO_MODES,
  fn: () =>
    withFolder(async (folder) => {
      await using served = await ServedFake.start({ transport: "tcp" });
      const file = await writeApiFile(folder, served, {});
      const good = await boltctl("peers", "--json", "--api", file);
      assertEquals([good.code, good.stderr], [0, ""]);
      const other = await boltctl("status", "--socket", `${folder}/daemon.sock`);
      assertEquals(other.code, 3);
      assertStringIncludes(
        other.stderr,
        `; the daemon of ${folder} serves over TCP: use --api ${file}`,
      );
      await Deno.remove(file);
      using _socket = Deno.listen({ transport: "unix", path: `${folder}/daemon.sock` });
      const missing = await boltctl("status", "--api", file);
      assertEquals(missing.code, 3);
      assertStringIncludes(missing.stderr, `there is no ${file}`);
      assertStringIncludes(missing.stderr, `use --socket ${folder}/daemon.sock`);
    }),
});

Deno.test({
  name: "a token of another run is no answer: the daemon of the file is not there",
  ignore: NO_MODES,
  fn: () =>
    withFolder(async (folder) => {
      await using served = await ServedFake.start({ transport: "tcp" });
      const stale = { token: "0".repeat(64) };
      const file = await writeApiFile(folder, served, stale);
      for (const command of ["status", "events", "doctor"]) {
        const terminal = await boltctl(command, "--api", file);
        assertEquals(terminal.code, command === "doctor" ? 1 : 3);
        const said = terminal.stdout + terminal.stderr;
        assertStringIncludes(said, `refuses the token of ${file}: it is another program`);
        assertStringIncludes(said, "left over from a daemon that was killed");
        assertEquals(said.includes(stale.token), false);
      }
    }),
});
