/**
 * Publishing and removing signal files so that nothing but a signal bundle is ever lost, also when
 * another program changes the path at that moment.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { SignalError } from "../../base/errors.ts";
import { errnoOf } from "../../base/system_error.ts";
import { lookAt } from "./look.ts";
import { assertReplaceable, isReplaceable } from "./replaceable.ts";

/** How often a path is cleared for one file, when somebody fills it each time. */
const MOST_ATTEMPTS = 4;

/** A name of our own in the same folder, short enough wherever a name is allowed. */
export function nameBeside(path: string): string {
  const random = crypto.getRandomValues(new Uint8Array(8)).toHex();
  return join(dirname(path), `.bolt-${random}.tmp`);
}

/**
 * Removes what lies at a path, if it may be. It is moved aside first and looked at again there:
 * what came to the path after the first look goes back.
 *
 * @throws {SignalError} SIGNAL_FILE when it may not be; or what the system says.
 */
export async function removeReplaceable(path: string): Promise<void> {
  const found = await lookAt(path);
  assertReplaceable(path, found);
  if (found.kind === "nothing") return;
  const aside = nameBeside(path);
  try {
    await Deno.rename(path, aside);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  const moved = await lookAt(aside);
  if (moved.kind === "nothing") return; // somebody else has removed it
  if (isReplaceable(moved)) return await Deno.remove(aside);
  await putBack(aside, path);
  assertReplaceable(path, moved);
}

/**
 * Gives a file a name in place of what lies there, if that may be replaced. Until then nobody sees
 * the name: a reader finds all of the file, or nothing.
 *
 * @throws {SignalError} SIGNAL_FILE when it may not be; or what the system says.
 */
export async function replaceBy(file: string, path: string): Promise<void> {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    await removeReplaceable(path);
    if (await takeName(file, path)) return;
  }
  throw new SignalError(
    "SIGNAL_FILE",
    `another program writes to ${path} again and again: give each exchange paths of its own`,
  );
}

/** Puts what was moved aside back, unless the name is taken by now. */
async function putBack(aside: string, path: string): Promise<void> {
  if (await takeName(aside, path)) return;
  throw new SignalError(
    "SIGNAL_FILE",
    `two files came to ${path} while it was cleared: the first is now at ${aside}`,
  );
}

/** Renames to a name that nothing has; false when something does. */
async function takeName(from: string, to: string): Promise<boolean> {
  try {
    // A rename would replace what came to the name a moment ago; a link never does.
    await Deno.link(from, to);
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    // Folders can't be linked, nor anything on some disks and shares: the gap is a moment, there.
    if ((await lookAt(to)).kind !== "nothing") return false;
    await Deno.rename(from, to);
    return true;
  }
  await Deno.remove(from);
  return true;
}
