/**
 * `boltctl identity`.
 *
 * @module
 */
import type { Context } from "../context.ts";
import { askStatus } from "./status.ts";

/** Prints our identity key, to be typed at the other end; with `--wait`, as soon as it serves. */
export async function identity(context: Context): Promise<void> {
  const { output } = context;
  const { identity } = await askStatus(context);
  output.result({ identity }, () => output.line(identity));
}
