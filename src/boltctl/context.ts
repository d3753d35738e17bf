/**
 * What a command works with.
 *
 * @module
 */
import type { Clock } from "../base/timer.ts";
import type { DaemonClient, DaemonClientOptions } from "../ipc/client/client.ts";
import type { FlagValues } from "./flag_values.ts";
import type { Output } from "./output/output.ts";
import type { Terminal } from "./terminal.ts";

/** Environment variables that boltctl reads; no others. */
export interface Environment {
  /** Where the daemon's socket is, unless `--socket` says so. */
  readonly BOLT_SOCKET?: string | undefined;
  /** The file that tells where the daemon is served over TCP, unless `--api` says so. */
  readonly BOLT_API?: string | undefined;
  /** Not empty: no colour. */
  readonly NO_COLOR?: string | undefined;
}

/** What a command works with. */
export interface Context {
  /** The flags that were given, parsed. */
  readonly flags: FlagValues;
  /** What was no flag. */
  readonly args: readonly string[];
  /** The variables of the environment. */
  readonly environment: Environment;
  /** Where its results are printed. */
  readonly output: Output;
  /** For questions and progress. */
  readonly terminal: Terminal;
  /** For what is shown to go by. */
  readonly clock: Clock;
  /** Aborts at Ctrl-C, and when `--timeout` is over. */
  readonly signal: AbortSignal;
  /** The daemon that was named. @throws {UsageError} When none was named. */
  client(options?: DaemonClientOptions): DaemonClient;
  /** Absolute path of a path as the person gave it. */
  absolutePath(path: string): string;
}

/** What a command does, once its line is known to be good. */
export type RunCommand = (context: Context) => Promise<void>;
