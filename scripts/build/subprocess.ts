/**
 * Running other programs while building.
 *
 * @module
 */

/** Another program failed, or could not be started. */
export class SubprocessError extends Error {
  /** The class's name. */
  override readonly name = "SubprocessError";
}

/** Options of {@linkcode run}. */
export interface RunOptions {
  /** Folder to run in. @default {Deno.cwd()} */
  readonly cwd?: string | URL;
  /** Kills the program. */
  readonly signal?: AbortSignal;
  /** More variables of its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs a program to its end.
 *
 * @returns What it wrote on stdout.
 * @throws {SubprocessError} When it can't be started or its exit code is not 0; the message holds
 * what it wrote on stderr.
 */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const command = new Deno.Command(program, {
    ...options,
    args: [...args],
    env: { ...options.env, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    stdin: "null",
  });
  const line = [program, ...args].join(" ");
  let output: Deno.CommandOutput;
  try {
    output = await command.output();
  } catch (cause) {
    throw new SubprocessError(`can't run ${line}: ${String(cause)}`, { cause });
  }
  const decoder = new TextDecoder();
  if (output.success) return decoder.decode(output.stdout);
  throw new SubprocessError(
    `${line} ended with ${output.signal ?? output.code}: ${decoder.decode(output.stderr).trim()}`,
  );
}
