/**
 * Runs one command line: reads it, does it, and turns whatever ended it into an exit code and one
 * sentence.
 *
 * @module
 */
import { resolve } from "node:path";
import { Deadline } from "../base/deadline.ts";
import { DaemonError, DeadlineError, messageOf } from "../base/errors.ts";
import { escapeUnsafe, safeJson } from "../base/text.ts";
import { type Clock, SYSTEM_CLOCK } from "../base/timer.ts";
import { OUTPUT_FLUSH_MS } from "../base/timing.ts";
import { type CommandLine, readCommandLine } from "./command_line.ts";
import type { Context, Environment } from "./context.ts";
import { loadCommand } from "./commands/load.ts";
import { EXIT, type ExitCode, exitCodeOf, ReportedFailure } from "./exit_codes.ts";
import { locationOf, namedApi, servedOtherwise } from "./named_api.ts";
import { Output } from "./output/output.ts";
import type { Terminal } from "./terminal.ts";

/** What a run needs of its surroundings. */
export interface RunOptions {
  /** Where text goes and comes from. */
  readonly terminal: Terminal;
  /** The variables that are read. */
  readonly environment: Environment;
  /** Aborts with an `InterruptedError` at SIGINT and SIGTERM. */
  readonly interruption: AbortSignal;
  /** The clock. @default {SYSTEM_CLOCK} */
  readonly clock?: Clock;
}

/** Runs a command line. Never throws. All that was written is out, unless nobody reads it. */
export async function runBoltctl(words: readonly string[], options: RunOptions): Promise<ExitCode> {
  const code = await runReported(words, options);
  using deadline = new Deadline(OUTPUT_FLUSH_MS, { what: "the output to be read" });
  await options.terminal.flushed(deadline.signal).catch(() => {}); // shown, or nobody reads it
  return code;
}

async function runReported(words: readonly string[], options: RunOptions): Promise<ExitCode> {
  try {
    return await runLine(readCommandLine(words), options);
  } catch (error) {
    return report(error, options.terminal, words.includes("--json"));
  }
}

async function runLine(line: CommandLine, options: RunOptions): Promise<ExitCode> {
  const { terminal, environment } = options;
  const json = line.flags.has("json");
  const seconds = line.flags.integer("timeout");
  using deadline = seconds === undefined
    ? undefined
    : new Deadline(seconds * 1000, { parent: options.interruption, what: "the command" });
  const signal = deadline?.signal ?? options.interruption;
  try {
    // Loaded first: what follows is then not asynchronous up to the first request.
    const run = await loadCommand(line.command.name);
    const { DaemonClient } = line.command.needsDaemon
      ? await import("../ipc/client/client.ts")
      : { DaemonClient: undefined };
    const context: Context = {
      flags: line.flags,
      args: line.args,
      environment,
      output: new Output(terminal, json),
      terminal,
      clock: options.clock ?? SYSTEM_CLOCK,
      signal,
      client(options) {
        if (DaemonClient === undefined) throw new TypeError("This command knows no daemon");
        return new DaemonClient(locationOf(namedApi(line.flags, environment, resolve)), options);
      },
      absolutePath: (path) => resolve(path),
    };
    try {
      await run(context);
    } finally {
      // Whatever is read late is read whole, also a report that ends in a failure.
      await terminal.flushed(signal);
    }
    return EXIT.done;
  } catch (error) {
    const isOurs = error instanceof DeadlineError && error === deadline?.signal.reason;
    const reported = isOurs ? new DeadlineError(`Not done within ${seconds} s (--timeout)`) : error;
    return report(reported, terminal, json, await hintFor(error, line, environment));
  }
}

/** What a daemon that was not reached may be, for the sentence's end. */
async function hintFor(
  error: unknown,
  { flags }: CommandLine,
  environment: Environment,
): Promise<string> {
  if (!(error instanceof DaemonError) || exitCodeOf(error) !== EXIT.notRunning) return "";
  return await servedOtherwise(namedApi(flags, environment, resolve)) ?? "";
}

/** Writes one sentence, or one JSON object, on stderr; returns the exit code. */
function report(error: unknown, terminal: Terminal, json: boolean, hint = ""): ExitCode {
  const exit = exitCodeOf(error);
  if (error instanceof ReportedFailure) return exit;
  const code = error instanceof DaemonError ? error.code : "UNEXPECTED";
  const message = messageOf(error) + hint;
  terminal.writeError(
    json
      ? `${safeJson({ error: { code, message, exit } })}\n`
      : `boltctl: ${escapeUnsafe(message)}\n`,
  );
  return exit;
}
