import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { SERVE_FLAGS } from "../app/daemon/options.ts";
import { type FlagEntry, flagName } from "../vocabulary/flag_table.ts";
import { commandLine, HELP_COLUMNS, rows } from "./help_layout.ts";
import { askedOfServe, serveHelp } from "./serve_help.ts";

Deno.test("help of serve has every flag with its default, on 80 columns", () => {
  const lines = serveHelp();
  const text = lines.slice(lines.indexOf("Flags:")).join(" ").replaceAll(/\s+/g, " ");
  for (const [option, flag] of Object.entries<FlagEntry>(SERVE_FLAGS)) {
    const after = text.slice(text.indexOf(` --${flagName(option)} `)).slice(1);
    const own = after.slice(0, after.indexOf(" --"));
    assertStringIncludes(own, `--${flagName(option)} `);
    if (flag.default !== undefined) assertStringIncludes(own, `default: ${flag.default})`);
    if (flag.required !== undefined) assertStringIncludes(own, "(required)");
  }
  for (const line of lines) assert(line.length <= HELP_COLUMNS, line);
});

Deno.test("serve is asked for help or its version by a flag before --", () => {
  assertEquals(askedOfServe(["--help"]), "help");
  assertEquals(askedOfServe(["--data-dir", "/d", "-h", "--version"]), "help");
  assertEquals(askedOfServe(["--version"]), "version");
  assertEquals(askedOfServe([]), undefined);
  assertEquals(askedOfServe(["--data-dir=--help", "--", "--help"]), undefined);
});

Deno.test("a long word of a row has a line of its own, and meanings are wrapped", () => {
  assertEquals(rows([["--a X", "short"], [`--${"b".repeat(40)}`, `${"word ".repeat(20)}end`]]), [
    "  --a X  short",
    `  --${"b".repeat(40)}`,
    `         ${"word ".repeat(14).trim()}`,
    `         ${"word ".repeat(6)}end`,
  ]);
});

Deno.test("a long command line goes on behind a backslash, flags beside their values", () => {
  assertEquals(commandLine(`p trust ${"1".repeat(64)} --name bob --all`), [
    `  p trust ${"1".repeat(64)} \\`,
    "   --name bob --all",
  ]);
  assertEquals(commandLine("p"), ["  p"]);
});
