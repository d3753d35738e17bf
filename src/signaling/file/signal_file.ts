/**
 * Offers and answers in files: published in one piece, removed when an earlier run left them.
 *
 * @module
 */
import { dirname } from "node:path";
import { DaemonError, SignalError } from "../../base/errors.ts";
import { errnoOf, systemReason } from "../../base/system_error.ts";
import { writeAll } from "../../base/write_all.ts";
import type { SdpType } from "../../protocol/signal/bundle.ts";
import { fileTurns } from "./file_turns.ts";
import { nameBeside, removeReplaceable, replaceBy } from "./replace.ts";

/** Options of {@linkcode publishSignalFile}. */
export interface PublishOptions {
  /** Ends the wait for a slow disk or share. */
  readonly signal: AbortSignal;
  /** Only our user may read the file: it is 0600 instead of 0666 less the umask. @default {false} */
  readonly isPrivate?: boolean;
}

/**
 * Writes an offer or answer so that a reader sees all of it or nothing: to a temporary name in the
 * same folder, then to its own. The folder is made when it is not there. A signal bundle or an empty
 * file that lies there is replaced.
 *
 * @param path Where it goes.
 * @param kind Which half it is, for messages.
 * @param text One line of JSON, without a line feed.
 * @throws {SignalError} SIGNAL_FILE, also when what lies there may not be replaced; or the signal's
 * reason.
 */
export function publishSignalFile(
  path: string,
  kind: SdpType,
  text: string,
  options: PublishOptions,
): Promise<void> {
  const { signal } = options;
  return guarded(`cannot write the ${kind} at ${path}`, signal, async () => {
    const isPrivate = await makeFolder(dirname(path)) || options.isPrivate === true;
    const temporary = nameBeside(path);
    try {
      await writeNew(temporary, text + "\n", isPrivate ? 0o600 : 0o666);
      signal.throwIfAborted();
      await replaceBy(temporary, path);
    } catch (error) {
      await Deno.remove(temporary).catch(() => {}); // it may never have been made
      throw error;
    }
  });
}

/**
 * Removes an offer or answer that an earlier run left.
 *
 * @throws {SignalError} SIGNAL_FILE when something else lies there, or it can't be removed; or the
 * signal's reason.
 */
export function removeStaleFile(path: string, signal: AbortSignal): Promise<void> {
  const doing = `cannot remove the file of an earlier run at ${path}`;
  return guarded(doing, signal, () => removeReplaceable(path));
}

/** Writes a new file; the umask takes from the mode, which `Deno.writeTextFile` would not let it. */
async function writeNew(path: string, text: string, mode: number): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode });
  await writeAll(file, new TextEncoder().encode(text));
}

/**
 * Makes a folder, and its parents, for our user alone.
 *
 * @returns False when it was there already: its modes are its owner's choice.
 */
export async function makeFolder(folder: string): Promise<boolean> {
  try {
    if ((await Deno.stat(folder)).isDirectory) return false;
    throw new SignalError("SIGNAL_FILE", `${folder} is not a folder: give another path`);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
  await makeFolder(dirname(folder));
  try {
    await Deno.mkdir(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

/**
 * The outcome of work on signal files, begun at its turn, given up when the signal aborts.
 *
 * @param doing What can't be done when the work fails, e.g. `cannot read the offer at /tmp/o`.
 * @throws {SignalError} SIGNAL_FILE with the reason in plain words; errors of ours as they are.
 */
export async function guarded<T>(
  doing: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await fileTurns.run(work, signal);
  } catch (error) {
    if (signal.aborted || error instanceof DaemonError) throw error;
    const why = systemReason(error) ?? `the system refused it (${errnoOf(error) ?? "unknown"})`;
    throw new SignalError("SIGNAL_FILE", `${doing}: ${why}`, { cause: error });
  }
}
