/**
 * Foreign WebRTC stacks under Node: packages of exact versions in a cache folder of their own, never
 * dependencies of the daemon.
 *
 * @module
 */
import { unlessMissing } from "../../src/base/system_error.ts";
import { fileURLToPath } from "node:url";

/** The stacks, by the name that they are known by. Pinned: a new version is a new experiment. */
export const FOREIGN_STACKS = {
  libdatachannel: {
    package: "node-datachannel@0.33.4",
    module: "node-datachannel/polyfill",
  },
  libwebrtc: { package: "@roamhq/wrtc@0.10.0", module: "@roamhq/wrtc" },
} as const;

/** A stack's name. */
export type ForeignStack = keyof typeof FOREIGN_STACKS;

/** Where the packages go: below the folder for caches, or for temporary files. */
function cacheFolder(): string {
  const base = Deno.env.get("XDG_CACHE_HOME") ?? Deno.env.get("TMPDIR") ?? Deno.env.get("TEMP") ??
    "/tmp";
  const versions = Object.values(FOREIGN_STACKS).map((stack) => stack.package).join("_");
  return `${base}/bolt-daemon-interop-${versions.replaceAll(/[^\w.-]/g, "-")}`;
}

/** Whether there is a Node with npm. */
export async function hasNode(): Promise<boolean> {
  try {
    return await run("node", ["--version"]) === 0 && await run(npm(), ["--version"]) === 0;
  } catch {
    return false;
  }
}

/**
 * Installs the stacks, unless they are there, and a program that uses them beside them.
 *
 * @param module A module in this folder.
 * @returns The path of the program, for `node`.
 */
export async function installForeignStacks(module = "node_peer.ts"): Promise<string> {
  const folder = cacheFolder();
  await Deno.mkdir(folder, { recursive: true });
  // It marks a folder that is whole: written last.
  const mark = `${folder}/installed`;
  if (await unlessMissing(Deno.stat(mark)) === undefined) {
    await Deno.writeTextFile(`${folder}/package.json`, `{ "private": true }\n`);
    const packages = Object.values(FOREIGN_STACKS).map((stack) => stack.package);
    const args = ["install", "--no-audit", "--no-fund", "--loglevel=error", ...packages];
    const code = await run(npm(), args, folder);
    if (code !== 0) throw new Error(`npm install of ${packages.join(", ")} failed (code ${code})`);
    await Deno.writeTextFile(mark, "");
  }
  const program = `${folder}/${module.replace(/\.ts$/, "")}_${Deno.pid}.mjs`;
  await bundle(module, program, ["--platform=deno"]);
  return program;
}

/** Makes one file of JavaScript out of a module in this folder and what it imports. */
export async function bundle(
  module: string,
  output: string,
  args: readonly string[],
): Promise<void> {
  const source = fileURLToPath(new URL(module, import.meta.url));
  const code = await run(Deno.execPath(), ["bundle", "--quiet", ...args, "-o", output, source]);
  if (code !== 0) throw new Error(`deno bundle ${module} failed (code ${code})`);
}

async function run(command: string, args: readonly string[], cwd?: string): Promise<number> {
  const { code, stderr } = await new Deno.Command(command, {
    args: [...args],
    stdout: "null",
    stderr: "piped",
    ...(cwd === undefined ? {} : { cwd }),
  }).output();
  if (code !== 0) await Deno.stderr.write(stderr);
  return code;
}

const npm = (): string => Deno.build.os === "windows" ? "npm.cmd" : "npm";
