import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UsageError } from "../base/errors.ts";
import { oneOf, readFlags, wholeNumber } from "./flags.ts";

const FLAGS = ["name", "size"] as const;
const read = (...args: string[]) => readFlags(args, FLAGS);

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
  [["--nmae", "x"], "Unknown argument: --nmae"],
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

Deno.test("a choice is one of those allowed, or absent", () => {
  assertEquals(oneOf({ name: "b" }, "name", ["a", "b"]), "b");
  assertEquals(oneOf<"name", string>({}, "name", ["a"]), undefined);
  const says = '--name takes one of a, b, not "B"';
  assertThrows(() => oneOf({ name: "B" }, "name", ["a", "b"]), UsageError, says);
});

Deno.test("a number is digits within its bounds, or absent", () => {
  assertEquals(wholeNumber({ size: "8" }, "size", [1, 8]), 8);
  assertEquals(wholeNumber<"size">({}, "size", [1, 8]), undefined);
  for (const size of ["0", "9", "-1", "1.5", "1e0", "0x1", " 1", "", "١", "9".repeat(400)]) {
    assertThrows(() => wholeNumber({ size }, "size", [1, 8]), UsageError, "from 1 to 8");
  }
});

Deno.test("what is shown of a wrong value is bounded and quoted", () => {
  const { message } = assertThrows(
    () => wholeNumber({ size: "x\n".repeat(500) }, "size", [1, 8]),
    UsageError,
  );
  assertEquals([message.length < 300, message.includes("\n")], [true, false]);
});
