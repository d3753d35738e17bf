/**
 * Packs both programs, with the stock runtime of a platform, as one file:
 * `deno task pack [--target NAME]... | --all [--out FOLDER]`.
 *
 * For Linux and macOS a file that unpacks itself ({@link selfExtractingFile}); for Windows a zip. This is
 * the way where the base binary of `deno compile` can't be had; everything comes from the npm
 * registry. Two packs of the same sources are the same bytes.
 *
 * @module
 */
import manifest from "../../deno.json" with { type: "json" };
import { type ArchiveFile, archiveTime } from "./archive.ts";
import { runBuildCommand } from "./build_command.ts";
import { bundleProgram, deferImports } from "./bundle.ts";
import { requireStarts } from "./first_start.ts";
import { thirdPartyLicenses } from "./licenses.ts";
import { fetchPackageFile } from "./npm_package.ts";
import { type Artifact, sha256Hex, writeExecutable } from "./output.ts";
import { selfExtractingFile, zipFile } from "./packed_file.ts";
import { DOWNLOAD, REPOSITORY } from "./programs.ts";
import { DENO_PACKAGE, type Target } from "./targets.ts";

const utf8 = new TextEncoder();

/**
 * Packs the programs for one platform. What is made for this machine's own is started before it
 * counts as made.
 *
 * @param target The platform.
 * @param out The folder to write to, which exists.
 */
export async function packPrograms(target: Target, out: string): Promise<Artifact> {
  const facts = { download: DOWNLOAD, target, version: manifest.version };
  const files = await payload(target);
  const isWindows = target.executable === "deno.exe";
  const make = isWindows ? zipFile : selfExtractingFile;
  const bytes = await make(facts, files, archiveTime());
  const name = `${DOWNLOAD.name}-${target.name}${isWindows ? ".zip" : ""}`;
  // A zip can't be started.
  const started = target.triple === Deno.build.target && !isWindows;
  await writeExecutable(
    `${out}/${name}`,
    bytes,
    (path) => started ? requireStarts(DOWNLOAD, path) : Promise.resolve(),
  );
  return { name, sha256: await sha256Hex(bytes), started };
}

/** What is unpacked on the user's machine. */
async function payload(target: Target): Promise<ArchiveFile[]> {
  const runtime = await fetchPackageFile(target.runtime, target.executable);
  const bundle = deferImports(await bundleProgram(DOWNLOAD));
  return [
    { path: target.executable, content: runtime, executable: true },
    ...Array.from(bundle, ([path, text]) => ({ path, content: utf8.encode(text) })),
    { path: "LICENSE", content: await Deno.readFile(new URL("LICENSE", REPOSITORY)) },
    { path: "LICENSE.deno", content: await fetchPackageFile(DENO_PACKAGE, "LICENSE") },
    {
      path: "LICENSE.third-party",
      content: utf8.encode(await thirdPartyLicenses(DOWNLOAD)),
    },
  ];
}

if (import.meta.main) {
  await runBuildCommand({
    name: "pack",
    done: "packed with the stock runtime",
    build: packPrograms,
  });
}
