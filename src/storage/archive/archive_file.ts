/**
 * The archive of files and folders, readable at any offset like a file, and on no disk: headers are
 * made when they are asked for, contents are read from the files.
 *
 * Each file is compared with the listing when it is opened and when its last byte was read; nothing is
 * read through a link that was put in its place.
 *
 * @module
 */
import { Sha256 } from "../../protocol/crypto/sha256.ts";
import { withStorageErrors } from "../failure.ts";
import { unlessMissing } from "../../base/system_error.ts";
import type { SourceFileSystem } from "../allowed_folders.ts";
import { isSameFile, type OpenFile } from "../file_system.ts";
import {
  hashSource,
  type InspectOptions,
  type OpenSource,
  type OutgoingSource,
} from "../outgoing_file.ts";
import {
  type ArchiveSource,
  changedWhileSent,
  diskPathOf,
  entryIndexAt,
  isChanged,
  listArchive,
  type ListedEntry,
  type Listing,
  type ListOptions,
  tarEntryOf,
} from "./listing.ts";
import { StorageError } from "../../base/errors.ts";
import { headerOf } from "./tar_header.ts";

/** What says that an archive is not what it was. */
const CHANGES: ReadonlySet<string> = new Set(["SOURCE_CHANGED", "SOURCE_GONE"]);
/** Entries that are looked at together. */
const LOOKS_AT_ONCE = 32;

/** The entry that is read from. */
interface CurrentEntry {
  readonly entry: ListedEntry;
  readonly header: Uint8Array;
  /** Where its content begins, in bytes of the archive. */
  readonly bodyAt: number;
  /** Where its content ends. */
  readonly bodyEnd: number;
  file?: { readonly open: OpenFile; position: number };
}

/** An archive that is read from. At most one file is open. */
export class ArchiveFile implements OpenSource {
  readonly #fs: SourceFileSystem;
  readonly #listing: Listing;
  #position = 0;
  #current: CurrentEntry | undefined;

  /** Reads from its first byte. */
  constructor(fs: SourceFileSystem, listing: Listing) {
    this.#fs = fs;
    this.#listing = listing;
  }

  /** See {@linkcode OpenSource.seek}. */
  seek(offset: number): Promise<void> {
    this.#position = offset;
    return Promise.resolve();
  }

  /**
   * See {@linkcode OpenSource.read}.
   *
   * @throws {StorageError} `SOURCE_CHANGED` with the file's name; `ACCESS_DENIED` or `IO_FAILED`.
   */
  async read(into: Uint8Array): Promise<number | null> {
    const { entries, size } = this.#listing;
    if (this.#position >= size) return null;
    let done = 0;
    while (done < into.length && this.#position < size) {
      const index = entryIndexAt(entries, this.#position);
      const end = Math.min(entries[index + 1]?.offset ?? size, size);
      const room = into.subarray(done, done + Math.min(into.length - done, end - this.#position));
      const count = await this.#readEntry(this.#enter(index), room);
      this.#position += count;
      done += count;
    }
    return done;
  }

  /**
   * See {@linkcode OpenSource.checkUnchanged}. Files are compared as they are read, so that only the
   * whole is looked at here: every entry, and by the folders' times that none has come or gone.
   */
  async checkUnchanged(isWhole: boolean, signal?: AbortSignal): Promise<void> {
    if (!isWhole) return;
    const { entries } = this.#listing;
    for (let at = 0; at < entries.length; at += LOOKS_AT_ONCE) {
      signal?.throwIfAborted();
      await Promise.all(
        entries.slice(at, at + LOOKS_AT_ONCE).map(async (entry) => {
          const path = diskPathOf(entry);
          const now = await withStorageErrors(
            `read ${path}`,
            () => unlessMissing(this.#fs.lstat(path)),
          );
          if (now === undefined || isChanged(entry.status, now)) throw changedWhileSent(path);
        }),
      );
    }
  }

  /** Closes the file that is open. */
  [Symbol.dispose](): void {
    this.#current?.file?.open[Symbol.dispose]();
    this.#current = undefined;
  }

  #enter(index: number): CurrentEntry {
    const entry = this.#listing.entries[index];
    if (entry === undefined) throw new StorageError("SOURCE_UNUSABLE", "the archive is empty");
    if (this.#current?.entry === entry) return this.#current;
    this[Symbol.dispose]();
    const tarEntry = tarEntryOf(entry);
    const header = headerOf(tarEntry);
    const bodyAt = entry.offset + header.length;
    this.#current = { entry, header, bodyAt, bodyEnd: bodyAt + tarEntry.size };
    return this.#current;
  }

  /** Reads of one entry, or of what follows the last. */
  async #readEntry(current: CurrentEntry, into: Uint8Array): Promise<number> {
    const { entry, header, bodyAt, bodyEnd } = current;
    if (this.#position < bodyAt) {
      const from = this.#position - entry.offset;
      const some = header.subarray(from, from + into.length);
      into.set(some);
      return some.length;
    }
    if (this.#position >= bodyEnd) {
      into.fill(0);
      return into.length;
    }
    const path = diskPathOf(entry);
    return await withStorageErrors(`read ${path}`, async () => {
      const file = current.file ??= { open: await this.#open(entry, path), position: 0 };
      const at = this.#position - bodyAt;
      if (file.position !== at) await file.open.seek(at);
      file.position = -1; // unknown until the read has ended well
      const count = await file.open.read(into.subarray(0, bodyEnd - this.#position));
      if (count === null || count === 0) throw changedWhileSent(path);
      file.position = at + count;
      if (this.#position + count < bodyEnd) return count;
      const now = await file.open.status();
      if (isChanged(entry.status, now)) throw changedWhileSent(path);
      file.open[Symbol.dispose]();
      delete current.file;
      return count;
    });
  }

  /** Opens a file as it was listed, and no link or other file in its place. */
  async #open(entry: ListedEntry, path: string): Promise<OpenFile> {
    const seen = await unlessMissing(this.#fs.lstat(path));
    if (seen === undefined || isChanged(entry.status, seen)) throw changedWhileSent(path);
    const file = await this.#fs.open(path, "read");
    try {
      const status = await file.status();
      if (!isSameFile(seen, status) || isChanged(entry.status, status)) {
        throw changedWhileSent(path);
      }
      return file;
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
  }
}

/** What an archive was when it was queued. */
export interface KnownArchive {
  /** Bytes. */
  readonly size: number;
  /** The latest change of any entry; undefined when that was not kept. */
  readonly mtimeMs: number | undefined;
}

/**
 * Lists what an archive is made of once more.
 *
 * @param known What it must still be.
 * @throws {StorageError} `SOURCE_GONE` when something that was named is not there any more;
 * `SOURCE_CHANGED` when it is not what it was; and as {@linkcode listArchive}.
 */
export async function listAgain(
  fs: SourceFileSystem,
  source: ArchiveSource,
  { size, mtimeMs }: KnownArchive,
  options: ListOptions = {},
): Promise<Listing> {
  for (const path of source.paths) {
    if (await withStorageErrors(`read ${path}`, () => unlessMissing(fs.lstat(path)))) continue;
    throw new StorageError(
      "SOURCE_GONE",
      `${path} is gone: it was there when it was queued, and nothing of it is sent`,
    );
  }
  const listing = await listArchive(fs, source, options);
  const isSame = listing.size === size && (mtimeMs === undefined || listing.mtimeMs === mtimeMs);
  if (isSame) return listing;
  throw new StorageError(
    "SOURCE_CHANGED",
    `${source.paths.join(", ")} changed since it was queued: send it again`,
  );
}

/**
 * Looks at an archive for an offer: lists it and reads it once for its hash.
 *
 * @param known What it was when it was queued.
 * @throws {StorageError} As {@linkcode listAgain}; or the signal's reason.
 */
export async function inspectArchive(
  fs: SourceFileSystem,
  source: ArchiveSource,
  known: KnownArchive,
  options: InspectOptions & Pick<ListOptions, "own"> = {},
): Promise<OutgoingSource> {
  const { signal, own, maxBytes } = options;
  const listOptions = {
    own,
    ...(signal === undefined ? {} : { signal }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  };
  const listing = await listAgain(fs, source, known, listOptions);
  const { size, mtimeMs } = listing;
  const hash = new Sha256();
  {
    using file = new ArchiveFile(fs, listing);
    await hashSource(file, size, hash, options);
    signal?.throwIfAborted();
    await file.checkUnchanged(true, signal);
  }
  // The listing is not kept while the peer decides: it may be large.
  const again = (fs: SourceFileSystem) => listAgain(fs, source, { size, mtimeMs }, listOptions);
  return {
    path: source.name,
    status: { size },
    hash: hash.digest().hex,
    open: async (fs) => new ArchiveFile(fs, await again(fs)),
    isAsBefore: async (fs) => {
      try {
        await again(fs);
        return true;
      } catch (error) {
        if (!(error instanceof StorageError) || !CHANGES.has(error.code)) throw error;
        return false;
      }
    },
  };
}
