/**
 * Golden files: a text is compared with a plain text file, or, with `-- --update-golden`, written to
 * it.
 *
 * @module
 */
import { assertEquals } from "@std/assert";

const UPDATE = Deno.args.includes("--update-golden");

/** Compares a text with a golden file. */
export async function compareWithFile(file: URL, text: string): Promise<void> {
  if (UPDATE) return await Deno.writeTextFile(file, text);
  assertEquals(text, await Deno.readTextFile(file), `${file.pathname.split("/").at(-1)} differs`);
}
