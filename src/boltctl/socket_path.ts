/**
 * Which socket the daemon is asked at.
 *
 * @module
 */
import { isAbsolute } from "node:path";
import { UsageError } from "../base/errors.ts";
import type { FlagValues } from "./flag_values.ts";
import type { Environment } from "./context.ts";

/**
 * The path that `--socket` or `BOLT_SOCKET` names; there is no default.
 *
 * @param absolutePath Makes a path absolute.
 * @throws {UsageError} When neither names one.
 */
export function socketPath(
  flags: FlagValues,
  environment: Environment,
  absolutePath: (path: string) => string,
): string {
  const given = flags.text("socket") ?? environment.BOLT_SOCKET ?? "";
  if (given === "") {
    throw new UsageError(
      "The daemon's socket is not named: give --socket PATH or set BOLT_SOCKET (bolt-daemon " +
        "serve makes it in its --data-dir, as daemon.sock, unless --socket-path says otherwise)",
    );
  }
  return isAbsolute(given) ? given : absolutePath(given);
}
