/**
 * Entry of `bolt-daemon`: arguments in, exit code out. `bolt-daemon ctl ...` is boltctl, so that one
 * file holds both; so is a file of that name.
 *
 * What a run needs is loaded after the arguments are known to be good, so that bad ones are
 * answered at once.
 *
 * @module
 */
import project from "../deno.json" with { type: "json" };
import type { DaemonSteering } from "./app/daemon/daemon.ts";
import type { ServeOptions } from "./app/daemon/options.ts";
import type { OneShotOptions } from "./app/one_shot/options.ts";
import { DaemonError, InterruptedError, messageOf } from "./base/errors.ts";
import { askedLogFormat } from "./cli/flags.ts";
import { writeAll } from "./base/write_all.ts";
import { parseOneShotOptions, USAGE } from "./cli/one_shot_options.ts";
import { askedOfServe, serveHelp } from "./cli/serve_help.ts";
import { parseServeOptions, SERVE_USAGE } from "./cli/serve_options.ts";
import { flushLog, logFor, setupLog, writeStderrLine } from "./log/log.ts";
import { peerCodeFromBytes } from "./protocol/signal/peer_code.ts";
import { requireUdpSockets } from "./transport/udp_support.ts";

const log = logFor("bolt-daemon");

/**
 * Runs the program.
 *
 * @param args The command line's arguments.
 * @returns The exit code: 0 only after a complete exchange, or a graceful shutdown of the daemon; of
 * `ctl` boltctl's.
 */
export async function main(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  if (command === "ctl") return await (await import("./boltctl.ts")).main(rest);
  const asked = command === "serve" ? askedOfServe(rest) : undefined;
  if (asked === "help") return await print(serveHelp());
  if (asked === "version") return await print([`bolt-daemon ${project.version}`]);
  setupLog({ format: askedLogFormat(args) });
  const code = await run(args);
  await flushLog();
  return code;
}

/** Writes lines to stdout. The exit code: 0 when all was read. */
async function print(lines: readonly string[]): Promise<0 | 1> {
  try {
    await writeAll(
      Deno.stdout,
      new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")),
    );
    return 0;
  } catch {
    return 1; // `serve --help | head`, or a full disk: nothing else was asked for
  }
}

async function run(args: readonly string[]): Promise<0 | 1> {
  const [command, ...rest] = args;
  const usage = command === undefined
    ? USAGE
    : command === "serve" && rest.length === 0
    ? SERVE_USAGE
    : undefined;
  if (usage !== undefined) {
    writeStderrLine(usage);
    return 1;
  }
  try {
    if (command === "serve") {
      const options = parseServeOptions(rest);
      requireUdpSockets();
      await serve(options);
    } else {
      const options = parseOneShotOptions(args, randomPeerCode);
      requireUdpSockets();
      await runUntilSignal(options);
    }
    log.info("exit 0");
    return 0;
  } catch (error) {
    const code = error instanceof DaemonError ? error.code : "UNEXPECTED";
    log.error(`FATAL: ${messageOf(error)}`, { code });
    return 1;
  }
}

/**
 * The daemon: the first signal stops it in order, the second at once. A terminal that goes away
 * may say so more than once: a SIGHUP is never the second. With `--links` a SIGHUP has that file read
 * again, and ends nothing.
 */
async function serve(options: ServeOptions): Promise<void> {
  setupLog({ level: options.logLevel, format: options.logFormat });
  let steering: DaemonSteering | undefined;
  const early = Promise.withResolvers<never>();
  let isAsked = false;
  let isReloadAsked = false;
  const release = onSignals((name) => {
    if (isAsked && name === "SIGHUP") return;
    if (name === "SIGHUP" && options.links !== undefined) {
      isReloadAsked = true;
      return steering?.reload();
    }
    isAsked = true;
    if (steering === undefined) early.reject(new InterruptedError(`interrupted by ${name}`));
    else steering.stop();
  });
  // A failure that nobody expected ends what it happened in, not the other sessions.
  const releaseGuard = onUnhandledFailure((error) =>
    log.error("an unexpected error was caught; the program goes on", { reason: messageOf(error) })
  );
  try {
    const { Daemon } = await import("./app/daemon/daemon.ts");
    const running = Daemon.run(options, {
      version: project.version,
      loadConnector: async () => (await import("./transport/webrtc/connector.ts")).connector,
    }, (ready) => {
      steering = ready;
      // The file may be another by now than the one that was read at the start.
      if (isReloadAsked) steering.reload();
    });
    const end = await Promise.race([running, early.promise]);
    if (end.kind === "forced") throw new InterruptedError(end.message);
  } finally {
    releaseGuard();
    release();
  }
}

async function runUntilSignal(options: OneShotOptions): Promise<void> {
  setupLog({ level: options.logLevel, format: options.logFormat, alwaysTokens: true });
  const interruption = new AbortController();
  const release = onSignals((name) =>
    interruption.abort(new InterruptedError(`interrupted by ${name}`))
  );
  const releaseGuard = onUnhandledFailure((error) => interruption.abort(error));
  try {
    announce(options);
    const [{ runOneShot }, { connector }] = await Promise.all([
      import("./app/one_shot/run.ts"),
      import("./transport/webrtc/connector.ts"),
    ]);
    await runOneShot(options, connector, interruption.signal);
  } finally {
    releaseGuard();
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

/** Calls `listener` at SIGINT, SIGTERM and SIGHUP. Returns what takes the listeners off again. */
function onSignals(listener: (name: Deno.Signal) => void): () => void {
  const names: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  const listeners = names.map((name) => {
    const own = () => listener(name);
    Deno.addSignalListener(name, own);
    return () => Deno.removeSignalListener(name, own);
  });
  return () => listeners.forEach((remove) => remove());
}

/**
 * The last resort: a failed promise or callback that nobody handled, which would end the process
 * silently. Returns what takes the listeners off again.
 */
function onUnhandledFailure(listener: (error: unknown) => void): () => void {
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    listener(event.reason);
  };
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    listener(event.error);
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  globalThis.addEventListener("error", onError);
  return () => {
    globalThis.removeEventListener("unhandledrejection", onRejection);
    globalThis.removeEventListener("error", onError);
  };
}

function randomPeerCode(): ReturnType<typeof peerCodeFromBytes> {
  return peerCodeFromBytes(crypto.getRandomValues(new Uint8Array(4)));
}

if (import.meta.main) {
  const isBoltctl = /(^|[/\\])boltctl(\.exe)?$/.test(Deno.execPath());
  Deno.exit(await main(isBoltctl ? ["ctl", ...Deno.args] : Deno.args));
}
