import { assertEquals, assertStringIncludes } from "@std/assert";
import { completionScript } from "./completion_script.ts";
import { COMMANDS } from "./command_table.ts";

/** Windows has no POSIX shell and no /proc. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

/** What bash offers for the last word; undefined where there is no bash. */
async function completed(...words: string[]): Promise<string[] | undefined> {
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const script = completionScript("bash") +
    `COMP_WORDS=(boltctl ${quoted}); COMP_CWORD=${words.length}; _boltctl; ` +
    `printf '%s\\n' "\${COMPREPLY[@]}"`;
  try {
    const command = new Deno.Command("bash", { args: ["--norc", "-c", script] });
    const { stdout, stderr } = await command.output();
    assertEquals(new TextDecoder().decode(stderr), "");
    return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

const bash = await completed("ver") !== undefined;
if (!bash) {
  // deno-lint-ignore no-console
  console.warn("Skipping the tests of completion in bash: it is not here");
}

Deno.test({
  name: "bash completes commands, flags, words of a choice, and names of files",
  ignore: !bash,
  async fn() {
    assertEquals(await completed("pa"), ["pair", "pause"]);
    assertEquals(await completed("--socket", "/s", "stat"), ["status"]);
    assertEquals(await completed("send", "--pr"), ["--priority"]);
    assertEquals(await completed("pair", "--role", ""), ["offerer", "answerer"]);
    assertEquals(await completed("completion", "z"), ["zsh"]);
    assertEquals(await completed("help", "sta"), ["status"]);
    assertEquals(await completed("pair", "--room", ""), []);
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${folder}/a file`, "");
      assertEquals(await completed("send", `${folder}/a`), [`${folder}/a file`]);
      assertEquals(await completed("--socket", `${folder}/a`), [`${folder}/a file`]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

test("every script names every command and every flag", () => {
  for (const shell of ["bash", "zsh", "fish"] as const) {
    const script = completionScript(shell);
    for (const { name, flags } of COMMANDS) {
      assertStringIncludes(script, name);
      for (const flag of flags) {
        assertStringIncludes(script, shell === "fish" ? `-l ${flag.name}` : `--${flag.name}`);
      }
    }
  }
});
