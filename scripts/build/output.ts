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
}

/** SHA-256 of bytes, in hex. */
export async function sha256Hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** Writes a program's file whole or not at all, over one of the same name. */
export async function writeExecutable(path: string, content: Uint8Array): Promise<void> {
  const unfinished = `${path}.unfinished`;
  await Deno.writeFile(unfinished, content, { mode: 0o755 });
  await Deno.rename(unfinished, path);
}

/** Writes `SHA256SUMS` as `sha256sum --check` takes it, for the artifacts of this build. */
export async function writeChecksums(
  folder: string,
  artifacts: readonly Artifact[],
): Promise<void> {
  const lines = artifacts
    .toSorted((a, b) => a.name < b.name ? -1 : 1)
    .map(({ name, sha256 }) => `${sha256}  ${name}\n`);
  await Deno.writeTextFile(`${folder}/SHA256SUMS`, lines.join(""));
}
