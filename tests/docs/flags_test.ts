/**
 * The contract's tables of flags are the programs' own: the same flags, defaults and bounds.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { SERVE_FLAGS } from "../../src/app/daemon/options.ts";
import { ONE_SHOT_FLAGS } from "../../src/app/one_shot/options.ts";
import { EXTENSIONS } from "../../src/protocol/extensions.ts";
import { type FlagEntry, flagName, type FlagTable } from "../../src/vocabulary/flag_table.ts";
import { choicesOf } from "../../src/vocabulary/value_kind.ts";

const contract = await Deno.readTextFile(new URL("../../docs/DAEMON_CONTRACT.md", import.meta.url));

/** A row of a table of flags: its cells. */
interface Row {
  readonly flag: string;
  readonly standard: string;
  readonly takes: string;
}

/** The rows of the first table after a heading. */
function rowsAfter(heading: string): Row[] {
  const lines = contract.slice(contract.indexOf(`\n${heading}\n`)).split("\n");
  const first = lines.findIndex((line) => line.startsWith("| `--"));
  const end = lines.findIndex((line, i) => i > first && !line.startsWith("|"));
  return lines.slice(first, end).map((line) => {
    const [, flag = "", standard = "", takes = ""] = line.split(" | ").flatMap((cell, i) =>
      i === 0 ? ["", cell.slice(2)] : [cell]
    ).map((cell) => cell.trim());
    return { flag: flag.replaceAll("`", ""), standard, takes };
  });
}

/** Whether the row's default is that of the table. */
function hasDefault({ standard }: Row, { kind, required, default: value }: FlagEntry): boolean {
  if (required !== undefined) return standard === "required";
  const told = /^`(.*)`$/.exec(standard)?.[1];
  return value === undefined ? told === undefined : kind.parse(told ?? "") === value;
}

function checkTable(heading: string, table: FlagTable): void {
  const rows = rowsAfter(heading);
  assertEquals(
    rows.map(({ flag }) => flag),
    Object.keys(table).map((name) => `--${flagName(name)}`),
  );
  for (const [i, spec] of Object.values(table).entries()) {
    const row = rows[i];
    assert(row !== undefined && hasDefault(row, spec), `default of ${row?.flag}`);
    for (const word of choicesOf(spec.kind) ?? []) assertStringIncludes(row.takes, `\`${word}\``);
    const { kind } = spec;
    if ("min" in kind && "max" in kind) {
      assertStringIncludes(row.takes, `${kind.min} to ${kind.max}`);
    }
  }
}

Deno.test("the contract has every flag of the one-shot program, its default, and what it takes", () => {
  checkTable("## Usage", ONE_SHOT_FLAGS);
});

Deno.test("the contract has every flag of serve, its default, and what it takes", () => {
  checkTable("## serve", SERVE_FLAGS);
});

Deno.test("the documents name every extension, and its capability", async () => {
  const protocol = await Deno.readTextFile(new URL("../../docs/PROTOCOL.md", import.meta.url));
  const row = rowsAfter("## serve").find(({ flag }) => flag === "--extensions");
  for (const [name, capability] of Object.entries(EXTENSIONS)) {
    assertStringIncludes(protocol.replaceAll(/ +/g, " "), `| \`${name}\` | \`${capability}\` |`);
    assertStringIncludes(row?.takes ?? "", `\`${name}\``);
  }
});

Deno.test("every default of a flag is a value that the flag takes, in its normal form", () => {
  for (const table of [ONE_SHOT_FLAGS, SERVE_FLAGS]) {
    for (const [name, spec] of Object.entries<FlagEntry>(table)) {
      if (spec.default === undefined) continue;
      assertEquals(spec.kind.parse(String(spec.default)), spec.default, name);
    }
  }
});
