/**
 * Compiles both programs into one file with `deno compile`:
 * `deno task compile [--target NAME]... | --all [--out FOLDER]`.
 *
 * They are bundled first: the result is smaller than with the packages embedded, and the same
 * for the same sources. It takes the platform's base binary, which comes from Deno's download
 * server; where that can't be reached the command says so and fails, and `deno task pack` is left.
 *
 * @module
 */
import { archiveTime } from "./archive.ts";
import { requireBaseBinary } from "./base_binary.ts";
import { runBuildCommand } from "./build_command.ts";
import { BUNDLE_ENTRY, bundleProgram } from "./bundle.ts";
import { requireStarts } from "./first_start.ts";
import { type Artifact, sha256Hex } from "./output.ts";
import { DOWNLOAD } from "./programs.ts";
import { run } from "./subprocess.ts";
import type { Target } from "./targets.ts";

/**
 * Compiles the programs for one platform. What is made for this machine's own is started before it
 * counts as made.
 *
 * @param target The platform.
 * @param out The folder to write to, which exists.
 * @throws {BaseBinaryError} When the platform's base binary can't be had.
 * @throws {FirstStartError} When what was made is not the programs; nothing of it is left.
 */
export async function compilePrograms(target: Target, out: string): Promise<Artifact> {
  await requireBaseBinary(target, { denortBin: Deno.env.get("DENORT_BIN") });
  const name = `${DOWNLOAD.name}-${target.name}${target.executable === "deno.exe" ? ".exe" : ""}`;
  const unfinished = await Deno.makeTempDir({ dir: out, prefix: ".unfinished-" });
  const started = target.triple === Deno.build.target;
  try {
    const path = `${await Deno.realPath(unfinished)}/${name}`;
    await compileFile(target, path);
    if (started) await requireStarts(DOWNLOAD, path);
    await Deno.rename(path, `${out}/${name}`);
  } finally {
    await Deno.remove(unfinished, { recursive: true });
  }
  return { name, sha256: await sha256Hex(await Deno.readFile(`${out}/${name}`)), started };
}

/**
 * Writes the file, without a start.
 *
 * @param target The platform.
 * @param path Where to.
 * @param denortBin The base binary. @default {that of the environment, or a fetched one}
 */
export async function compileFile(
  target: Target,
  path: string,
  denortBin?: string,
): Promise<void> {
  const time = archiveTime();
  const folder = await Deno.makeTempDir({ prefix: "bolt-build-" });
  try {
    for (const [file, text] of await bundleProgram(DOWNLOAD)) {
      await Deno.writeTextFile(`${folder}/${file}`, text);
      // The files' times are part of what is compiled.
      await Deno.utime(`${folder}/${file}`, time, time);
    }
    const sealed = ["--no-config", "--no-lock", "--no-remote", "--no-npm"];
    await run(Deno.execPath(), [
      ...["compile", "--quiet", ...sealed, ...DOWNLOAD.flags],
      ...["--target", target.triple, "--output", path],
      BUNDLE_ENTRY,
    ], { cwd: folder, ...(denortBin === undefined ? {} : { env: { DENORT_BIN: denortBin } }) });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  await runBuildCommand({
    name: "compile",
    done: "compiled with deno compile",
    build: compilePrograms,
  });
}
