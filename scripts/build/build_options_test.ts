import { assertEquals, assertThrows } from "@std/assert";
import { parseBuildOptions } from "./build_options.ts";
import { hostTarget, TARGETS } from "./targets.ts";

const targetsOf = (...args: string[]): string[] =>
  parseBuildOptions(args, "dist/x").targets.map(({ name }) => name);

Deno.test("without arguments it is built for this platform", () => {
  const { targets, out } = parseBuildOptions([], "dist/x");
  assertEquals([targets, out], [[hostTarget()], "dist/x"]);
});

Deno.test("targets are those named, each once, or all", () => {
  assertEquals(
    targetsOf("--target", "darwin-x64", "--target", "linux-arm64", "--target=darwin-x64"),
    ["darwin-x64", "linux-arm64"],
  );
  assertEquals(targetsOf("--all"), TARGETS.map(({ name }) => name));
});

Deno.test("what can't be built is refused with what can", () => {
  const cases: [string[], string][] = [
    [["--target", "beos"], "--target takes linux-x64, linux-arm64, darwin-x64, darwin-arm64"],
    [["--program", "boltctl"], "Unknown argument: --program"],
    [["--all", "--target", "linux-x64"], "--all builds every target"],
    [["--out", ""], "--out takes a folder"],
    [["--bogus"], "Unknown argument: --bogus"],
    [["stray"], "Unknown argument: stray"],
  ];
  for (const [args, reason] of cases) {
    assertThrows(() => parseBuildOptions(args, "dist/x"), Error, reason);
  }
});
