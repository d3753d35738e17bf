import { assertEquals } from "@std/assert";
import { findJsonFault } from "./json_fault.ts";

const FAULTS: readonly (readonly [string, number, number])[] = [
  ["", 1, 1],
  ["  ", 1, 3],
  ["[,]", 1, 2],
  ['{\n "a": 1,\n "links": [,]\n}', 3, 12],
  ['{"a":1,}', 1, 8],
  ["[1,]", 1, 4],
  ["[1 2]", 1, 4],
  ['{"a" 1}', 1, 6],
  ["{a:1}", 1, 2],
  ['{"a":1', 1, 7],
  ['{"a":1}\n}', 2, 1],
  ['{"a":1}]', 1, 8],
  ["[1}", 1, 3],
  ['["a\\x"]', 1, 2],
  ['["a\nb"]', 1, 2],
  ['["a', 1, 2],
  ["// no\n{}", 1, 1],
  ["[01]", 1, 3],
  ["[tru]", 1, 2],
  ["['a']", 1, 2],
  ["{1:2}", 1, 2],
  ['{"a":{"b":[{}]},"c"}', 1, 20],
];

for (const [text, line, column] of FAULTS) {
  Deno.test(`the fault is found where it stands: ${JSON.stringify(text)}`, () => {
    assertEquals(findJsonFault(text), { line, column });
  });
}
