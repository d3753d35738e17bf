import { assertRejects } from "@std/assert";
import { FirstStartError, requireStarts } from "./first_start.ts";
import { PROGRAMS } from "./programs.ts";

/** Starts a shell script in place of each program that is built. */
async function startsAs(name: string, script: string, dir?: string): Promise<void> {
  const program = PROGRAMS.find((one) => one.name === name);
  if (program === undefined) throw new Error(`no program ${name}`);
  const path = await Deno.makeTempFile(dir === undefined ? {} : { dir, prefix: ".first-start-" });
  try {
    await Deno.writeTextFile(path, `#!/bin/sh\n${script}\n`);
    await Deno.chmod(path, 0o755);
    await requireStarts(program, path);
  } finally {
    await Deno.remove(path);
  }
}

function test(name: string, body: () => Promise<void>): void {
  Deno.test({ name, ignore: Deno.build.os === "windows", fn: body });
}

test("a file that answers as the program does was made", async () => {
  await startsAs("bolt-daemon", "echo 'Usage: bolt-daemon --role offerer|answerer' >&2; exit 1");
  await startsAs("boltctl", "[ $1 = version ] && echo 'boltctl 1.2.3'");
});

test("a file that is named by a relative path is started too", async () => {
  await startsAs("boltctl", "echo 'boltctl 1.2.3'", ".");
});

test("a file that answers otherwise was not made, whatever its exit code", async () => {
  for (const script of ["exit 1", "exit 0", "echo 'Usage: bolt-daemon' >&2", "kill -9 $$"]) {
    await assertRejects(
      () => startsAs("bolt-daemon", script),
      FirstStartError,
      "does not start as bolt-daemon",
    );
  }
});

test("a file that is plain Deno was not made", async () => {
  for (const program of PROGRAMS) {
    await assertRejects(
      () => requireStarts(program, Deno.execPath()),
      FirstStartError,
      "made a file that is plain Deno",
    );
  }
});

test("a file that can't be started was not made", async () => {
  const [program] = PROGRAMS;
  if (program === undefined) throw new Error("no program is built");
  await assertRejects(
    () => requireStarts(program, "/nonexistent"),
    FirstStartError,
    "can't be started",
  );
});
