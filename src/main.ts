/**
 * Entry of `bolt-daemon`: arguments in, exit code out.
 *
 * What a run needs is loaded after the arguments are known to be good, so that bad ones are
 * answered at once.
 *
 * @module
 */
import type { OneShotOptions } from "./app/one_shot/options.ts";
import { InterruptedError, messageOf } from "./base/errors.ts";
import { parseOneShotOptions, USAGE } from "./cli/one_shot_options.ts";
import { logFor, setupLog } from "./log/log.ts";
import { peerCodeFromBytes } from "./protocol/signal/peer_code.ts";

const log = logFor("bolt-daemon");

/**
 * Runs the program.
 *
 * @param args The command line's arguments.
 * @returns The exit code: 0 only after a complete exchange.
 */
export async function main(args: readonly string[]): Promise<0 | 1> {
  setupLog();
  if (args.length === 0) {
    Deno.stderr.writeSync(new TextEncoder().encode(USAGE + "\n"));
    return 1;
  }
  try {
    const options = parseOneShotOptions(args, randomPeerCode);
    setupLog({ level: options.logLevel, format: options.logFormat });
    await runUntilSignal(options);
    log.info("exit 0");
    return 0;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "UNEXPECTED";
    log.error(`FATAL: ${messageOf(error)}`, { code });
    return 1;
  }
}

async function runUntilSignal(options: OneShotOptions): Promise<void> {
  const interruption = new AbortController();
  const release = abortOnSignals(interruption);
  try {
    announce(options);
    const [{ runOneShot }, { connector }] = await Promise.all([
      import("./app/one_shot/run.ts"),
      import("./transport/webrtc/connector.ts"),
    ]);
    await runOneShot(options, connector, interruption.signal);
  } finally {
    release();
  }
}

/** The line that tooling reads first. */
function announce(options: OneShotOptions): void {
  const capital = (text: string) => text[0]?.toUpperCase() + text.slice(1);
  log.info("", {
    role: capital(options.role),
    signal: capital(options.signal),
    scope: capital(options.scope),
    timeout: `${options.phaseTimeoutSecs}s`,
  });
  for (const flag of options.unused) log.warn(`${flag} has no effect here`);
}

/** SIGINT and SIGTERM end the run. Returns what takes the listeners off again. */
function abortOnSignals(interruption: AbortController): () => void {
  const names: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM"];
  const listeners = names.map((name) => {
    const listener = () => interruption.abort(new InterruptedError(`interrupted by ${name}`));
    Deno.addSignalListener(name, listener);
    return () => Deno.removeSignalListener(name, listener);
  });
  return () => listeners.forEach((remove) => remove());
}

function randomPeerCode(): ReturnType<typeof peerCodeFromBytes> {
  return peerCodeFromBytes(crypto.getRandomValues(new Uint8Array(4)));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
