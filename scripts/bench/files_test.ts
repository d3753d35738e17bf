import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "../../tests/support/paths.ts";
import { HAS_PROC, NEEDS_PROC } from "../../tests/support/process_usage.ts";

const MAIN = fromFileUrl(new URL("main.ts", import.meta.url));

async function bench(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", "-A", MAIN, ...args],
    // Without git there is no history, as in a shallow clone.
    env: { PATH: "/nowhere", NO_COLOR: "1" },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, stdout: out ?? "", stderr: err ?? "" };
}

Deno.test({
  name: "a small file is measured by TCP and by UDP, and what can't be measured is told" +
    NEEDS_PROC,
  ignore: !HAS_PROC,
  fn: async () => {
    const { code, stdout, stderr } = await bench("files", "--mib=1", "--rounds=1", "--dry-run");
    assertEquals(code, 0, stderr);
    assertStringIncludes(stderr, "not measured: 022328f");
    for (const transport of ["TCP", "UDP"]) {
      assertMatch(stdout, new RegExp(`^\\| ours, ${transport} \\| +[\\d.]+ \\|`, "m"), stderr);
    }
    assertEquals(/^\| 022328f/m.test(stdout), false);
    assertEquals(stdout.includes("lost"), false, stderr);
  },
});

Deno.test("a part that is not there ends the bench with a plain sentence", async () => {
  const { code, stdout, stderr } = await bench("fils");
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, /^bench: there is no part fils\nUsage: deno task bench /);
});
