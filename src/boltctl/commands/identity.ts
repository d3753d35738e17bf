/**
 * `boltctl identity`.
 *
 * @module
 */
import type { Context } from "../context.ts";

/** Prints our identity key, to be typed at the other end. */
export async function identity({ client, output, signal }: Context): Promise<void> {
  const { identity } = await client().status(signal);
  output.result({ identity }, () => output.line(identity));
}
