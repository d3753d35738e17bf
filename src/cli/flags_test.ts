import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UsageError } from "../base/errors.ts";
import { anyText, oneOf, wholeNumber } from "../vocabulary/value_kind.ts";
import { parseValue, readOptions } from "./flags.ts";

const FLAGS = { name: { kind: anyText }, size: { kind: anyText } } as const;
const read = (...args: string[]) => readOptions(args, FLAGS).options;

const GOOD: readonly (readonly [args: readonly string[], given: object])[] = [
  [[], {}],
  [["--name", "x"], { name: "x" }],
  [["--name=x"], { name: "x" }],
  [["--name=a=b"], { name: "a=b" }],
  [["--name", "-"], { name: "-" }],
  [["--name=--size"], { name: "--size" }],
  [["--name", "a b"], { name: "a b" }],
  [["--size", "-1"], { size: "-1" }],
  [["--size", "007", "--name", "8"], { size: "007", name: "8" }],
];

for (const [args, given] of GOOD) {
  Deno.test(`${JSON.stringify(args)} is read as ${JSON.stringify(given)}`, () => {
    assertEquals(read(...args), given);
  });
}

const BAD: readonly (readonly [args: readonly string[], says: string])[] = [
  [["--nmae", "x"], "Unknown argument: --nmae; did you mean --name?"],
  [["-name", "x"], "Unknown argument: -name"],
  [["name"], "Unknown argument: name"],
  [["--"], "Unknown argument: --"],
  [["--no-name"], "Unknown argument: --no-name"],
  [["--name"], "--name requires a value"],
  [["--name", "--size", "1"], "--name requires a value, but --size looks like a flag"],
  [["--name="], "--name requires a value that is not empty"],
  [["--name", ""], "--name requires a value that is not empty"],
  [["--name", "a", "--name=b"], "--name is given 2 times"],
];

for (const [args, says] of BAD) {
  Deno.test(`${JSON.stringify(args)} is refused: ${says}`, () => {
    assertThrows(() => read(...args), UsageError, says);
  });
}

Deno.test("whatever is given as --flag=value comes out as it went in", () => {
  fc.assert(fc.property(fc.string({ minLength: 1 }), (value) => {
    assertEquals(read(`--name=${value}`), { name: value });
  }));
});

Deno.test("whatever else is given is a UsageError, never another one", () => {
  fc.assert(fc.property(fc.array(fc.string()), (args) => {
    try {
      read(...args);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
    }
  }));
});

const TABLE = {
  deviceName: { kind: oneOf(["a", "b"]), default: "a" },
  size: { kind: wholeNumber(1, 8) },
} as const;

Deno.test("options are read by a table: each flag by its kind, its default where it is not given", () => {
  assertEquals(readOptions(["--device-name", "b", "--size=8"], TABLE), {
    options: { deviceName: "b", size: 8 },
    given: new Set(["deviceName", "size"] as const),
  });
  assertEquals(readOptions([], TABLE), { options: { deviceName: "a" }, given: new Set<never>() });
  const says = '--device-name takes one of a, b, not "B"';
  assertThrows(() => readOptions(["--device-name=B"], TABLE), UsageError, says);
  assertThrows(() => readOptions(["--deviceName=b"], TABLE), UsageError, "Unknown argument");
});

Deno.test("a flag that is required says so in its own words where it is not given", () => {
  const table = { dataDir: { kind: oneOf(["d"]), required: "needs --data-dir DIR" } } as const;
  assertEquals(readOptions(["--data-dir=d"], table).options, { dataDir: "d" });
  assertThrows(() => readOptions([], table), UsageError, "needs --data-dir DIR");
});

Deno.test("a number is digits within its bounds", () => {
  const size = wholeNumber(1, 8);
  assertEquals(parseValue("--size", "8", size), 8);
  for (const text of ["0", "9", "-1", "1.5", "1e0", "0x1", " 1", "", "١", "9".repeat(400)]) {
    assertThrows(() => parseValue("--size", text, size), UsageError, "from 1 to 8");
  }
  assertEquals(parseValue("--priority", "-8", wholeNumber(-8, 8)), -8);
});

Deno.test("what is shown of a wrong value is bounded and quoted", () => {
  const { message } = assertThrows(
    () => parseValue("--size", "x\n".repeat(500), wholeNumber(1, 8)),
    UsageError,
  );
  assertEquals([message.length < 300, message.includes("\n")], [true, false]);
});
