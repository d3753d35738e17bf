import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseBench, type Part, PARTS, UsageError } from "./options.ts";

Deno.test("without a name all parts run; with names these, in the order of the list", () => {
  assertEquals(parseBench([]).parts, Object.keys(PARTS) as Part[]);
  assertEquals(parseBench(["small", "files"]).parts, ["files", "small"]);
});

Deno.test("flags are numbers, and what is left out is left to each part", () => {
  assertEquals(parseBench(["files"]).options, { dryRun: false });
  const args = ["files", "--rounds", "2", "--mib=32", "--idle-seconds", "5", "--dry-run"];
  assertEquals(parseBench(args).options, { rounds: 2, mib: 32, idleSeconds: 5, dryRun: true });
});

Deno.test("an unknown part or flag, or a number that is none, is told in plain words with what there is", () => {
  for (
    const [args, says] of [
      [["fils"], "there is no part fils"],
      [["toString"], "there is no part toString"],
      [["files", "--round", "1"], "there is no flag --round"],
      [["--rounds", "0"], "--rounds takes a whole number from 1 on"],
      [["--mib", "big"], "--mib takes a whole number from 1 on"],
    ] as const
  ) {
    const { message } = assertThrows(() => parseBench(args), UsageError);
    assertStringIncludes(message, says);
    for (const part of Object.keys(PARTS)) assertStringIncludes(message, `  ${part}`);
  }
});
