/**
 * What starts a packed file: the script before the archive, or beside it.
 *
 * @module
 */
import type { Download } from "./programs.ts";
import type { Target } from "./targets.ts";

/** Flags that shut out all but the files that were packed: compiled code that was kept, too. */
export const SEALED: readonly string[] = [
  "--no-remote",
  "--no-npm",
  "--no-config",
  "--no-lock",
  "--no-code-cache",
];

/** What a launcher says of what it starts. */
export interface LauncherFacts {
  /** The programs. */
  readonly download: Pick<Download, "name" | "launcherFlags">;
  /** The platform. */
  readonly target: Target;
  /** The project's version. */
  readonly version: string;
}

/** A file that is unpacked. */
export interface PackedFile {
  /** Its name. */
  readonly path: string;
  /** SHA-256 of its content, in hex. */
  readonly sha256: string;
}

/**
 * The POSIX shell script that the archive is appended to.
 *
 * @param facts What it starts.
 * @param digest SHA-256 of the archive, in hex: the name of the folder in the user's cache.
 * @param files The archive's files.
 */
export async function shellLauncher(
  facts: LauncherFacts,
  digest: string,
  files: readonly PackedFile[],
): Promise<string> {
  const scope = await readScopeOfServe();
  // What is put into it counts as lines of the script too.
  const template = (await readTemplate("launcher.sh")).replace("@SCOPE_SERVE@", () => scope);
  const runtime = files.find(({ path }) => path === facts.target.executable);
  if (runtime === undefined) throw new Error("no runtime is packed");
  const program = files.filter((file) => file !== runtime);
  const namesOf = (some: readonly PackedFile[]) =>
    some.map(({ path }) => shellWord(path)).join(" ");
  return fill(template, {
    ...common(facts),
    DIGEST: digest,
    FILES: namesOf(files),
    PROGRAM: namesOf(program),
    PROGRAM_DIGESTS: program.map(({ sha256 }) => sha256).join(" "),
    RUNTIME_DIGEST: runtime.sha256,
    // The archive begins on the line after the script's last.
    SCRIPT_LINES: String(template.split("\n").length),
  });
}

/** The batch file that lies beside the runtime's folder. */
export async function batchLauncher(facts: LauncherFacts): Promise<string> {
  const script = fill(await readTemplate("launcher.cmd"), common(facts));
  return script.replaceAll("\n", "\r\n");
}

function common({ download, target, version }: LauncherFacts): Record<string, string> {
  const { name, launcherFlags: { oneShot, serve, ctl } } = download;
  const words = (flags: readonly string[]) => [...SEALED, ...flags].map(shellWord).join(" ");
  return {
    NAME: name,
    VERSION: version,
    TARGET: target.name,
    FLAGS: words(oneShot),
    SERVE_FLAGS: words(serve),
    CTL_FLAGS: words(ctl),
  };
}

/**
 * The shell functions that narrow what `serve` may touch: `scope_serve "$@"` sets `reads` and `writes`,
 * with `$real` the folder of the program.
 */
export async function readScopeOfServe(): Promise<string> {
  return (await readTemplate("scope_serve.sh")).trimEnd();
}

const readTemplate = (name: string): Promise<string> =>
  Deno.readTextFile(new URL(name, import.meta.url));

function fill(template: string, values: Record<string, string>): string {
  return template.replaceAll(/@([A-Z_]+)@/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`the launcher names an unknown value: ${name}`);
    return value;
  });
}

/** A word that no shell reads as anything but itself; what would need quotes is refused. */
function shellWord(word: string): string {
  if (/^[\w./=,:-]+$/.test(word)) return word;
  throw new Error(`can't be written into a launcher unquoted: ${word}`);
}
