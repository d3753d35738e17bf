/**
 * The programs that the documents name, in a folder for the PATH: ours from source, under the
 * permissions that they are built with, and the interpreters that are installed here.
 *
 * @module
 */
import { readScopeOfServe } from "../../scripts/build/launcher.ts";
import { BOLTCTL, DAEMON, DOWNLOAD, type Program } from "../../scripts/build/programs.ts";
import { fromFileUrl, join } from "../support/paths.ts";

const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

/** How an interpreter tells where it really is: wrappers in the PATH may need the user's home. */
const INTERPRETERS = {
  python3: ["-c", "import sys; print(sys.executable)"],
  node: ["-p", "process.execPath"],
} as const;

/** What is in the folder. */
export interface ProgramsFolder {
  /** For the machines. */
  readonly env: Readonly<Record<string, string>>;
  /** Programs that documents name and that are not here. */
  readonly missing: readonly string[];
}

/** Fills an existing folder. */
export async function fillProgramsFolder(folder: string): Promise<ProgramsFolder> {
  const missing: string[] = [];
  await writeScript(join(folder, "boltctl"), withPerson(commandOf(BOLTCTL, BOLTCTL.permissions)));
  await writeScript(join(folder, "bolt-daemon"), await narrowed());
  for (const [name, args] of Object.entries(INTERPRETERS)) {
    const path = await outputOf(name, args);
    if (path === undefined) missing.push(name);
    else await Deno.symlink(path, join(folder, name));
  }
  await Deno.symlink(Deno.execPath(), join(folder, "deno"));
  for (
    const [name, args] of [
      ["curl", ["--version"]],
      ["jq", ["--version"]],
      ["script", ["--version"]],
    ] as const
  ) {
    if (await outputOf(name, args) === undefined) missing.push(name);
  }
  const { denoDir } = JSON.parse(await outputOf(Deno.execPath(), ["info", "--json"]) ?? "{}");
  const PATH = `${folder}:${Deno.env.get("PATH") ?? ""}`;
  return { env: { PATH, DENO_DIR: denoDir, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" }, missing };
}

/** How a program is started from source, as words of a shell. */
function commandOf({ entry }: Program, flags: readonly string[]): string {
  const command = ["run", "--quiet", "--frozen", `--config=${CONFIG}`, ...flags];
  return [Deno.execPath(), ...command, fromFileUrl(entry)].map(quoted).join(" ");
}

/** The daemon; `serve` may touch what it may in the packed file. */
async function narrowed(): Promise<string> {
  const [start, program] = [
    commandOf(DAEMON, DOWNLOAD.launcherFlags.serve),
    fromFileUrl(DAEMON.entry),
  ];
  const scoped = start.replace(
    quoted(program),
    () => `"$reads" \${writes:+"$writes"} ${quoted(program)}`,
  );
  return `real=${quoted(fromFileUrl(new URL("../../", import.meta.url)))}
${await readScopeOfServe()}
if [ "\${1:-}" = serve ]; then scope_serve "$@"; exec ${scoped} "$@"; fi
${exec(commandOf(DAEMON, DAEMON.permissions))}`;
}

const exec = (words: string) => `exec ${words} "$@"\n`;

/**
 * boltctl, and a person for it: `pair` that may ask is run at a terminal (of util-linux's `script`),
 * and the person answers yes. Where an identity is named nobody has to be there.
 */
function withPerson(words: string): string {
  return `case " $* " in
  *" --no-wait "* | *" --sas "* | *" --deny "* | *" --identity "*) ;;
  *" pair "*) echo yes | exec script -qec "${words.replaceAll('"', '\\"')} $*" /dev/null; exit ;;
esac
${exec(words)}`;
}

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

async function writeScript(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, `#!/bin/sh\n${text}`, { mode: 0o755 });
}

async function outputOf(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(program, { args: [...args] }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    return undefined;
  }
}
