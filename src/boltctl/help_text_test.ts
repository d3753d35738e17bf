import { assert } from "@std/assert";
import { HELP_COLUMNS } from "../cli/help_layout.ts";
import { COMMANDS } from "./command_table.ts";
import { commandHelp, overview } from "./help_text.ts";

Deno.test("no line of any help is longer than 80 columns", () => {
  for (const lines of [overview(), ...COMMANDS.map(commandHelp)]) {
    for (const line of lines) assert(line.length <= HELP_COLUMNS, line);
  }
});
