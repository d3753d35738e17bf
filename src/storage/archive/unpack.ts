/**
 * Unpacks a tar archive that a peer sent into a folder of its own, which nobody else sees before all
 * of it is there.
 *
 * Only regular files and folders are made. Each name goes through the rules of received files, but
 * that one may begin with a dot, as many do in a project's folder. Links and devices are left out and
 * told; a path that leads out, a name that stands twice and what is beyond the bounds refuse the whole.
 *
 * @module
 */
import { errnoOf } from "../../base/system_error.ts";
import { escapeName } from "../../base/text.ts";
import { isTaken, withStorageErrors } from "../failure.ts";
import { type FileSystem, joinPath } from "../file_system.ts";
import { NAME_REFUSALS, safeName } from "../inbox/safe_name.ts";
import { writeFully } from "../whole_file.ts";
import { MAX_ARCHIVE_ENTRIES, MAX_DEPTH, MAX_SKIPPED_NAMES, type Skipped } from "./listing.ts";
import { archiveRefused, type ReadEntry, type TarInput, TarReader } from "./tar_reader.ts";

/** Characters that the paths of folders have together at most. */
export const MAX_FOLDER_CHARS: number = 2 * 1024 ** 2;
/** Files whose content waits for the disk at the same time. */
const SYNCED_AT_ONCE = 16;
/** Bytes that are written at a time. */
const WRITE_BYTES = 128 * 1024;
/** What 32 bits can say: later times confuse programs. */
const LATEST_MTIME = 2 ** 32 - 1;
/** Write permission stays with the owner; nothing beyond permission bits is ever set. */
const KEPT_BITS = 0o755;

/** Options of {@linkcode unpackTar}. */
export interface UnpackOptions {
  /** The archive, at its first byte. */
  readonly input: TarInput;
  /** Bytes of the archive. */
  readonly size: number;
  /** The folder to make; nothing is there yet. */
  readonly into: string;
  /** Most files and folders. @default {MAX_ARCHIVE_ENTRIES} */
  readonly maxEntries?: number;
}

/** What was unpacked. */
export interface Unpacked {
  /** Files and folders that were made. */
  readonly entries: number;
  /** What was left out. */
  readonly skipped: Skipped;
  /** Names that were changed to be safe. */
  readonly renamed: number;
  /** The only folder in which all else is, if there is one. */
  readonly onlyFolder: string | undefined;
}

/**
 * Unpacks an archive; all of it is on the disk when it resolves.
 *
 * @throws {StorageError} `ARCHIVE_REFUSED`, `DISK_FULL`, `ACCESS_DENIED` or `IO_FAILED`. What was made
 * by then is there: the caller removes the folder.
 */
export async function unpackTar(fs: FileSystem, options: UnpackOptions): Promise<Unpacked> {
  const { input, size, into } = options;
  return await withStorageErrors(`unpack into ${into}`, async () => {
    await fs.makeNewFolder(into);
    const unpacker = new Unpacker(fs, options);
    const reader = new TarReader(input, size);
    try {
      for (let entry = await reader.next(); entry; entry = await reader.next()) {
        await unpacker.add(entry, reader);
      }
    } finally {
      await unpacker.settled();
    }
    return await unpacker.finish();
  });
}

interface MadeFolder {
  readonly path: string;
  mtimeSecs: number | undefined;
}

class Unpacker {
  readonly #fs: FileSystem;
  readonly #options: UnpackOptions;
  readonly #buffer = new Uint8Array(WRITE_BYTES);
  /** By their paths, in the order in which they were made. */
  readonly #folders = new Map<string, MadeFolder>();
  readonly #syncing = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #folderChars = 0;
  /** Headers of files and folders that were read, and files and folders that were made. */
  #read = 0;
  #entries = 0;
  #renamed = 0;
  #skipped = 0;
  readonly #skippedNames: string[] = [];
  /** The folders down to the last one that was made sure of. */
  #chain: readonly string[] = [];
  #top: { readonly name: string; readonly isFolder: boolean } | "several" | undefined;

  constructor(fs: FileSystem, options: UnpackOptions) {
    this.#fs = fs;
    this.#options = options;
  }

  async add(entry: ReadEntry, reader: TarReader): Promise<void> {
    this.#checkCount(++this.#read);
    if (entry.kind === "other") return this.#skip(entry);
    const names = this.#safeNames(entry.path);
    const last = names.at(-1);
    if (last === undefined) {
      if (entry.kind === "folder") return; // the folder that is made anyway
      throw archiveRefused("a file in it has no name");
    }
    const [first = last] = names;
    const isFolder = entry.kind === "folder" || names.length > 1;
    if (this.#top === undefined) this.#top = { name: first, isFolder };
    else if (this.#top !== "several" && this.#top.name !== first) this.#top = "several";
    if (entry.kind === "folder") return await this.#addFolder(names, entry);
    const folder = await this.#makeSure(names.slice(0, -1));
    await this.#addFile(joinPath(folder, last), entry, reader);
  }

  /** Resolves when no file is under way any more. */
  async settled(): Promise<void> {
    while (this.#syncing.size > 0) await Promise.all(this.#syncing);
  }

  /** Gives folders their times, from the innermost out, and makes names durable. */
  async finish(): Promise<Unpacked> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const { into } = this.#options;
    for (const { path, mtimeSecs } of [...this.#folders.values()].reverse()) {
      await this.#fs.syncFolder(path);
      if (mtimeSecs !== undefined) await this.#fs.setModified(path, mtimeSecs);
    }
    await this.#fs.syncFolder(into);
    return {
      entries: this.#entries,
      skipped: { count: this.#skipped, names: this.#skippedNames },
      renamed: this.#renamed,
      onlyFolder: typeof this.#top === "object" && this.#top.isFolder ? this.#top.name : undefined,
    };
  }

  #skip({ path, what }: ReadEntry): void {
    this.#skipped++;
    if (this.#skippedNames.length >= MAX_SKIPPED_NAMES) return;
    this.#skippedNames.push(`${escapeName(path).slice(0, 255)} (${what})`);
  }

  #checkCount(count: number): void {
    const { maxEntries = MAX_ARCHIVE_ENTRIES } = this.#options;
    if (count > maxEntries) {
      throw archiveRefused(`there are more than ${maxEntries} files and folders in it`);
    }
  }

  #safeNames(path: string): readonly string[] {
    if (path.startsWith("/")) throw archiveRefused("a path in it begins with /");
    const names = path.split("/").filter((name) => name !== "" && name !== ".");
    if (names.includes("..")) throw archiveRefused("a path in it leads out with ..");
    if (names.length > MAX_DEPTH) {
      throw archiveRefused(`there are more than ${MAX_DEPTH} folders in each other`);
    }
    return names.map((name) => {
      const safe = safeInside(name);
      if (safe !== name) this.#renamed++;
      return safe;
    });
  }

  async #addFolder(names: readonly string[], entry: ReadEntry): Promise<void> {
    const path = await this.#makeSure(names);
    await this.#fs.setMode(path, 0o700 | (entry.mode & KEPT_BITS));
    const made = this.#folders.get(path);
    if (made !== undefined) made.mtimeSecs = soundTime(entry.mtimeSecs);
  }

  /** Makes a folder and those above it, where they are not there yet; its path. */
  async #makeSure(names: readonly string[]): Promise<string> {
    let path = this.#options.into;
    const known = this.#chain;
    let isKnown = true;
    for (const [i, name] of names.entries()) {
      path = joinPath(path, name);
      isKnown &&= known[i] === name;
      if (!isKnown) await this.#makeOne(path);
    }
    if (!isKnown) this.#chain = names;
    return path;
  }

  async #makeOne(path: string): Promise<void> {
    try {
      await this.#fs.makeNewFolder(path);
    } catch (error) {
      if (!isTaken(error)) throw asConflict(error);
      if ((await this.#fs.lstat(path)).kind === "folder") return;
      throw archiveRefused("a name in it is a file and a folder");
    }
    this.#checkCount(++this.#entries);
    this.#folderChars += path.length - this.#options.into.length;
    if (this.#folderChars > MAX_FOLDER_CHARS) {
      throw archiveRefused("the paths of its folders are too long together");
    }
    this.#folders.set(path, { path, mtimeSecs: undefined });
  }

  async #addFile(path: string, entry: ReadEntry, reader: TarReader): Promise<void> {
    while (this.#syncing.size >= SYNCED_AT_ONCE) await Promise.race(this.#syncing);
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#checkCount(++this.#entries);
    let file;
    try {
      file = await this.#fs.open(path, "create");
    } catch (error) {
      throw isTaken(error) ? archiveRefused("a name in it stands twice") : asConflict(error);
    }
    try {
      for (;;) {
        const count = await reader.read(this.#buffer);
        if (count === null) break;
        await writeFully(file, this.#buffer.subarray(0, count));
      }
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
    const finishing = this.#finishFile(path, file, entry).catch((error) => {
      this.#failure ??= { error };
    });
    this.#syncing.add(finishing);
    finishing.finally(() => this.#syncing.delete(finishing));
  }

  async #finishFile(
    path: string,
    file: Awaited<ReturnType<FileSystem["open"]>>,
    { mode, mtimeSecs }: ReadEntry,
  ): Promise<void> {
    {
      using _closed = file;
      await file.sync();
    }
    const bits = 0o600 | (mode & KEPT_BITS);
    if (bits !== 0o600) await this.#fs.setMode(path, bits);
    const seconds = soundTime(mtimeSecs);
    if (seconds !== undefined) await this.#fs.setModified(path, seconds);
  }
}

/** What is neither there nor can be made, because a part of its path is a file. */
function asConflict(error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === "ENOTDIR") return archiveRefused("a name in it is a file and a folder");
  if (errno === "ENAMETOOLONG") return archiveRefused("a path in it is too long for this system");
  return error;
}

function soundTime(seconds: number | undefined): number | undefined {
  return seconds !== undefined && seconds <= LATEST_MTIME ? seconds : undefined;
}

/** A name inside an unpacked folder, as it may be made. */
function safeInside(name: string): string {
  const safe = safeName(name);
  if (!safe.safe) {
    throw archiveRefused(`a name in it can't be used (${NAME_REFUSALS[safe.reason]})`);
  }
  return safe.name.startsWith("_.") && name.startsWith(".") ? safe.name.slice(1) : safe.name;
}
