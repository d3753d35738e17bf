/**
 * Every published vector file is read by a test.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { vectorNames } from "../src/protocol/testing/vectors.ts";
import { fromFileUrl, join } from "./support/paths.ts";

const ROOTS = ["src", "scripts"].map((name) => fromFileUrl(new URL(`../${name}`, import.meta.url)));

function testTexts(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    if (isDirectory) return testTexts(path);
    return name.endsWith("_test.ts") ? [Deno.readTextFileSync(path)] : [];
  });
}

const names = vectorNames();
const note = names === undefined ? " (skipped: no ../shared/vectors)" : "";

Deno.test({
  name: "every published vector file is read by a test" + note,
  ignore: names === undefined,
  fn: () => {
    const texts = ROOTS.flatMap(testTexts);
    const isRead = (name: string) => {
      const [, folder = "", stem = ""] = /^(.*\/)?(.*)\.json$/.exec(name) ?? [];
      // Files of a folder are read by the folder's name and theirs.
      return texts.some((text) =>
        text.includes(`"${name}"`) ||
        folder !== "" && text.includes(`${folder}$`) && text.includes(`"${stem}"`)
      );
    };
    assertEquals(names?.filter((name) => !isRead(name)), []);
  },
});
