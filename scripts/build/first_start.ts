/**
 * The first start of a built program: what was not started once was not built.
 *
 * @module
 */
import { resolve } from "node:path";
import type { Download, FirstStart } from "./programs.ts";

/** How long a start may take, in ms; a packed file unpacks itself in that time. */
const START_TIMEOUT_MS = 60_000;

/** What was built does not do what the programs do. */
export class FirstStartError extends Error {
  /** The class's name. */
  override readonly name = "FirstStartError";
}

/**
 * Starts a built file with arguments whose answers are known, in an empty folder of its own.
 *
 * @param download What it is to be.
 * @param path The file.
 * @throws {FirstStartError} When it is something else, or can't be started.
 */
export async function requireStarts(
  download: Pick<Download, "name" | "firstStarts">,
  path: string,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "bolt-build-" });
  try {
    for (const { args, code, says } of download.firstStarts) {
      const answer = await start(path, args, folder);
      if (answer.code === code && answer.text.includes(says)) continue;
      // `deno compile` appends the program to whatever DENORT_BIN names; deno itself runs none of it.
      const isDeno = /^deno \d/.test((await start(path, ["--version"], folder)).text);
      throw new FirstStartError(
        isDeno
          ? `made a file that is plain Deno, not ${download.name}: DENORT_BIN must name denort, the ` +
            "base binary, and not deno"
          : `made a file that does not start as ${[download.name, ...args].join(" ")}: it ended ` +
            `with ${answer.code} and said ${JSON.stringify(answer.text.slice(0, 500))}`,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs it to its end; what it wrote, on stdout and then on stderr. */
async function start(
  path: string,
  args: FirstStart["args"],
  folder: string,
): Promise<{ readonly code: number; readonly text: string }> {
  // It is started in another folder, from which a relative path would lead elsewhere.
  const command = new Deno.Command(resolve(path), {
    args: [...args],
    cwd: folder,
    env: { HOME: folder, XDG_CACHE_HOME: folder, DENO_DIR: folder, DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    signal: AbortSignal.timeout(START_TIMEOUT_MS),
  });
  try {
    const { code, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
  } catch (cause) {
    throw new FirstStartError(`made a file that can't be started: ${path}`, { cause });
  }
}
