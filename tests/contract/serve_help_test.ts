/**
 * `bolt-daemon serve` and `bolt-daemon ctl` explain themselves on stdout and end with 0; the one-shot
 * program does not, as its contract says.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import project from "../../deno.json" with { type: "json" };
import { DAEMON, type Program, run } from "../support/program.ts";

/** The daemon without permission for any file, network or variable: help needs none. */
const POWERLESS: Program = {
  ...DAEMON,
  args: DAEMON.args.filter((arg) => !/^--allow-(net|read|write|sys|env)/.test(arg)),
};

const EXPLAINED: readonly (readonly [words: readonly string[], begins: string])[] = [
  [["serve", "--help"], "Usage: bolt-daemon serve --data-dir DIR [options]\n"],
  [["serve", "--max-peers", "0", "-h"], "Usage: bolt-daemon serve --data-dir DIR [options]\n"],
  [["serve", "--version"], `bolt-daemon ${project.version}\n`],
  [["ctl", "--help"], "boltctl: the command-line client of bolt-daemon\n"],
  [["ctl", "-h"], "boltctl: the command-line client of bolt-daemon\n"],
  [["ctl", "send", "-h"], "Send files and folders to a connected or linked peer.\n"],
  [["ctl", "--version"], `boltctl ${project.version}\n`],
];

for (const [words, begins] of EXPLAINED) {
  Deno.test(`bolt-daemon ${words.join(" ")} answers on stdout and exits 0`, async () => {
    const { code, stdout, stderr } = await run(POWERLESS, words);
    assertEquals([code, stderr], [0, ""]);
    assert(stdout.startsWith(begins), stdout);
  });
}

for (const flag of ["--help", "-h", "--version"]) {
  Deno.test(`bolt-daemon ${flag} stays an unknown argument and exits 1`, async () => {
    const { code, stdout, stderr } = await run(POWERLESS, [flag]);
    assertEquals([code, stdout], [1, ""]);
    assertStringIncludes(stderr, `[bolt-daemon] FATAL: Unknown argument: ${flag}`);
  });
}

Deno.test("a mistyped flag of serve is told the one that is near it, behind the contract's words", async () => {
  const { code, stderr } = await run(POWERLESS, ["serve", "--data-dri", "/d"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "FATAL: Unknown argument: --data-dri; did you mean --data-dir?");
});
