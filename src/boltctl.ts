/**
 * Entry of `boltctl`, the command-line client of the daemon's local API: arguments in, exit code
 * out.
 *
 * @module
 */
import { InterruptedError } from "./base/errors.ts";
import { EXIT, type ExitCode } from "./boltctl/exit_codes.ts";
import { runBoltctl } from "./boltctl/run.ts";
import { ProcessTerminal } from "./boltctl/terminal.ts";

/**
 * Runs the program; the first SIGINT, SIGTERM or SIGHUP ends it in order, the second at once. A
 * terminal that goes away may say so more than once: a SIGHUP is never the second.
 */
export async function main(args: readonly string[]): Promise<ExitCode> {
  const interruption = new AbortController();
  const names: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const name of names) {
    Deno.addSignalListener(name, () => {
      if (interruption.signal.aborted) {
        if (name === "SIGHUP") return;
        Deno.exit(EXIT.interrupted);
      }
      interruption.abort(new InterruptedError(`Interrupted by ${name}`));
    });
  }
  const environment = {
    BOLT_SOCKET: env("BOLT_SOCKET"),
    BOLT_API: env("BOLT_API"),
    NO_COLOR: env("NO_COLOR"),
  };
  const terminal = new ProcessTerminal(environment.NO_COLOR);
  return await runBoltctl(args, { terminal, environment, interruption: interruption.signal });
}

/** A variable, where the permissions let it be read. */
function env(name: "BOLT_SOCKET" | "BOLT_API" | "NO_COLOR"): string | undefined {
  try {
    return Deno.env.get(name);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
