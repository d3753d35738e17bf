/**
 * `boltctl completion`.
 *
 * @module
 */
import { completionScript, SHELLS } from "../completion_script.ts";
import type { Context } from "../context.ts";

/** Prints the completion script of a shell. */
export function completion({ output, args, terminal }: Context): Promise<void> {
  const shell = SHELLS.find((name) => name === args[0]) ?? "bash";
  const script = completionScript(shell);
  output.result({ shell, script }, () => terminal.write(script));
  return Promise.resolve();
}
