/**
 * The SDK's published vectors, for tests only. They are not part of the repository: they are looked
 * for in `shared/vectors` beside it, and tests that need them are skipped where they are absent.
 *
 * @module
 */

const FOLDER = new URL("../../../../shared/vectors/", import.meta.url);

/** The parsed vector file, or undefined (said on stderr) when it is not there. */
export function readVectors(name: string): unknown {
  try {
    return JSON.parse(Deno.readTextFileSync(new URL(name, FOLDER)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Defines a test over a vector file; skipped, with the reason in its name, when that is absent. */
export function vectorTest<T>(title: string, name: string, check: (vectors: T) => void): void {
  const vectors = readVectors(name);
  const ignore = vectors === undefined;
  const note = ignore ? ` (skipped: no ../shared/vectors/${name})` : "";
  Deno.test({ name: title + note, ignore, fn: () => check(vectors as T) });
}

/** Names of all vector files, in folders too; undefined when there is none. */
export function vectorNames(): string[] | undefined {
  const names: string[] = [];
  const walk = (folder: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, FOLDER))) {
      if (isDirectory) walk(`${folder}${name}/`);
      else names.push(folder + name);
    }
  };
  try {
    walk("");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  return names.sort();
}
