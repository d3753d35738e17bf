import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { didYouMean, nearest } from "./nearest.ts";

const WORDS = ["status", "send", "sessions", "peers", "pair", "pause", "transfers", "trust"];

Deno.test("a mistyped word means the nearest one, a far one none", () => {
  for (
    const [typed, meant] of [
      ["statsu", "status"],
      ["stats", "status"],
      ["sned", "send"],
      ["transfesr", "transfers"],
      ["tranfers", "transfers"],
      ["sess", "sessions"],
      ["pears", "peers"],
      ["frobnicate", undefined],
      ["", undefined],
      ["x", undefined],
      ["s".repeat(1_000_000), undefined],
    ] as const
  ) assertEquals(nearest(typed, WORDS), meant, typed.slice(0, 20));
});

Deno.test("one mistake in a word of four characters or more is always forgiven", () => {
  const long = fc.constantFrom(...WORDS);
  fc.assert(fc.property(long, fc.nat(), (word, at) => {
    const i = at % word.length;
    assertEquals(nearest(word.slice(0, i) + "#" + word.slice(i + 1), [word]), word);
    assertEquals(nearest(word.slice(0, i) + word.slice(i + 1), [word]), word);
    assertEquals(nearest(word.slice(0, i) + "#" + word.slice(i), [word]), word);
  }));
});

Deno.test("what is said follows a message, and is nothing where nothing is near", () => {
  assertEquals(didYouMean("statsu", WORDS), "; did you mean status?");
  assertEquals(didYouMean("frobnicate", WORDS), "");
});
