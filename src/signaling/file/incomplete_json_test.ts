import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { mayBeIncomplete } from "./incomplete_json.ts";

Deno.test("every beginning of a JSON object may be incomplete, the whole is not", () => {
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(), (value, cut) => {
    const text = JSON.stringify(value);
    assertEquals(mayBeIncomplete(text), false);
    assertEquals(mayBeIncomplete(text.slice(0, cut % text.length)), true);
  }));
});

Deno.test("what does not begin as an object can't become one", () => {
  for (const text of ["hello", "[", '"', "null", "\u0000{"]) {
    assertEquals(mayBeIncomplete(text), false);
  }
});
