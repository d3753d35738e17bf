import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UsageError } from "../base/errors.ts";
import { readCommandLine } from "./command_line.ts";
import { COMMANDS, COMMON_FLAGS } from "./command_table.ts";

Deno.test("flags stand before and after the command, in both spellings", () => {
  for (
    const words of [
      ["--socket", "/s", "--timeout=9", "send", "a", "--to", "bob", "--json", "b"],
      ["send", "a", "b", "--json", "--to=bob", "--timeout", "9", "--socket=/s"],
    ]
  ) {
    const { command, flags, args } = readCommandLine(words);
    assertEquals([command.name, ...args], ["send", "a", "b"]);
    assertEquals([flags.text("socket"), flags.integer("timeout")], ["/s", 9]);
    assertEquals([flags.text("to"), flags.has("json"), flags.has("wait")], ["bob", true, false]);
  }
});

Deno.test("after -- every word is an argument, and a dash alone is one", () => {
  assertEquals(readCommandLine(["send", "-", "--", "--wait", "--"]).args, ["-", "--wait", "--"]);
});

Deno.test("--help after a command explains it, whatever else is missing", () => {
  const { command, args } = readCommandLine(["send", "--help"]);
  assertEquals([command.name, ...args], ["help", "send"]);
  assertEquals(readCommandLine(["--help"]).command.name, "help");
  assertEquals(readCommandLine(["-h"]).command.name, "help");
  assertEquals(readCommandLine(["send", "--to", "bob", "-h"]).args, ["send"]);
  assertEquals(readCommandLine(["send", "--", "-h"]).args, ["-h"]);
  assertThrows(() => readCommandLine(["send", "-hx"]), UsageError, "Unknown flag: -hx");
});

Deno.test("a mistyped command or flag is told what is near it, of that command", () => {
  const says = (words: string[], text: string) =>
    assertThrows(() => readCommandLine(words), UsageError, text);
  says(["statsu"], "Unknown command: statsu; did you mean status? boltctl help lists all commands");
  says(["frobnicate"], "Unknown command: frobnicate; boltctl help lists all commands");
  says(
    ["send", "--priorty", "1", "a"],
    "--priorty; did you mean --priority? see boltctl help send",
  );
  says(["peers", "--priorty"], "Unknown flag: --priorty; see boltctl help peers");
  says(["--verison"], "Unknown flag: --verison; did you mean --version? see boltctl help");
});

Deno.test("a common flag's value is not taken for the command", () => {
  assertEquals(readCommandLine(["--socket", "status", "peers"]).command.name, "peers");
  assertThrows(() => readCommandLine(["--socket", "status"]), UsageError, "A command is missing");
});

Deno.test("any words give a command line or a UsageError in one line, nothing else", () => {
  const known = [
    ...COMMANDS.flatMap(({ name, flags }) => [name, ...flags.map((flag) => `--${flag.name}`)]),
    ...COMMON_FLAGS.map(({ name }) => `--${name}`),
    "--",
    "-",
    "--__proto__",
    "=",
  ];
  const word = fc.oneof(fc.constantFrom(...known), fc.string({ unit: "binary" }));
  fc.assert(fc.property(fc.array(word, { maxLength: 8 }), (words) => {
    try {
      assert(COMMANDS.includes(readCommandLine(words).command));
    } catch (error) {
      assertInstanceOf(error, UsageError);
    }
  }));
});

Deno.test("no two flags of a command have the same name", () => {
  for (const { name, flags } of COMMANDS) {
    const names = [...flags, ...COMMON_FLAGS].map((flag) => flag.name);
    assertEquals(names.length, new Set(names).size, name);
  }
});

Deno.test("every example of help is a command line that is obeyed", () => {
  for (const { name, examples } of COMMANDS) {
    assert(examples.length > 0, name);
    for (const example of examples) {
      assertEquals(readCommandLine(example.split(" ")).command.name, name, example);
    }
  }
});
