import { assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";

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
  // The runtime stands in for the base binary: what is appended to it is the same.
  name: "compiling twice gives the same bytes, which hold the programs",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const out = await Deno.makeTempDir();
    try {
      const sums: string[] = [];
      for (const run of ["first", "second"]) {
        const { code, stderr } = await compile(`${out}/${run}`, Deno.execPath());
        assertEquals(code, 0, stderr);
        sums.push(await Deno.readTextFile(`${out}/${run}/SHA256SUMS`));
      }
      assertEquals(sums[0], sums[1]);
      const { size } = await Deno.stat(Deno.execPath());
      const own = ["bolt-hello-v1", "the command-line client of bolt-daemon"];
      for (const [i, line] of (sums[0] ?? "").trim().split("\n").entries()) {
        const [, name = ""] = line.split("  ");
        const compiled = await Deno.readFile(`${out}/first/${name}`);
        const appended = new TextDecoder().decode(compiled.subarray(size - (size % 4096)));
        assertNotEquals(appended.indexOf(own[i] ?? "no third program"), -1, name);
      }
    } finally {
      await Deno.remove(out, { recursive: true });
    }
  },
});
