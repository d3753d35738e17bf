/**
 * What a start makes of transfers that the last run left unfinished.
 *
 * @module
 */
import { unlessMissing } from "../base/system_error.ts";
import { isFinal } from "../base/transfer_states.ts";
import { type FileSystem, isSameFile } from "./file_system.ts";
import { withStorageErrors } from "./failure.ts";
import type { PartPolicy } from "./inbox/incoming_file.ts";
import { cutPart } from "./inbox/kept_file.ts";
import type { Inbox } from "./inbox/inbox.ts";
import { safeName } from "./inbox/safe_name.ts";
import type { Journal } from "./journal.ts";
import { DAEMON_STOPPED, type TransferRecord } from "./journal_record.ts";
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
  if (record.savedAs === null) return false;
  const path = inbox.pathOf(record.savedAs);
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
 * Publishes what was whole and verified when the last run ended: its sender believes that it
 * arrived. It is hashed again, because anything may have happened to it since.
 *
 * @returns The name it got, or undefined when it is not there or not whole any more.
 */
async function publishAgain(
  fs: FileSystem,
  journal: Journal,
  inbox: Inbox,
  record: TransferRecord,
): Promise<string | undefined> {
  const { transferId, savedAs, hash, size } = record;
  const name = savedAs === null ? undefined : safeName(savedAs);
  if (name === undefined || !name.safe || !await inbox.hasPart(transferId)) return undefined;
  const part = await inspectSource(fs, inbox.partPath(transferId), { maxBytes: size });
  if (part.status.size !== size || (hash !== null && part.hash !== hash)) return undefined;
  return await inbox.publish({
    transferId,
    part: part.status,
    name: name.name,
    collision: "number",
    onPublishing: async (next) => void await journal.record({ ...record, savedAs: next }),
  });
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
function canGoOn({ queue, sourcePath, state, size, lastTry }: TransferRecord): boolean {
  if (queue === undefined || sourcePath === undefined || isFinal(state)) return false;
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
    const savedAs = state === "publishing"
      ? await withStorageErrors(`look into ${inbox.path}`, async () => {
        return await isPublished(fs, inbox, record)
          ? record.savedAs
          : await publishAgain(fs, journal, inbox, record);
      })
      : undefined;
    const isDone = typeof savedAs === "string";
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
    const { kept, ...rest } = record;
    if (staysKept && isFinal(state)) continue;
    const now: TransferRecord = {
      ...rest,
      ...(staysKept && kept !== undefined ? { kept } : {}),
      savedAs: isDone ? savedAs : null,
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
