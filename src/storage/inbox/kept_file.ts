/**
 * The partial file of a transfer that was lost, for the next to go on with: opened once, and believed
 * as far as it is what the journal says of it.
 *
 * @module
 */
import { unlessMissing } from "../../base/system_error.ts";
import { Sha256 } from "../../protocol/crypto/sha256.ts";
import { withStorageErrors } from "../failure.ts";
import { type FileStatus, isSameFile, type OpenFile } from "../file_system.ts";
import { HASH_BUFFER_BYTES } from "../outgoing_file.ts";
import type { Inbox } from "./inbox.ts";

/** The start of a file that is on the disk. */
export interface KeptPrefix {
  /** How many bytes. */
  readonly bytes: number;
  /** SHA-256 of these bytes, 64 lower-case hex digits. */
  readonly hash: string;
}

/** What {@linkcode KeptFile.open} has found. */
interface Verified {
  readonly transferId: string;
  readonly file: OpenFile;
  readonly status: FileStatus;
  readonly bytes: number;
  readonly hash: Sha256;
}

/**
 * Opens a partial file of ours for reading and writing: a regular file of our own that has no other
 * name. Nothing else is followed or touched.
 *
 * @returns Undefined when there is none. The caller disposes the file.
 */
async function openOwn(
  { fs, uid, partPath }: { readonly partPath: string } & Pick<Inbox, "fs" | "uid">,
): Promise<{ readonly file: OpenFile; readonly status: FileStatus } | undefined> {
  const seen = await unlessMissing(fs.lstat(partPath));
  if (seen?.kind !== "file") return undefined;
  const file = await unlessMissing(fs.open(partPath, "modify"));
  if (file === undefined) return undefined;
  try {
    const status = await file.status();
    const isOwn = uid === null || status.uid === uid;
    if (isSameFile(seen, status) && isOwn && (status.links ?? 1) === 1) return { file, status };
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
  file[Symbol.dispose]();
  return undefined;
}

/**
 * Cuts the partial file of a transfer to what is known of it, so that what a crash left beyond takes
 * no space.
 *
 * @returns False when it is no such file, or has fewer bytes.
 * @throws {StorageError} For a failure of the file system.
 */
export async function cutPart(inbox: Inbox, transferId: string, bytes: number): Promise<boolean> {
  const partPath = inbox.partPath(transferId);
  return await withStorageErrors(`cut ${partPath}`, async () => {
    const opened = await openOwn({ fs: inbox.fs, uid: inbox.uid, partPath });
    if (opened === undefined) return false;
    using file = opened.file;
    if (opened.status.size > bytes) await file.truncate(bytes);
    return opened.status.size >= bytes;
  });
}

/** A partial file that is held open, and is what was kept. Disposing it closes it. */
export class KeptFile implements Disposable {
  /** Its transfer. */
  readonly transferId: string;
  /** What goes on: up to where its reader wanted it. */
  readonly prefix: KeptPrefix;
  readonly #verified: Verified;

  private constructor(verified: Verified) {
    this.#verified = verified;
    this.transferId = verified.transferId;
    this.prefix = { bytes: verified.bytes, hash: verified.hash.digest().hex };
  }

  /**
   * Opens what was kept and hashes it. No path of the journal's is used: the file stands under its
   * transfer's id in the inbox.
   *
   * @param kept What was kept of it.
   * @param goesOnAt Where to go on, in bytes; not beyond what was kept.
   * @param signal Ends the hashing with its reason.
   * @returns Undefined when it is not there, is no regular file of our own with one name, or does
   * not begin with those bytes.
   * @throws {StorageError} For a failure of the file system.
   */
  static async open(
    inbox: Inbox,
    transferId: string,
    kept: KeptPrefix,
    { goesOnAt, signal }: { readonly goesOnAt: number; readonly signal: AbortSignal },
  ): Promise<KeptFile | undefined> {
    const partPath = inbox.partPath(transferId);
    const verified = await withStorageErrors(`read ${partPath}`, async () => {
      const opened = await openOwn({ fs: inbox.fs, uid: inbox.uid, partPath });
      if (opened === undefined) return undefined;
      using stack = new DisposableStack();
      const { file, status } = { file: stack.use(opened.file), status: opened.status };
      if (status.size < kept.bytes) return undefined;
      const hash = new Sha256();
      if (!await hashTo(file, hash, goesOnAt, signal)) return undefined;
      const all = hash.fork();
      if (!await hashTo(file, all, kept.bytes - goesOnAt, signal)) return undefined;
      if (signal.aborted || all.digest().hex !== kept.hash) return undefined;
      stack.move();
      return { transferId, file, status, bytes: goesOnAt, hash };
    });
    signal.throwIfAborted();
    return verified && new KeptFile(verified);
  }

  /**
   * Makes it the partial file of another transfer, cut to what goes on.
   *
   * @returns The open file at its end, its status and the hash so far; the caller's from now on.
   * @throws {StorageError} As {@linkcode Inbox.movePart}; it is closed then.
   */
  async moveTo(
    inbox: Inbox,
    transferId: string,
  ): Promise<{ readonly file: OpenFile; readonly status: FileStatus; readonly hash: Sha256 }> {
    using stack = new DisposableStack();
    const { file, status, bytes, hash } = this.#verified;
    stack.use(file);
    await inbox.movePart(this.transferId, transferId, status);
    await withStorageErrors(`cut ${inbox.partPath(transferId)}`, async () => {
      await file.truncate(bytes);
      await file.seek(bytes);
    });
    stack.move();
    return { file, status, hash };
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.#verified.file[Symbol.dispose]();
  }
}

/** Feeds so many bytes from the file's position to a hash. False when the file ends before. */
async function hashTo(
  file: OpenFile,
  hash: Sha256,
  bytes: number,
  signal: AbortSignal,
): Promise<boolean> {
  const buffer = new Uint8Array(Math.min(HASH_BUFFER_BYTES, bytes));
  for (let left = bytes; left > 0 && !signal.aborted;) {
    const count = await file.read(buffer.subarray(0, Math.min(buffer.length, left)));
    if (count === null) return false;
    hash.update(buffer.subarray(0, count));
    left -= count;
  }
  return true;
}
