/**
 * What is sent: a file, or files and folders that become one archive; looked at when it is asked for,
 * so that what can't be sent is refused at once.
 *
 * @module
 */
import { basename, resolve } from "node:path";
import { Deadline } from "../../../base/deadline.ts";
import { DeadlineError, StorageError } from "../../../base/errors.ts";
import { API_OPERATION_MS } from "../../../base/timing.ts";
import type { SendParameters } from "../../../ipc/api/operations.ts";
import { OperationError } from "../../../ipc/api/problem.ts";
import type { SourceFileSystem } from "../../../storage/allowed_folders.ts";
import { type ArchiveSource, listArchive, type Skipped } from "../../../storage/archive/listing.ts";
import { withStorageErrors } from "../../../storage/failure.ts";
import { isArchiveSource, isSourcePath, MAX_PATH_BYTES } from "../../../storage/journal_record.ts";
import { checkSource, waitingSource } from "../../../storage/outgoing_file.ts";
import type { OwnData } from "../../../storage/own_data.ts";
import type { SessionTransfers } from "./session_transfers.ts";
import { factsOfArchive, type TransferFacts } from "./transfer_entry.ts";

/** Where sources are looked for. */
export interface SourceOptions {
  /** Where the files are. */
  readonly fs: SourceFileSystem;
  /** The daemon's own files, which are never sent. */
  readonly own: OwnData;
  /** Most bytes of a file or an archive. @default {10 GiB} */
  readonly maxFileBytes?: number;
}

/** The bound, as the storage takes it. */
export function boundOf(
  { maxFileBytes }: Pick<SourceOptions, "maxFileBytes">,
): { readonly maxBytes?: number } {
  return maxFileBytes === undefined ? {} : { maxBytes: maxFileBytes };
}

/** The path of a file, or what an archive is made of. */
export type TransferSource = string | ArchiveSource;

/** What one transfer is to send, as it was looked at. */
export interface LookedAt {
  /** What it is. */
  readonly source: TransferSource;
  /** Bytes that are sent. */
  readonly size: number;
  /** Its last change, in milliseconds since 1970. */
  readonly mtimeMs: number;
  /** A file's inode, where the platform has one. */
  readonly ino?: number | undefined;
  /** What an archive leaves out. */
  readonly skipped?: Skipped;
}

/** Whom it is looked at for. */
export interface LookedFor {
  /** The session that it goes over; undefined while a linked peer is away. */
  readonly session: SessionTransfers | undefined;
  /** Whether it waits for a linked peer, over restarts. */
  readonly waits: boolean;
}

/** The name that a source is offered under. */
export function nameOf(source: TransferSource): string {
  return typeof source === "string" ? basename(source) : source.name;
}

/** Whether a source can wait over restarts. */
export function mayBeKept(source: TransferSource): boolean {
  return typeof source === "string" ? isSourcePath(source) : isArchiveSource(source);
}

/** What a transfer keeps of its source. */
export function factsOf(source: TransferSource): Pick<TransferFacts, "sourcePath" | "archive"> {
  return typeof source === "string" ? { sourcePath: source } : factsOfArchive(source);
}

/**
 * Looks at what is to be sent to the peer of a session, or to a linked one that is away: each path a
 * transfer, or all of them one archive.
 *
 * @throws {OperationError} FILE_UNREADABLE, LIMIT_EXCEEDED
 */
export async function lookAtSources(
  options: SourceOptions,
  { paths, as }: Pick<SendParameters, "paths" | "as">,
  receiver: LookedFor,
): Promise<readonly LookedAt[]> {
  using deadline = new Deadline(API_OPERATION_MS, { what: "folders to be listed" });
  const { signal } = deadline;
  const looks = as === undefined
    ? paths.map((path) => () => lookAtPath(options, path, signal))
    : [() => lookAtArchive(options, { name: as, paths }, signal)];
  const looked: LookedAt[] = [];
  for (const look of looks) looked.push(sendable(await refusing(look), receiver));
  return looked;
}

async function lookAtPath(
  options: SourceOptions,
  path: string,
  signal: AbortSignal,
): Promise<LookedAt> {
  const { fs, own } = options;
  const seen = await withStorageErrors(`read ${path}`, () => fs.lstat(path));
  if (seen.kind === "folder") {
    const name = `${basename(resolve(path))}.tar`;
    return await lookAtArchive(options, { name, paths: [path] }, signal);
  }
  await own.refuse(path);
  return { source: path, ...waitingSource(await checkSource(fs, path, boundOf(options))) };
}

async function lookAtArchive(
  options: SourceOptions,
  { name, paths }: ArchiveSource,
  signal: AbortSignal,
): Promise<LookedAt> {
  const { fs, own } = options;
  const source = { name, paths: paths.map((path) => resolve(path)) };
  const list = { own, signal, ...boundOf(options) };
  const { size, mtimeMs, skipped } = await listArchive(fs, source, list);
  return { source, size, mtimeMs, skipped };
}

/** What is in the way of sending it to that peer ends it. */
function sendable(looked: LookedAt, { session, waits }: LookedFor): LookedAt {
  const { source, size } = looked;
  const what = typeof source === "string" ? source : source.paths.join(", ");
  if (waits && !mayBeKept(source)) throw new OperationError("LIMIT_EXCEEDED", unkeepable(what));
  const problem = session?.peer.dialect.unsendable(size);
  if (problem === undefined) return looked;
  throw new OperationError("LIMIT_EXCEEDED", `${what}: ${problem}`);
}

async function refusing(look: () => Promise<LookedAt>): Promise<LookedAt> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof DeadlineError) {
      throw new OperationError(
        "LIMIT_EXCEEDED",
        "what is in the folders could not be listed in time: send their parts one by one",
        { cause: error },
      );
    }
    if (!(error instanceof StorageError)) throw error;
    const code = error.code === "SOURCE_TOO_LARGE" ? "LIMIT_EXCEEDED" : "FILE_UNREADABLE";
    throw new OperationError(code, error.message, { cause: error });
  }
}

/** Why the path of a source can't be kept until its turn comes. */
function unkeepable(path: string): string {
  return `${
    path.slice(0, 200)
  }...: a path that takes more than ${MAX_PATH_BYTES} bytes as JSON can't ` +
    "be kept while its file waits for a linked peer: give it a shorter one";
}
