/**
 * What is in folders that are sent, looked at once: each entry with its place in the archive that is
 * made of them. Sorted, so that unchanged folders give the same archive again.
 *
 * @module
 */
import { StorageError } from "../../base/errors.ts";
import { unlessMissing } from "../../base/system_error.ts";
import { withStorageErrors } from "../failure.ts";
import type { SourceFileSystem } from "../allowed_folders.ts";
import { type FileStatus, isSameFile, joinPath } from "../file_system.ts";
import { MAX_SOURCE_BYTES } from "../outgoing_file.ts";
import type { OwnData } from "../own_data.ts";
import { END_BYTES, paddingOf } from "./tar_format.ts";
import { headerOf, type TarEntry } from "./tar_header.ts";

/** Files and folders of which one archive may be made, and unpacked, at most. */
export const MAX_ARCHIVE_ENTRIES = 100_000;
/** Characters that their names have together at most. */
export const MAX_NAME_CHARS: number = 4 * 1024 ** 2;
/** Folders inside each other at most. */
export const MAX_DEPTH = 100;
/** Longest path in an archive, in bytes. */
export const MAX_ARCHIVE_PATH_BYTES = 4096;
/** Memory of a listing at most: names at two bytes a character, and what is known of each entry. */
export const MAX_LISTING_BYTES: number = MAX_ARCHIVE_ENTRIES * 192 + 2 * MAX_NAME_CHARS;
/** What was left out is told by name up to so many. */
export const MAX_SKIPPED_NAMES = 10;
/** Entries that are looked at together. */
const LOOKS_AT_ONCE = 32;

/** Files and folders that are to be one archive. */
export interface ArchiveSource {
  /** The archive's name. */
  readonly name: string;
  /** Absolute paths, at least one; each stands in the archive under its last name. */
  readonly paths: readonly string[];
}

/** What was left out: links, devices, what is ours, names that are no text. */
export interface Skipped {
  /** How many. */
  readonly count: number;
  /** The first of them, by their paths in the archive, with why. */
  readonly names: readonly string[];
}

/** A file or folder in a listing. */
export interface ListedEntry {
  /** The folder that it is in; for one that was named, the path of that folder. */
  readonly folder: ListedEntry | string;
  /** Its name. */
  readonly name: string;
  /** As it was when it was listed. */
  readonly status: EntryStatus;
  /** Where its header begins in the archive, in bytes. */
  readonly offset: number;
}

/** What is remembered of an entry. */
export type EntryStatus = Pick<FileStatus, "kind" | "size" | "mtimeMs" | "mode" | "dev" | "ino">;

/** An archive as it was listed. */
export interface Listing {
  /** In the order of the archive: a folder stands before what is in it. */
  readonly entries: readonly ListedEntry[];
  /** Bytes of the archive. */
  readonly size: number;
  /** The latest change of any entry, in milliseconds since 1970. */
  readonly mtimeMs: number;
  /** What was left out. */
  readonly skipped: Skipped;
}

/** Options of {@linkcode listArchive}. */
export interface ListOptions {
  /** Knows the daemon's own files, which are left out. */
  readonly own?: OwnData | undefined;
  /** Ends the listing with its reason. */
  readonly signal?: AbortSignal;
  /** Most entries. @default {MAX_ARCHIVE_ENTRIES} */
  readonly maxEntries?: number;
  /** Most bytes of the archive. @default {MAX_SOURCE_BYTES} */
  readonly maxBytes?: number;
}

/** Where an entry is on the disk. */
export function diskPathOf({ folder, name }: ListedEntry): string {
  return joinPath(typeof folder === "string" ? folder : diskPathOf(folder), name);
}

/** Where an entry is in the archive. */
export function archivePathOf({ folder, name }: ListedEntry): string {
  return typeof folder === "string" ? name : `${archivePathOf(folder)}/${name}`;
}

/** An entry as its header has it. */
export function tarEntryOf(entry: ListedEntry): TarEntry {
  const { kind, size, mtimeMs, mode } = entry.status;
  const isFolder = kind === "folder";
  return {
    path: archivePathOf(entry),
    isFolder,
    size: isFolder ? 0 : size,
    mtimeSecs: Math.floor(mtimeMs / 1000),
    mode: mode ?? (isFolder ? 0o755 : 0o644),
  };
}

/** Whether what was listed is something else by now, or has changed. */
export function isChanged(before: EntryStatus, now: FileStatus): boolean {
  return before.dev !== now.dev || before.ino !== now.ino || before.kind !== now.kind ||
    before.mtimeMs !== now.mtimeMs || (before.kind === "file" && before.size !== now.size);
}

/** The failure of an archive of which something changed. */
export function changedWhileSent(path: string): StorageError {
  return new StorageError(
    "SOURCE_CHANGED",
    `${path} changed while it was being sent: send it again when nothing writes to it`,
  );
}

function tooMuch(what: string): StorageError {
  return new StorageError("SOURCE_TOO_LARGE", `${what}: send its parts one by one, or pack it`);
}

/**
 * Lists files and folders for an archive. What is named must be a regular file or a folder; inside
 * folders links and devices are left out.
 *
 * @throws {StorageError} `SOURCE_UNUSABLE` for what is named and neither, or has the same name as
 * another; `SOURCE_TOO_LARGE`; `SOURCE_OWN`; `SOURCE_CHANGED` when it changes meanwhile;
 * `ACCESS_DENIED` or `IO_FAILED`; or the signal's reason.
 */
export async function listArchive(
  fs: SourceFileSystem,
  { paths }: Pick<ArchiveSource, "paths">,
  options: ListOptions = {},
): Promise<Listing> {
  const lister = new Lister(fs, options);
  const names = new Set<string>();
  for (const path of paths) {
    const { folder, name } = splitPath(path);
    if (names.has(name)) {
      throw new StorageError(
        "SOURCE_UNUSABLE",
        `two of the names end in ${name}: an archive takes each once`,
      );
    }
    names.add(name);
    await lister.addNamed(folder, name);
  }
  return lister.finish();
}

/** The folder and the name of an absolute path. */
function splitPath(path: string): { readonly folder: string; readonly name: string } {
  const at = path.lastIndexOf("/");
  const name = path.slice(at + 1);
  if (name === "" || name === "." || name === "..") {
    throw new StorageError("SOURCE_UNUSABLE", `${path} has no name of its own: name what is in it`);
  }
  return { folder: path.slice(0, Math.max(at, 1)), name };
}

class Lister {
  readonly #fs: SourceFileSystem;
  readonly #options: ListOptions;
  readonly #entries: ListedEntry[] = [];
  readonly #skippedNames: string[] = [];
  #skipped = 0;
  #nameChars = 0;
  #size = 0;
  #mtimeMs = 0;

  constructor(fs: SourceFileSystem, options: ListOptions) {
    this.#fs = fs;
    this.#options = options;
  }

  /** Adds what an application named. */
  async addNamed(folder: string, name: string): Promise<void> {
    const path = joinPath(folder, name);
    await withStorageErrors(`read ${path}`, async () => {
      const status = await this.#fs.lstat(path);
      await this.#options.own?.refuse(path);
      if (status.kind === "file") return void this.#add(folder, name, status);
      if (status.kind === "folder") return await this.#addFolder(folder, name, status, 1);
      throw new StorageError(
        "SOURCE_UNUSABLE",
        `${path} is ${status.kind === "symlink" ? "a symbolic link" : "no file or folder"}: name ` +
          "a regular file or a folder",
      );
    });
  }

  finish(): Listing {
    const { maxBytes = MAX_SOURCE_BYTES } = this.#options;
    if (this.#size + END_BYTES > maxBytes) {
      throw tooMuch(
        `there are more than the ${maxBytes} bytes that may be sent (serve --max-file-bytes)`,
      );
    }
    return {
      entries: this.#entries,
      size: this.#size + END_BYTES,
      mtimeMs: this.#mtimeMs,
      skipped: { count: this.#skipped, names: this.#skippedNames },
    };
  }

  #add(folder: ListedEntry | string, name: string, seen: FileStatus): ListedEntry {
    const { kind, size, mtimeMs, mode, dev, ino } = seen;
    const { maxEntries = MAX_ARCHIVE_ENTRIES } = this.#options;
    const status = { kind, size, mtimeMs, mode, dev, ino };
    const entry = { folder, name, status, offset: this.#size };
    const tarEntry = tarEntryOf(entry);
    this.#nameChars += name.length;
    if (this.#entries.length >= maxEntries) {
      throw tooMuch(`there are more than ${maxEntries} files and folders`);
    }
    if (this.#nameChars > MAX_NAME_CHARS) {
      throw tooMuch(`the names have more than ${MAX_NAME_CHARS} characters together`);
    }
    if (new TextEncoder().encode(tarEntry.path).length > MAX_ARCHIVE_PATH_BYTES) {
      throw tooMuch(
        `${diskPathOf(entry)} is longer than ${MAX_ARCHIVE_PATH_BYTES} bytes in the archive`,
      );
    }
    this.#entries.push(entry);
    this.#size += headerOf(tarEntry).length + tarEntry.size + paddingOf(tarEntry.size);
    this.#mtimeMs = Math.max(this.#mtimeMs, mtimeMs);
    return entry;
  }

  #skip(folder: ListedEntry, name: string, why: string): void {
    this.#skipped++;
    if (this.#skippedNames.length >= MAX_SKIPPED_NAMES) return;
    this.#skippedNames.push(`${archivePathOf(folder)}/${name} (${why})`);
  }

  async #addFolder(
    above: ListedEntry | string,
    name: string,
    seen: FileStatus,
    depth: number,
  ): Promise<void> {
    const { own, signal } = this.#options;
    if (depth > MAX_DEPTH) throw tooMuch(`there are more than ${MAX_DEPTH} folders in each other`);
    const folder = this.#add(above, name, seen);
    const path = diskPathOf(folder);
    const names = await this.#namesIn(path, seen);
    for (let at = 0; at < names.length; at += LOOKS_AT_ONCE) {
      signal?.throwIfAborted();
      const some = names.slice(at, at + LOOKS_AT_ONCE);
      const looked = await Promise.all(
        some.map((name) => unlessMissing(this.#fs.lstat(joinPath(path, name)))),
      );
      for (const [i, name] of some.entries()) {
        const status = looked[i];
        if (isNoText(name)) this.#skip(folder, name, "its name is not Unicode");
        else if (status === undefined) throw changedWhileSent(joinPath(path, name));
        else if (status.kind === "symlink") this.#skip(folder, name, "symbolic link");
        else if (status.kind === "other") this.#skip(folder, name, "pipe, socket or device");
        else if (await own?.isOwn(seen, name, status)) {
          this.#skip(folder, name, "the daemon's own data");
        } else if (status.kind === "file") this.#add(folder, name, status);
        else await this.#addFolder(folder, name, status, depth + 1);
      }
    }
  }

  /** The names in a folder, sorted. No link was put in its place while they were read. */
  async #namesIn(path: string, seen: FileStatus): Promise<string[]> {
    const { signal, maxEntries = MAX_ARCHIVE_ENTRIES } = this.#options;
    const names: string[] = [];
    await withStorageErrors(`read ${path}`, async () => {
      for await (const name of this.#fs.names(path)) {
        if (names.push(name) > maxEntries) break;
        if (names.length % 1024 === 0) signal?.throwIfAborted();
      }
      if (!isSameFile(seen, await this.#fs.lstat(path))) throw changedWhileSent(path);
    });
    if (names.length > maxEntries) {
      throw tooMuch(`there are more than ${maxEntries} files and folders in ${path}`);
    }
    return names.sort((a, b) => a < b ? -1 : 1);
  }
}

/** Whether a name on the disk is not Unicode: the runtime gives a stand-in for what is not. */
function isNoText(name: string): boolean {
  return name.includes("\ufffd") || !name.isWellFormed();
}

/** The number of the entry in which a byte of the archive stands; that of the last for its end. */
export function entryIndexAt(entries: readonly ListedEntry[], offset: number): number {
  let [low, high] = [0, entries.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((entries[middle]?.offset ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
