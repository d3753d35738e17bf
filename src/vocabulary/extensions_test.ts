import { assertEquals } from "@std/assert";
import { EXTENSION_NAMES, EXTENSIONS } from "../protocol/extensions.ts";
import { extensions, extensionsIn } from "./extensions.ts";

Deno.test("extensions are all, none, or a comma list of names, in the order of the table", () => {
  for (const text of ["all", "none", ...EXTENSION_NAMES]) {
    assertEquals(extensions.parse(text), text);
  }
  const backwards = [...EXTENSION_NAMES, ...EXTENSION_NAMES].reverse().join(",");
  assertEquals(extensions.parse(backwards), EXTENSION_NAMES.join(","));
});

Deno.test("what is no name of an extension is refused: nobody believes to have switched one off", () => {
  const wrong = [
    ...["", ",", "All", "any", "proven-identity,", "proven-identity, none", "all,none"],
    ...["proven-identity,all", "constructor", "proven_identity", ...Object.values(EXTENSIONS)],
  ];
  for (const text of wrong) assertEquals(extensions.parse(text), undefined, text);
});

Deno.test("a value names its extensions", () => {
  assertEquals([...extensionsIn("all")], [...EXTENSION_NAMES]);
  assertEquals([...extensionsIn("none")], []);
  assertEquals([...extensionsIn("proven-identity")], ["proven-identity"]);
});
