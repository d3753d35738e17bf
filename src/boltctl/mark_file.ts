/**
 * The file of a reader's mark: replaced whole, and by one program at a time.
 *
 * @module
 */
import { basename, dirname } from "node:path";
import { BackOff } from "../base/back_off.ts";
import { Deadline } from "../base/deadline.ts";
import { StorageError } from "../base/errors.ts";
import { unlessMissing } from "../base/system_error.ts";
import { sleep, systemTimer } from "../base/timer.ts";
import { COMMAND_WAIT_MS, MARK_LOCK_RETRY } from "../base/timing.ts";
import { removeLeftovers, writeAtomically } from "../storage/atomic_write.ts";
import { withStorageErrors } from "../storage/failure.ts";
import { denoFileSystem } from "../storage/file_system.ts";
import { KnownFolder } from "../storage/known_folder.ts";
import { LockFile } from "../storage/lock_file.ts";
import { readBounded } from "../storage/whole_file.ts";
import { CommandError } from "./exit_codes.ts";
import { formatMark, NO_MARK, parseMark, type ReceivedMark } from "./received_mark.ts";

/** Longest mark, in bytes: many times what the files that a daemon keeps note of can make. */
const MAX_MARK_BYTES = 4 * 1024 * 1024;
const fs = denoFileSystem;

/**
 * The mark in a file; nothing is handled where there is none.
 *
 * @throws {CommandError} MARK_INVALID
 * @throws {StorageError} When it can't be read.
 */
export async function readMark(path: string): Promise<ReceivedMark> {
  const bytes = await withStorageErrors(`read ${path}`, async () => {
    const seen = await unlessMissing(fs.lstat(path));
    if (seen === undefined) return new Uint8Array();
    if (seen.kind !== "file") return undefined;
    using file = await fs.open(path, "read");
    return await readBounded(file, MAX_MARK_BYTES);
  });
  if (bytes?.length === 0) return NO_MARK;
  const mark = bytes === undefined ? undefined : parseMark(new TextDecoder().decode(bytes));
  if (mark !== undefined) return mark;
  throw new CommandError(
    "MARK_INVALID",
    `${path} is not a mark of boltctl received: name another file, or put back a copy of it`,
  );
}

/**
 * Changes the mark in a file, which is made where there is none. On disk when it resolves. What
 * another program changes at the same time is not lost: `FILE.lock` is held meanwhile.
 *
 * @throws {CommandError} MARK_INVALID
 * @throws {StorageError} When it can't be read or written: then the old mark stands.
 * @throws {DeadlineError} When another program holds the lock for too long; or the signal's reason.
 */
export async function changeMark(
  path: string,
  change: (mark: ReceivedMark) => ReceivedMark,
  signal: AbortSignal,
): Promise<void> {
  using _lock = await lockOf(`${path}.lock`, signal);
  const before = await readMark(path);
  const after = change(before);
  if (after === before) return;
  const folder = await withStorageErrors(
    `use ${dirname(path)}`,
    () => KnownFolder.open(fs, dirname(path)),
  );
  const name = basename(path);
  await removeLeftovers(fs, folder.path, new Set([name]));
  await writeAtomically(fs, folder, name, new TextEncoder().encode(formatMark(after)));
}

async function lockOf(path: string, signal: AbortSignal): Promise<LockFile> {
  using deadline = new Deadline(COMMAND_WAIT_MS, {
    what: `the program that holds ${path}`,
    parent: signal,
  });
  const waits = new BackOff(MARK_LOCK_RETRY);
  for (;;) {
    try {
      return await LockFile.acquire(fs, path, Deno.pid);
    } catch (error) {
      if (!(error instanceof StorageError && error.code === "FOLDER_LOCKED")) throw error;
      await sleep(systemTimer, waits.next(), deadline.signal);
    }
  }
}
