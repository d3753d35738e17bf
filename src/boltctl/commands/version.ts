/**
 * `boltctl version`.
 *
 * @module
 */
import type { Context } from "../context.ts";
import { VERSION } from "../version.ts";

/** Prints the version of this program. */
export function version({ output }: Context): Promise<void> {
  output.result({ program: "boltctl", version: VERSION }, () => output.line(`boltctl ${VERSION}`));
  return Promise.resolve();
}
