import { assertRejects } from "@std/assert";
import { FirstStartError, requireStarts } from "./first_start.ts";
import { DOWNLOAD } from "./programs.ts";

const ANSWERS = `[ "$*" = 'ctl version' ] && { echo 'boltctl 1.2.3'; exit 0; }
echo 'Usage: bolt-daemon --role offerer|answerer' >&2; exit 1`;

/** Starts a shell script in place of what is built. */
async function starts(script: string, dir?: string): Promise<void> {
  const path = await Deno.makeTempFile(dir === undefined ? {} : { dir, prefix: ".first-start-" });
  try {
    await Deno.writeTextFile(path, `#!/bin/sh\n${script}\n`);
    await Deno.chmod(path, 0o755);
    await requireStarts(DOWNLOAD, path);
  } finally {
    await Deno.remove(path);
  }
}

function test(name: string, body: () => Promise<void>): void {
  Deno.test({ name, ignore: Deno.build.os === "windows", fn: body });
}

test("a file that answers as both programs do was made", async () => {
  await starts(ANSWERS);
});

test("a file that is named by a relative path is started too", async () => {
  await starts(ANSWERS, ".");
});

test("a file that answers otherwise was not made, whatever its exit code", async () => {
  for (const script of ["exit 1", "exit 0", "echo 'Usage: bolt-daemon' >&2", "kill -9 $$"]) {
    await assertRejects(() => starts(script), FirstStartError, "does not start as bolt-daemon:");
  }
});

test("a file that holds one of the programs only was not made", async () => {
  await assertRejects(
    () => starts("echo 'Usage: bolt-daemon --role offerer|answerer' >&2; exit 1"),
    FirstStartError,
    "does not start as bolt-daemon ctl version: it ended with 1",
  );
});

test("a file that is plain Deno was not made", async () => {
  await assertRejects(
    () => requireStarts(DOWNLOAD, Deno.execPath()),
    FirstStartError,
    "made a file that is plain Deno",
  );
});

test("a file that can't be started was not made", async () => {
  await assertRejects(
    () => requireStarts(DOWNLOAD, "/nonexistent"),
    FirstStartError,
    "can't be started",
  );
});
