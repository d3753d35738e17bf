/**
 * What a start makes of transfers that the last run left unfinished.
 *
 * @module
 */
import { unlessMissing } from "../base/system_error.ts";
import { isFinal } from "../base/transfer_states.ts";
import { type FileStatus, type FileSystem, isSameFile } from "./file_system.ts";
import { withStorageErrors } from "./failure.ts";
import type { PartPolicy } from "./inbox/incoming_file.ts";
import { cutPart } from "./inbox/kept_file.ts";
import type { Inbox } from "./inbox/inbox.ts";
import { safeName } from "./inbox/safe_name.ts";
import { folderNameOf, publishUnpacked } from "./inbox/unpack_part.ts";
import type { Journal } from "./journal.ts";
import { DAEMON_STOPPED, type TransferRecord, type UnpackState } from "./journal_record.ts";
import { arrivalOf, type ReceivedFiles } from "./received_files.ts";
import { inspectSource } from "./outgoing_file.ts";

/** Options of {@linkcode recoverTransfers}. */
export interface RecoveryOptions {
  /** What becomes of partial files. */
  readonly onAbort: PartPolicy;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Whether a file that was about to be published has its name: by a link whose other name is still
 * there, or alone. An empty file in the name's place, of a file that is not empty, is the
 * reservation made where there are no links, and is removed.
 */
async function isPublished(
  fs: FileSystem,
  inbox: Inbox,
  record: TransferRecord,
): Promise<boolean> {
  if (record.savedAs === null || record.unpack === "pending") return false;
  const path = inbox.pathOf(record.savedAs);
  if (record.unpack !== undefined) return await isFolderPublished(fs, inbox, record, path);
  const final = await unlessMissing(fs.lstat(path));
  const part = await unlessMissing(fs.lstat(inbox.partPath(record.transferId)));
  if (final?.kind !== "file") return false;
  if (part === undefined) return final.size === record.size;
  if (isSameFile(final, part)) return true;
  if (final.size !== 0) return false;
  if (record.size === 0) return true;
  await fs.remove(path);
  return false;
}

/**
 * Whether an unpacked folder has its name: its rename was the last that was done with it. An empty
 * folder in the name's place, while it is still where it was unpacked, is the reservation, and is
 * removed.
 */
async function isFolderPublished(
  fs: FileSystem,
  inbox: Inbox,
  { transferId }: TransferRecord,
  path: string,
): Promise<boolean> {
  const final = await unlessMissing(fs.lstat(path));
  if (final?.kind !== "folder") return false;
  const unpacked = await unlessMissing(fs.lstat(inbox.unpackedPath(transferId)));
  if (unpacked === undefined) return true;
  // One that is not empty is another's, and stays.
  for await (const _name of fs.names(path)) return false;
  await fs.remove(path);
  return false;
}

/** What a start has published. */
interface PublishedAgain {
  readonly savedAs: string;
  readonly unpack?: UnpackState;
}

/** Unpacks an archive once more, from its first byte. */
async function unpackAgain(
  journal: Journal,
  inbox: Inbox,
  record: TransferRecord,
  part: FileStatus,
): Promise<PublishedAgain | undefined> {
  const { transferId, savedAs } = record;
  if (savedAs === null) return undefined;
  using file = await inbox.fs.open(inbox.partPath(transferId), "read");
  if (!isSameFile(part, await file.status())) return undefined;
  const outcome = await publishUnpacked(inbox, {
    transferId,
    file,
    part,
    name: folderNameOf(savedAs),
    collision: "number",
    onPublishing: async (next) =>
      void await journal.record({ ...record, savedAs: next, unpack: "ready" }),
  });
  return "savedAs" in outcome ? { savedAs: outcome.savedAs, unpack: "done" } : undefined;
}

/**
 * Publishes what was whole and verified when the last run ended: its sender believes that it
 * arrived. It is hashed again, because anything may have happened to it since.
 *
 * @returns What it is now, or undefined when it is not there or not whole any more.
 */
async function publishAgain(
  fs: FileSystem,
  journal: Journal,
  inbox: Inbox,
  record: TransferRecord,
): Promise<PublishedAgain | undefined> {
  const { unpack, ...asFile } = record;
  const { transferId, savedAs, hash, size } = record;
  const name = savedAs === null ? undefined : safeName(savedAs);
  if (name === undefined || !name.safe || !await inbox.hasPart(transferId)) return undefined;
  const part = await inspectSource(fs, inbox.partPath(transferId), { maxBytes: size });
  if (part.status.size !== size || (hash !== null && part.hash !== hash)) return undefined;
  const folder = unpack === undefined
    ? undefined
    : await unpackAgain(journal, inbox, record, part.status);
  if (folder !== undefined) return folder;
  const published = await inbox.publish({
    transferId,
    part: part.status,
    // That of a folder has lost its ending.
    name: unpack === "ready" ? `${name.name}.tar` : name.name,
    collision: "number",
    onPublishing: async (next) => void await journal.record({ ...asFile, savedAs: next }),
  });
  return { savedAs: published };
}

/** What was about to be published, under the name that it has, or gets now. */
async function publish(
  fs: FileSystem,
  journal: Journal,
  inbox: Inbox,
  record: TransferRecord,
): Promise<PublishedAgain | undefined> {
  const { savedAs, unpack } = record;
  if (savedAs === null || !await isPublished(fs, inbox, record)) {
    return await publishAgain(fs, journal, inbox, record);
  }
  return { savedAs, ...(unpack === undefined ? {} : { unpack: "done" }) };
}

/** Whether what is known of a partial file is still there, and then alone. */
async function isKept(
  inbox: Inbox,
  { transferId, kept }: TransferRecord,
): Promise<boolean> {
  return kept !== undefined && await cutPart(inbox, transferId, kept.bytes);
}

/** Bytes of a file that have come: the journal is told of them at changes of state only. */
async function arrivedBytes(
  fs: FileSystem,
  inbox: Inbox,
  { transferId, bytes, size }: TransferRecord,
): Promise<number> {
  const part = await unlessMissing(fs.lstat(inbox.partPath(transferId)));
  return Math.max(bytes, Math.min(part?.size ?? 0, size));
}

/**
 * Whether a file that waits for its peer can be sent again without arriving twice: the peer has not
 * accepted it yet, or is told of the try that it accepted.
 */
function canGoOn(record: TransferRecord): boolean {
  const { queue, sourcePath, archive, state, size, lastTry } = record;
  if (queue === undefined || isFinal(state)) return false;
  if (sourcePath === undefined && archive === undefined) return false;
  // An empty file has arrived as soon as it is accepted.
  return state === "queued" || (state === "offered" && size > 0) || lastTry !== undefined;
}

/**
 * Ends in the journal what the last run did not end: `completed` for a file that had got its name,
 * or was about to; `interrupted` for all else, but for files that wait for their peer: those are
 * `queued`. Of partial files that the journal knows of those are
 * kept that can go on, if any are to be; the others are removed.
 *
 * @returns The records of the transfers that ended by that.
 * @throws {StorageError} When the inbox, the journal or the record of files that have arrived can't
 * be read or written.
 */
export async function recoverTransfers(
  fs: FileSystem,
  journal: Journal,
  inbox: Inbox,
  received: ReceivedFiles,
  options: RecoveryOptions,
): Promise<readonly TransferRecord[]> {
  const ended: TransferRecord[] = [];
  for (const record of journal.list()) {
    if (isFinal(record.state) && !record.hasPart) continue;
    if (canGoOn(record)) {
      if (record.state !== "queued") {
        await journal.record({ ...record, state: "queued", bytes: 0, updatedAt: options.now });
      }
      continue;
    }
    const { transferId, direction, state } = record;
    const published = state === "publishing"
      ? await withStorageErrors(
        `look into ${inbox.path}`,
        () => publish(fs, journal, inbox, record),
      )
      : undefined;
    const isDone = published !== undefined;
    if (record.unpack !== undefined && !isFinal(state)) await inbox.removeStage(transferId);
    const isInterrupted = !isDone && !isFinal(state);
    const isReceived = direction === "receive";
    // Before the part is cut to what is known of it, or removed.
    const bytes = !isReceived || isFinal(state) ? record.bytes : await withStorageErrors(
      `look into ${inbox.path}`,
      () => arrivedBytes(fs, inbox, record),
    );
    const staysKept = isReceived && !isDone && options.onAbort === "keep" &&
      await isKept(inbox, record);
    if (isReceived && !staysKept) await inbox.removePart(transferId);
    const { kept, unpack: _unpack, ...rest } = record;
    if (staysKept && isFinal(state)) continue;
    const now: TransferRecord = {
      ...rest,
      ...(staysKept && kept !== undefined ? { kept } : {}),
      ...(published?.unpack === undefined ? {} : { unpack: published.unpack }),
      savedAs: isDone ? published.savedAs : null,
      state: isDone ? "completed" : isInterrupted ? "interrupted" : state,
      error: isInterrupted ? DAEMON_STOPPED : record.error,
      bytes: isDone ? record.size : bytes,
      hasPart: isReceived && await inbox.hasPart(transferId),
      updatedAt: isFinal(state) ? record.updatedAt : options.now,
    };
    // Before the journal has the end, so that no crash leaves it out; it may be there already.
    const arrival = isDone ? arrivalOf(now, (name) => inbox.pathOf(name)) : undefined;
    if (arrival !== undefined && !await received.has(arrival)) await received.record(arrival);
    await journal.record(now);
    if (!isFinal(state)) ended.push(now);
  }
  return ended;
}
