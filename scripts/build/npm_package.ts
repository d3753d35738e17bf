/**
 * Files of packages of the npm registry, fetched by npm itself and verified against the pin.
 *
 * @module
 */
import { unpackTar } from "modern-tar";
import { run } from "./subprocess.ts";
import type { PinnedPackage } from "./targets.ts";

/** A package's tarball is not what is pinned. */
export class IntegrityError extends Error {
  /** The class's name. */
  override readonly name = "IntegrityError";
}

/**
 * Fetches one file of a package. npm keeps what it fetched, so a second time is offline.
 *
 * @param pinned The package.
 * @param path The file's path in the package.
 * @throws {IntegrityError} When the tarball is not the pinned one.
 * @throws {SubprocessError} When npm fails.
 */
export async function fetchPackageFile(pinned: PinnedPackage, path: string): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir({ prefix: "bolt-build-" });
  try {
    const args = ["pack", pinned.spec, "--json", "--prefer-offline", "--pack-destination", folder];
    await run(Deno.build.os === "windows" ? "npm.cmd" : "npm", args, { cwd: folder });
    const [tarball] = await Array.fromAsync(Deno.readDir(folder));
    if (tarball === undefined) throw new Error(`npm pack ${pinned.spec} made no file`);
    const bytes = await Deno.readFile(`${folder}/${tarball.name}`);
    await verifyIntegrity(bytes, pinned);
    return await extractFile(bytes, path, pinned);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Checks a tarball against its pin.
 *
 * @throws {IntegrityError} When they differ.
 */
export async function verifyIntegrity(
  tarball: Uint8Array<ArrayBuffer>,
  pinned: PinnedPackage,
): Promise<void> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-512", tarball));
  const integrity = `sha512-${digest.toBase64()}`;
  if (integrity === pinned.integrity) return;
  throw new IntegrityError(
    `${pinned.spec} is not what is pinned: expected ${pinned.integrity}, got ${integrity}`,
  );
}

async function extractFile(
  tarball: Uint8Array<ArrayBuffer>,
  path: string,
  { spec }: PinnedPackage,
): Promise<Uint8Array> {
  const tar = new Blob([tarball]).stream().pipeThrough(new DecompressionStream("gzip"));
  // npm puts every file of a package below `package/`.
  const wanted = `package/${path}`;
  const [entry] = await unpackTar(tar, { filter: ({ name }) => name === wanted });
  if (entry?.data === undefined) throw new Error(`${spec} has no file ${path}`);
  return entry.data;
}
