/**
 * What the commands `compile` and `pack` share: for each platform asked for, one file in the output folder, and `SHA256SUMS` beside them.
 *
 * @module
 */
import { messageOf } from "../../src/base/errors.ts";
import { flushLog, logFor, setupLog } from "../../src/log/log.ts";
import { parseBuildOptions } from "./build_options.ts";
import { type Artifact, writeChecksums } from "./output.ts";
import { DENO_VERSION, type Target } from "./targets.ts";

/** A way to build. */
export interface BuildCommand {
  /** The task's name, and that of its folder in `dist/`. */
  readonly name: string;
  /** What is logged of a finished file. */
  readonly done: string;
  /** Builds the programs for one platform into an existing folder. */
  readonly build: (target: Target, out: string) => Promise<Artifact>;
}

/** Runs a command with the process's arguments, and ends the process with 1 when it fails. */
export async function runBuildCommand(command: BuildCommand): Promise<void> {
  setupLog();
  try {
    await buildAll(command, Deno.args);
  } catch (error) {
    logFor(command.name).error(`FATAL: ${messageOf(error)}`);
    await flushLog();
    Deno.exit(1);
  }
}

async function buildAll(command: BuildCommand, args: string[]): Promise<void> {
  const { targets, out } = parseBuildOptions(args, `dist/${command.name}`);
  if (Deno.version.deno !== DENO_VERSION) {
    throw new Error(`takes Deno ${DENO_VERSION}: npx -y deno@${DENO_VERSION} task ${command.name}`);
  }
  await Deno.mkdir(out, { recursive: true });
  const artifacts: Artifact[] = [];
  for (const target of targets) {
    const artifact = await command.build(target, out);
    const { size } = await Deno.stat(`${out}/${artifact.name}`);
    logFor(command.name).info(command.done, {
      file: `${out}/${artifact.name}`,
      bytes: size,
      started: artifact.started,
    });
    artifacts.push(artifact);
  }
  await writeChecksums(out, artifacts);
}
