/**
 * What the system or the runtime refuses is told in words of ours: none of the runtime's text shows.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { boltctl } from "../boltctl/support/boltctl.ts";
import { DAEMON, run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";

/** Text of Deno, Node or Rust. */
const RUNTIME =
  /os error|--allow-|Requires \w+ access|No such file|NotCapable|\bE[A-Z]{3,}\b|at file:/;

/** Paths as the daemon's flags, with what is said of each. `FILE` is a file, `DATA` a folder. */
const SERVE: readonly (readonly [string, string])[] = [
  ["--data-dir /dev/x", "outside /dev, /proc and /sys"],
  ["--data-dir /proc/x/y", "outside /dev, /proc and /sys"],
  ["--data-dir FILE", "is not a folder"],
  ["--data-dir FILE/x", "a part of the path is not a folder"],
  ["--data-dir DATA --inbox /dev/x", "cannot use the inbox /dev/x"],
  ["--data-dir DATA --socket-path /dev/x/s", "The socket's folder /dev/x can't be used"],
  ["--data-dir DATA --socket-path FILE/s", "is not a folder"],
];

Deno.test({
  name: "serve tells in its own words of paths that the system refuses, in one line",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using folder = await TempFolder.make();
    await Deno.writeTextFile(folder.path("file"), "");
    for (const [line, says] of SERVE) {
      const words = line.replaceAll("FILE", folder.path("file"))
        .replaceAll("DATA", folder.path("data"));
      const { code, stderr } = await run(DAEMON, ["serve", ...words.split(" ")]);
      assertEquals(code, 1, line);
      const last = stderr.trimEnd().split("\n").at(-1) ?? "";
      assertStringIncludes(last, "[bolt-daemon] FATAL: ");
      assertStringIncludes(last, says);
      assert(!RUNTIME.test(stderr.replace(/code=\w+/, "")), stderr);
    }
  },
});

/** Permissions that a run may lack, with what is said then; file and network have other tests. */
const LACKING = {
  net:
    "no UDP socket can be opened: the program was started without the permission for the network",
  sys: "this machine's addresses can't be listed: the program was started without the permission",
};

for (const [permission, says] of Object.entries(LACKING)) {
  Deno.test(`the one-shot program without the ${permission} permission ends at once, and says why`, async () => {
    await using folder = await TempFolder.make();
    const args = DAEMON.args.filter((arg) => !arg.startsWith(`--allow-${permission}`));
    const paths = ["--offer", folder.path("offer"), "--answer", folder.path("answer")];
    const { code, stderr } = await run({ ...DAEMON, args }, ["--role", "offerer", ...paths]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `[bolt-daemon] FATAL: ${says}`);
    assertStringIncludes(stderr, "code=SETUP_FAILED");
    assert(!RUNTIME.test(stderr.replace(/code=\w+/, "")), stderr);
  });
}

Deno.test({
  name: "boltctl tells in its own words of sockets that can't be used, and ends with 3",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using folder = await TempFolder.make();
    await Deno.writeTextFile(folder.path("file"), "");
    const sockets = ["/dev/x", folder.path("none"), folder.path("file"), folder.path("file/x")];
    const long = folder.path("x".repeat(120));
    for (const socket of [...sockets, folder.path(), long]) {
      for (const command of ["status", "events"]) {
        const { code, stderr } = await run(boltctl(socket), [command]);
        assertEquals(code, 3, stderr);
        assertStringIncludes(stderr, "boltctl: The daemon can't be reached: ");
        assertStringIncludes(stderr, socket);
        assert(!stderr.includes("closed the connection"), stderr);
        assert(!RUNTIME.test(stderr), stderr);
      }
    }
  },
});
