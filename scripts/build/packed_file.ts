/**
 * The programs and their runtime as the one file that is handed out.
 *
 * @module
 */
import { type ArchiveFile, tarGz, zip } from "./archive.ts";
import { batchLauncher, type LauncherFacts, shellLauncher } from "./launcher.ts";
import { sha256Hex } from "./output.ts";

/** What boltctl is on Windows: the one file, told so. */
const BOLTCTL_BATCH = '@"%~dp0bolt-daemon.cmd" ctl %*\r\n';

/**
 * A file for Linux and macOS that unpacks itself: a shell script with a tar.gz after it.
 *
 * @param facts What it starts.
 * @param files What it unpacks, the runtime `deno` and `main.js` among them.
 * @param mtime The time of every file.
 */
export async function selfExtractingFile(
  facts: LauncherFacts,
  files: readonly ArchiveFile[],
  mtime: Date,
): Promise<Uint8Array<ArrayBuffer>> {
  const archive = await tarGz(files, mtime);
  const packed = await Promise.all(files.map(async ({ path, content }) => ({
    path,
    sha256: await sha256Hex(new Uint8Array(content)),
  })));
  const launcher = await shellLauncher(facts, await sha256Hex(archive), packed);
  return new Uint8Array(await new Blob([launcher, archive]).arrayBuffer());
}

/**
 * A zip for Windows: a folder with a batch file for each program, and the files in a folder beside it.
 *
 * @param facts What it starts.
 * @param files What lies beside the batch files, the runtime `deno.exe` and `main.js` among them.
 * @param mtime The time of every file.
 */
export async function zipFile(
  facts: LauncherFacts,
  files: readonly ArchiveFile[],
  mtime: Date,
): Promise<Uint8Array<ArrayBuffer>> {
  const { name } = facts.download;
  const launcher = new TextEncoder().encode(await batchLauncher(facts));
  const boltctl = new TextEncoder().encode(BOLTCTL_BATCH);
  const beside = files.map((file) => ({ ...file, path: `${name}/runtime/${file.path}` }));
  return zip([{ path: `${name}/${name}.cmd`, content: launcher }, {
    path: `${name}/boltctl.cmd`,
    content: boltctl,
  }, ...beside], mtime);
}
