/**
 * docs/BOLTCTL.md says what boltctl does.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { BOLTCTL_PERMISSIONS } from "../../scripts/build/permissions.ts";
import { readCommandLine } from "../../src/boltctl/command_line.ts";
import { COMMANDS } from "../../src/boltctl/command_table.ts";
import { EXIT_MEANINGS } from "../../src/boltctl/exit_codes.ts";

const text = await Deno.readTextFile(new URL("../../docs/BOLTCTL.md", import.meta.url));

/** Cells of the rows of a section's table. */
function table(heading: string): string[][] {
  const section = text.split(/^## /m).find((one) => one.startsWith(heading)) ?? "";
  return section.split("\n").filter((line) => line.startsWith("|")).slice(2)
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

Deno.test("the document lists every command and every exit code, as help does", () => {
  assertEquals(
    table("Commands"),
    COMMANDS.map(({ name, summary }) => [`\`${name}\``, summary]),
  );
  assertEquals(
    table("Exit codes"),
    EXIT_MEANINGS.map(([code, meaning]) => [String(code), meaning]),
  );
});

Deno.test("every command line of the document can be obeyed", () => {
  const lines = [...text.matchAll(/^boltctl (.+?)(?:\s+#.*)?$/gm)].map(([, words]) => words ?? "");
  assert(lines.length > 8);
  for (const line of lines) readCommandLine(line.split(" "));
});

Deno.test("the document tells the permissions that boltctl is built with", () => {
  const told = /^`(--allow-net .*)`$/m.exec(text)?.[1]?.split(" ");
  assertEquals(told?.toSorted(), BOLTCTL_PERMISSIONS.slice(1).toSorted());
});
