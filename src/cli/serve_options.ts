/**
 * The command line of `bolt-daemon serve`. Pure: arguments in, options or a
 * {@linkcode UsageError} out, before any file or network is touched.
 *
 * @module
 */
import { SERVE_FLAGS, type ServeOptions } from "../app/daemon/options.ts";
import { UsageError } from "../base/errors.ts";
import { readOptions } from "./flags.ts";

/** What a run without flags prints. */
export const SERVE_USAGE = "Usage: bolt-daemon serve --data-dir DIR [options]";

/**
 * Parses the arguments after `serve`.
 *
 * @throws {UsageError} When a flag is unknown, given twice, without its value, or of a wrong value;
 * or when `--data-dir` is missing; or when a socket is named that is not going to be there.
 */
export function parseServeOptions(args: readonly string[]): ServeOptions {
  const { options } = readOptions(args, SERVE_FLAGS);
  if (options.localApi === "tcp" && options.socketPath !== undefined) {
    throw new UsageError("--socket-path has no effect with --local-api tcp: leave out one of them");
  }
  return options;
}
