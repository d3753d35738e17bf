/**
 * A file to send: looked at once for the offer, opened again when the peer has accepted, read chunk
 * by chunk, one ahead, and refused when it is not what was offered, before its last chunk is given
 * out.
 *
 * @module
 */
import { StorageError } from "../base/errors.ts";
import { unlessMissing } from "../base/system_error.ts";
import { Sha256 } from "../protocol/crypto/sha256.ts";
import { type FileKind, type FileStatus, isSameFile, type OpenFile } from "./file_system.ts";
import type { SourceFileSystem } from "./allowed_folders.ts";
import { withStorageErrors } from "./failure.ts";
import { readFully } from "./whole_file.ts";

/** Most bytes of a file: the wire format's bound (`protocol/transfer/limits.ts`). */
export const MAX_SOURCE_BYTES: number = 10 * 1024 ** 3;
/** After so many bytes at most a file that is being sent is looked at again. */
export const CHECKED_BYTES: number = 16 * 1024 ** 2;
/** Bytes read at a time for the hash. */
export const HASH_BUFFER_BYTES: number = 256 * 1024;
/** A file up to so many bytes is read once, for its hash, and sent out of memory. */
export const KEPT_CONTENT_BYTES: number = 16 * 1024;

/** What is read from: a file, or what is put together as one. Disposing it closes it. */
export interface OpenSource extends Disposable {
  /** Reads at the position; the count, or null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Moves the position to `offset` bytes from the start. */
  seek(offset: number): Promise<void>;
  /**
   * Looks whether it is what it was.
   *
   * @param isWhole All of it is to be looked at, however long that takes.
   * @throws {StorageError} `SOURCE_CHANGED`.
   */
  checkUnchanged(isWhole: boolean): Promise<void>;
}

/** What is sent, as it was when it was looked at for its offer. */
export interface OutgoingSource {
  /** Its path, or what it is called in messages. */
  readonly path: string;
  /** What it was; `size` is what is offered. */
  readonly status: Pick<FileStatus, "size">;
  /** SHA-256 of its content, 64 lower-case hex digits. */
  readonly hash: string;
  /** Its content, of a file of at most {@linkcode KEPT_CONTENT_BYTES}. */
  readonly content?: Uint8Array<ArrayBuffer>;
  /**
   * Opens it again.
   *
   * @throws {StorageError} `SOURCE_CHANGED` when it is not what it was.
   */
  readonly open: (fs: SourceFileSystem) => Promise<OpenSource>;
  /** Whether it is what it was, without reading it. */
  readonly isAsBefore: (fs: SourceFileSystem) => Promise<boolean>;
}

/** A file as it was when it was offered. */
export interface SourceFile extends OutgoingSource {
  /** What it was. */
  readonly status: FileStatus;
}

/** Options of {@linkcode inspectSource}. */
export interface InspectOptions {
  /** Ends the reading with its reason. */
  readonly signal?: AbortSignal;
  /** Most bytes a file may have. @default {10 GiB} */
  readonly maxBytes?: number;
  /** Told of the bytes that the hash has seen so far, after each read. */
  readonly onHashed?: (bytes: number) => void;
}

function changed(path: string): StorageError {
  return new StorageError(
    "SOURCE_CHANGED",
    `${path} changed while it was being sent: send it again when nothing writes to it`,
  );
}

/** Whether the content may have changed between the two looks. */
function differs(before: FileStatus, now: FileStatus): boolean {
  return !isSameFile(before, now) || before.size !== now.size || before.mtimeMs !== now.mtimeMs;
}

/** What a name that is no file stands for, and what to do instead. */
const NOT_FILES: { readonly [kind in Exclude<FileKind, "file">]: string } = {
  symlink: "is a symbolic link: name the file that it points to",
  folder: "is a folder: name the files in it, or pack it into one file",
  other: "is a pipe, a socket or a device: name a regular file",
};

/** Opens a regular file that no link stands for. The caller disposes it. */
async function openRegular(
  fs: SourceFileSystem,
  path: string,
): Promise<{ readonly file: OpenFile; readonly status: FileStatus }> {
  const seen = await fs.lstat(path);
  if (seen.kind !== "file") {
    throw new StorageError("SOURCE_UNUSABLE", `${path} ${NOT_FILES[seen.kind]}`);
  }
  const file = await fs.open(path, "read");
  try {
    const status = await file.status();
    if (!isSameFile(seen, status)) throw changed(path);
    return { file, status };
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

/** A file that is read from. */
class OpenedFile implements OpenSource {
  readonly #path: string;
  readonly #file: OpenFile;
  readonly #status: FileStatus;

  constructor(path: string, file: OpenFile, status: FileStatus) {
    this.#path = path;
    this.#file = file;
    this.#status = status;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#file.read(into);
  }

  seek(offset: number): Promise<void> {
    return this.#file.seek(offset);
  }

  async checkUnchanged(): Promise<void> {
    if (differs(this.#status, await this.#file.status())) throw changed(this.#path);
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

/** Opens a file that was looked at before. */
async function openAgain(
  fs: SourceFileSystem,
  path: string,
  before: FileStatus,
): Promise<OpenSource> {
  const { file, status } = await openRegular(fs, path);
  if (!differs(before, status)) return new OpenedFile(path, file, before);
  file[Symbol.dispose]();
  throw changed(path);
}

function checkSize(path: string, { size }: FileStatus, maxBytes = MAX_SOURCE_BYTES): void {
  if (size <= maxBytes) return;
  throw new StorageError(
    "SOURCE_TOO_LARGE",
    `${path} has ${size} bytes, more than the ${maxBytes} that may be sent (serve ` +
      "--max-file-bytes): split it",
  );
}

/**
 * Looks at once whether a file can be sent, without reading it.
 *
 * @returns What it is.
 * @throws {StorageError} `SOURCE_UNUSABLE` for what is no regular file, `SOURCE_TOO_LARGE`,
 * `ACCESS_DENIED` or `IO_FAILED`, each with its own sentence.
 */
export async function checkSource(
  fs: SourceFileSystem,
  path: string,
  { maxBytes }: Pick<InspectOptions, "maxBytes"> = {},
): Promise<FileStatus> {
  return await withStorageErrors(`read ${path}`, async () => {
    const { file, status } = await openRegular(fs, path);
    using _closed = file;
    checkSize(path, status, maxBytes);
    return status;
  });
}

/** What is kept of a file that waits, over restarts: its status then, as far as that lasts. */
export interface WaitingSource extends Pick<FileStatus, "size" | "mtimeMs"> {
  /** Its inode, where it is known. */
  readonly ino?: number;
}

/** What is to be kept of a file that waits. */
export function waitingSource({ size, mtimeMs, ino }: FileStatus): WaitingSource {
  // A number that is rounded is not that of the same file after the next look.
  return { size, mtimeMs, ...(ino !== null && Number.isSafeInteger(ino) ? { ino } : {}) };
}

/**
 * Looks whether a file that has waited is still what it was, without reading it. One whose content was
 * written over in place, and whose time of change was put back, is not noticed.
 *
 * @param seen What it was.
 * @throws {StorageError} `SOURCE_GONE`, `SOURCE_CHANGED`, and as {@linkcode checkSource}.
 */
export async function checkUnchanged(
  fs: SourceFileSystem,
  path: string,
  seen: WaitingSource,
  options: Pick<InspectOptions, "maxBytes"> = {},
): Promise<void> {
  await withStorageErrors(`read ${path}`, async () => {
    if (await unlessMissing(fs.lstat(path)) === undefined) {
      throw new StorageError(
        "SOURCE_GONE",
        `${path} is gone: it was there when it was queued, and nothing of it is sent`,
      );
    }
    const { size, mtimeMs, ino } = waitingSource(await checkSource(fs, path, options));
    const isOther = ino !== undefined && seen.ino !== undefined && ino !== seen.ino;
    if (size === seen.size && mtimeMs === seen.mtimeMs && !isOther) return;
    throw new StorageError(
      "SOURCE_CHANGED",
      `${path} changed while it waited to be sent: send it again`,
    );
  });
}

/**
 * Feeds a source to a hash, from its position to its end or until the signal aborts.
 *
 * @returns The bytes that were read; more than `size` are not.
 */
export async function hashSource(
  source: Pick<OpenSource, "read">,
  size: number,
  hash: Sha256,
  { signal, onHashed }: Pick<InspectOptions, "signal" | "onHashed">,
): Promise<number> {
  const buffer = new Uint8Array(Math.min(HASH_BUFFER_BYTES, size + 1));
  let total = 0;
  while (total <= size && !signal?.aborted) {
    const count = await source.read(buffer);
    if (count === null) break;
    hash.update(buffer.subarray(0, count));
    total += count;
    onHashed?.(total);
  }
  return total;
}

/**
 * Looks at a file for an offer: kind, size, and the hash of its content, read in pieces. The file
 * is closed when it resolves.
 *
 * @throws {StorageError} `SOURCE_UNUSABLE` for what is no regular file, `SOURCE_TOO_LARGE`;
 * `SOURCE_CHANGED` when it changes meanwhile; `ACCESS_DENIED` or `IO_FAILED`; or the signal's reason.
 */
export async function inspectSource(
  fs: SourceFileSystem,
  path: string,
  options: InspectOptions = {},
): Promise<SourceFile> {
  const { signal, maxBytes, onHashed } = options;
  signal?.throwIfAborted();
  const source = await withStorageErrors(`read ${path}`, async () => {
    const { file, status } = await openRegular(fs, path);
    using _closed = file;
    checkSize(path, status, maxBytes);
    const buffer = new Uint8Array(Math.min(HASH_BUFFER_BYTES, status.size + 1));
    const hash = new Sha256();
    let [total, reads] = [0, 0];
    while (total <= status.size && !signal?.aborted) {
      const count = await file.read(buffer);
      if (count === null) break;
      hash.update(buffer.subarray(0, count));
      total += count;
      reads++;
      onHashed?.(total);
    }
    if (signal?.aborted) return undefined;
    if (total !== status.size || differs(status, await file.status())) throw changed(path);
    const source = {
      path,
      status,
      hash: hash.digest().hex,
      open: (fs: SourceFileSystem) => openAgain(fs, path, status),
      isAsBefore: async (fs: SourceFileSystem) => {
        const now = await unlessMissing(fs.lstat(path));
        return now !== undefined && !differs(status, now);
      },
    };
    // What was read last is at the start of the buffer: all of it is there only after one read.
    const isKept = status.size <= KEPT_CONTENT_BYTES && reads <= 1;
    return isKept ? { ...source, content: buffer.subarray(0, status.size) } : source;
  });
  signal?.throwIfAborted();
  if (source === undefined) throw changed(path);
  return source;
}

/**
 * Whether a source is what it was when it was looked at, by its name and its status.
 *
 * @throws {StorageError} `ACCESS_DENIED` or `IO_FAILED`.
 */
export async function isUnchanged(
  fs: SourceFileSystem,
  source: OutgoingSource,
): Promise<boolean> {
  return await withStorageErrors(`read ${source.path}`, () => source.isAsBefore(fs));
}

/**
 * The only chunk of a file whose content is kept, if the file is as it was when it was offered.
 *
 * @throws {StorageError} `SOURCE_CHANGED`, `ACCESS_DENIED` or `IO_FAILED`.
 */
export async function keptChunk(
  fs: SourceFileSystem,
  source: OutgoingSource & Required<Pick<OutgoingSource, "content">>,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!await isUnchanged(fs, source)) throw changed(source.path);
  return source.content;
}

/** A chunk that is being read before it is asked for. */
interface ReadAhead {
  readonly index: number;
  readonly chunk: Promise<Uint8Array<ArrayBuffer>>;
}

/** A file, or what is sent as one, open for reading. Disposing it closes it. */
export class OutgoingFile implements AsyncDisposable {
  /** What is sent. */
  readonly source: OutgoingSource;
  /** Chunks from where it begins to the file's end; 0 when there is nothing. */
  readonly totalChunks: number;
  /** Where it begins, in bytes. */
  readonly #from: number;
  readonly #file: OpenSource;
  readonly #chunkSize: number;
  /** One for the chunk that was given out, one for the next. */
  readonly #buffers: [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];
  readonly #hash = new Sha256();
  #ahead: ReadAhead | undefined;
  /** Where the file's position is. */
  #position = 0;
  /** Bytes from the start that the hash has seen. */
  #hashed = 0;
  /** Bytes read since its status was looked at. */
  #unchecked = 0;

  private constructor(source: OutgoingSource, file: OpenSource, chunkSize: number, from: number) {
    const size = source.status.size - from;
    this.source = source;
    this.#from = from;
    this.totalChunks = Math.ceil(size / chunkSize);
    this.#file = file;
    this.#chunkSize = chunkSize;
    const room = Math.min(chunkSize, size);
    this.#buffers = [new Uint8Array(room), new Uint8Array(this.totalChunks > 1 ? room : 0)];
  }

  /**
   * Opens what was looked at before.
   *
   * @param source From {@linkcode inspectSource}, or what is sent as a file.
   * @param chunkSize Bytes of each chunk but the last; a positive integer.
   * @param from Where its chunks are counted from, in bytes; what is before is not read.
   * @throws {StorageError} `SOURCE_CHANGED` when it is not that file any more; `SOURCE_UNUSABLE`,
   * `ACCESS_DENIED` or `IO_FAILED`.
   */
  static async open(
    fs: SourceFileSystem,
    source: OutgoingSource,
    chunkSize: number,
    from = 0,
  ): Promise<OutgoingFile> {
    return await withStorageErrors(
      `read ${source.path}`,
      async () => new OutgoingFile(source, await source.open(fs), chunkSize, from),
    );
  }

  /**
   * Reads one chunk, and begins to read the one after it; the next call reuses the memory. When all
   * were read in order, the last one is only given out if the file is as it was when it was offered
   * and the content has the offered hash. Its status is looked at every {@linkcode CHECKED_BYTES} as
   * well.
   *
   * @param index 0 to `totalChunks` - 1.
   * @throws {StorageError} `SOURCE_CHANGED` or `IO_FAILED`.
   */
  async readChunk(index: number): Promise<Uint8Array<ArrayBuffer>> {
    const { path } = this.source;
    if (!Number.isInteger(index) || index < 0 || index >= this.totalChunks) {
      throw new StorageError("SOURCE_UNUSABLE", `${path} has no chunk ${index}`);
    }
    return await withStorageErrors(`read ${path}`, async () => {
      const ahead = this.#ahead;
      this.#ahead = undefined;
      // Only one read at a time: they share the file's position.
      if (ahead?.index !== index) await ahead?.chunk.catch(() => {});
      const chunk = await (ahead?.index === index ? ahead.chunk : this.#read(index));
      this.#buffers.reverse();
      const isLast = index === this.totalChunks - 1;
      this.#unchecked += chunk.length;
      if (isLast || this.#unchecked >= CHECKED_BYTES) await this.#checkStatus(isLast);
      this.#checkHash(index, chunk);
      if (!isLast) this.#readAhead(index + 1);
      return chunk;
    });
  }

  /** Closes the file, once no read is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ahead?.chunk.catch(() => {});
    this.#file[Symbol.dispose]();
  }

  #readAhead(index: number): void {
    const chunk = this.#read(index);
    // What went wrong is for who asks for the chunk, if anybody does.
    chunk.catch(() => {});
    this.#ahead = { index, chunk };
  }

  /** Reads a chunk into the buffer that holds no chunk given out. */
  async #read(index: number): Promise<Uint8Array<ArrayBuffer>> {
    const { path, status } = this.source;
    const offset = this.#from + index * this.#chunkSize;
    const chunk = this.#buffers[0].subarray(0, Math.min(this.#chunkSize, status.size - offset));
    if (this.#position !== offset) await this.#file.seek(offset);
    // Unknown until the read has ended well.
    this.#position = -1;
    if (await readFully(this.#file, chunk) !== chunk.length) throw changed(path);
    this.#position = offset + chunk.length;
    return chunk;
  }

  async #checkStatus(isWhole: boolean): Promise<void> {
    this.#unchecked = 0;
    await this.#file.checkUnchanged(isWhole);
  }

  /**
   * Takes a chunk that comes next into the hash; the last one completes it. Of a file that goes on
   * somewhere the receiver alone hashes all.
   */
  #checkHash(index: number, chunk: Uint8Array): void {
    if (this.#from > 0 || this.#hashed !== index * this.#chunkSize) return;
    const { path, status, hash } = this.source;
    this.#hash.update(chunk);
    this.#hashed += chunk.length;
    if (this.#hashed === status.size && this.#hash.digest().hex !== hash) throw changed(path);
  }
}
