/**
 * Where finished files go.
 *
 * @module
 */

/** A finished file. */
export interface Artifact {
  /** Its name in the output folder. */
  readonly name: string;
  /** SHA-256 of its content, in hex. */
  readonly sha256: string;
  /** Whether it was started once: only what is made for this machine can be. */
  readonly started: boolean;
}

/** SHA-256 of bytes, in hex. */
export async function sha256Hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/**
 * Writes a program's file whole or not at all, over one of the same name.
 *
 * @param path Where to.
 * @param content What it holds.
 * @param check Judges the written file before it gets its name; what it throws is thrown on.
 */
export async function writeExecutable(
  path: string,
  content: Uint8Array,
  check: (path: string) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const unfinished = `${path}.unfinished`;
  await Deno.writeFile(unfinished, content, { mode: 0o755 });
  try {
    await check(unfinished);
  } catch (error) {
    await Deno.remove(unfinished);
    throw error;
  }
  await Deno.rename(unfinished, path);
}

/** Writes `SHA256SUMS` as `sha256sum --check` takes it, for the artifacts of this build. */
export async function writeChecksums(
  folder: string,
  artifacts: readonly Omit<Artifact, "started">[],
): Promise<void> {
  const lines = artifacts
    .toSorted((a, b) => a.name < b.name ? -1 : 1)
    .map(({ name, sha256 }) => `${sha256}  ${name}\n`);
  await Deno.writeTextFile(`${folder}/SHA256SUMS`, lines.join(""));
}
