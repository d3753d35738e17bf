import { assertEquals, assertStringIncludes } from "@std/assert";
import { compileFile } from "./compile.ts";
import { sha256Hex } from "./output.ts";
import { hostTarget } from "./targets.ts";

const COMPILE = `${import.meta.dirname}/compile.ts`;

/** Runs the command with `denortBin` as the base binary. */
async function compile(out: string, denortBin: string): Promise<{ code: number; stderr: string }> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "-A", COMPILE, "--out", out],
    env: { DENO_NO_UPDATE_CHECK: "1", DENORT_BIN: denortBin },
  }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

Deno.test("without a base binary nothing is made, and the exit code and message say so", async () => {
  const out = await Deno.makeTempDir();
  try {
    const { code, stderr } = await compile(out, "/nonexistent");
    assertEquals(code, 1);
    assertStringIncludes(stderr, "[compile] FATAL: DENORT_BIN names no file: /nonexistent");
    assertEquals(await Array.fromAsync(Deno.readDir(out)), []);
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});

Deno.test({
  name:
    "with deno in place of the base binary nothing is made, and the message says what it would be",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const out = await Deno.makeTempDir();
    try {
      const { code, stderr } = await compile(out, Deno.execPath());
      assertEquals(code, 1);
      assertStringIncludes(
        stderr,
        "[compile] FATAL: made a file that is plain Deno, not bolt-daemon",
      );
      assertEquals(stderr.includes("compiled with"), false, stderr);
      assertEquals(await Array.fromAsync(Deno.readDir(out)), []);
    } finally {
      await Deno.remove(out, { recursive: true });
    }
  },
});

Deno.test({
  // The runtime stands in for the base binary: what is appended to it is the same.
  name: "compiling twice gives the same bytes, which hold both programs",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const { size } = await Deno.stat(Deno.execPath());
      const path = `${folder}/programs`;
      const made: Uint8Array<ArrayBuffer>[] = [];
      for (const _ of ["first", "second"]) {
        await compileFile(hostTarget(), path, Deno.execPath());
        made.push(await Deno.readFile(path));
      }
      const [first = new Uint8Array(), second = new Uint8Array()] = made;
      assertEquals(await sha256Hex(first), await sha256Hex(second));
      const appended = new TextDecoder().decode(first.subarray(size - (size % 4096)));
      for (const own of ["bolt-hello-v1", "the command-line client of bolt-daemon"]) {
        assertStringIncludes(appended, own);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
