/**
 * Packs a program, with the stock runtime of a platform, as one file:
 * `deno task pack [--target NAME]... | --all [--program NAME]... [--out FOLDER]`.
 *
 * For Linux and macOS a file that unpacks itself ({@link shellLauncher}); for Windows a zip. This is
 * the way where the base binary of `deno compile` can't be had; everything comes from the npm
 * registry. Two packs of the same sources are the same bytes.
 *
 * @module
 */
import manifest from "../../deno.json" with { type: "json" };
import { type ArchiveFile, archiveTime, tarGz, zip } from "./archive.ts";
import { runBuildCommand } from "./build_command.ts";
import { bundleProgram } from "./bundle.ts";
import { batchLauncher, type LauncherFacts, shellLauncher } from "./launcher.ts";
import { thirdPartyLicenses } from "./licenses.ts";
import { fetchPackageFile } from "./npm_package.ts";
import { type Artifact, sha256Hex, writeExecutable } from "./output.ts";
import { type Program, REPOSITORY } from "./programs.ts";
import { DENO_PACKAGE, type Target } from "./targets.ts";

const utf8 = new TextEncoder();

/**
 * Packs one program for one platform.
 *
 * @param program The program.
 * @param target The platform.
 * @param out The folder to write to, which exists.
 */
export async function packProgram(
  program: Program,
  target: Target,
  out: string,
): Promise<Artifact> {
  const facts = { program, target, version: manifest.version };
  const files = await payload(program, target);
  const isWindows = target.executable === "deno.exe";
  const bytes = isWindows ? await zipped(facts, files) : await selfExtracting(facts, files);
  const name = `${program.name}-${target.name}${isWindows ? ".zip" : ""}`;
  await writeExecutable(`${out}/${name}`, bytes);
  return { name, sha256: await sha256Hex(bytes) };
}

/** What is unpacked on the user's machine. */
async function payload(program: Program, target: Target): Promise<ArchiveFile[]> {
  const runtime = await fetchPackageFile(target.runtime, target.executable);
  const bundle = await bundleProgram(program);
  return [
    { path: target.executable, content: runtime, executable: true },
    ...Array.from(bundle, ([path, text]) => ({ path, content: utf8.encode(text) })),
    { path: "LICENSE", content: await Deno.readFile(new URL("LICENSE", REPOSITORY)) },
    { path: "LICENSE.deno", content: await fetchPackageFile(DENO_PACKAGE, "LICENSE") },
    {
      path: "LICENSE.third-party",
      content: utf8.encode(await thirdPartyLicenses(program)),
    },
  ];
}

async function selfExtracting(
  facts: LauncherFacts,
  files: readonly ArchiveFile[],
): Promise<Uint8Array<ArrayBuffer>> {
  const archive = await tarGz(files, archiveTime());
  const names = files.map(({ path }) => path);
  const launcher = await shellLauncher(facts, await sha256Hex(archive), names);
  return new Uint8Array(await new Blob([launcher, archive]).arrayBuffer());
}

async function zipped(
  facts: LauncherFacts,
  files: readonly ArchiveFile[],
): Promise<Uint8Array<ArrayBuffer>> {
  const { name } = facts.program;
  const launcher = utf8.encode(await batchLauncher(facts));
  const inFolder = files.map((file) => ({ ...file, path: `${name}/runtime/${file.path}` }));
  const bytes = zip(
    [{ path: `${name}/${name}.cmd`, content: launcher }, ...inFolder],
    archiveTime(),
  );
  return new Uint8Array(bytes);
}

if (import.meta.main) {
  await runBuildCommand({
    name: "pack",
    done: "packed with the stock runtime",
    build: packProgram,
  });
}
