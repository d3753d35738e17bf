/**
 * What the storage layer asks of the file system, and Deno's answer to it. Everything else takes
 * a {@linkcode FileSystem} as a parameter, so that tests can make each call fail.
 *
 * All calls of {@linkcode denoFileSystem} but `freeSpace` do with `--allow-read` and
 * `--allow-write` scoped to the data folder and the inbox. Those flags compare paths as text and
 * follow symbolic links out of the allowed folder: they are no wall against planted links, which
 * is why the callers look with `lstat` and compare inodes.
 *
 * @module
 */

/** What a name stands for. Symbolic links are only seen by `lstat`. */
export type FileKind = "file" | "folder" | "symlink" | "other";

/** What is known of a file, in the units of the platform. */
export interface FileStatus {
  /** File, folder, link or something else. */
  readonly kind: FileKind;
  /** Length in bytes, from 0 up. */
  readonly size: number;
  /** Last change of the content, in milliseconds since 1970. */
  readonly mtimeMs: number;
  /** Permission bits (0o777), null where the platform has none. */
  readonly mode: number | null;
  /** Number of the owner, null where the platform has none. */
  readonly uid: number | null;
  /** Device that holds it. */
  readonly dev: number;
  /** Inode on the device, null where the platform has none. */
  readonly ino: number | null;
  /** Names that it has, null where the platform does not say. */
  readonly links: number | null;
}

/**
 * How a file is opened. `read`: an existing one. `modify`: an existing one, reading and writing.
 * `update`: reading and writing, made with mode
 * 0600 if missing. `create`: reading and writing a new one with mode 0600; an existing name of
 * any kind, dangling symbolic links included, is an EEXIST (O_EXCL).
 */
export type OpenMode = "read" | "modify" | "update" | "create";

/** A file held open. Disposing it closes it, as often as wanted. */
export interface OpenFile extends Disposable {
  /** Reads at the position; the count, or null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes at the position; the count, which may be short. */
  write(bytes: Uint8Array): Promise<number>;
  /** Moves the position to `offset` bytes from the start. */
  seek(offset: number): Promise<void>;
  /** Makes content and length durable (fsync). */
  sync(): Promise<void>;
  /** Cuts or extends to `length` bytes. */
  truncate(length: number): Promise<void>;
  /** What is held open, whatever its name stands for by now. */
  status(): Promise<FileStatus>;
  /** Takes the exclusive lock, or false when someone holds it. The kernel frees it on any exit. */
  tryLock(): Promise<boolean>;
}

/** Free bytes for this user, or why they aren't known. */
export type FreeSpace =
  | { readonly known: true; readonly bytes: number }
  | { readonly known: false; readonly reason: string };

/** The calls that the storage layer makes. Failures are the platform's errors, with `code`. */
export interface FileSystem {
  /** Whether files have permission bits and owners (all but Windows). */
  readonly hasModes: boolean;
  /** Opens a file, following a symbolic link but for `create`. */
  open(path: string, mode: OpenMode): Promise<OpenFile>;
  /** What the name itself stands for. */
  lstat(path: string): Promise<FileStatus>;
  /** The path without links, of what exists. */
  realPath(path: string): Promise<string>;
  /** Makes a folder with mode 0700, its parents too. */
  makeFolder(path: string): Promise<void>;
  /** The names inside a folder, one at a time. */
  names(folder: string): AsyncIterable<string>;
  /** Gives `from` the name `to`, replacing what had it. */
  rename(from: string, to: string): Promise<void>;
  /** Gives `from` a second name; EEXIST when it is taken. */
  link(from: string, to: string): Promise<void>;
  /** Removes a file, a symbolic link or an empty folder. */
  remove(path: string): Promise<void>;
  /** Makes the names in a folder durable (fsync of the folder; nothing on Windows). */
  syncFolder(folder: string): Promise<void>;
  /** Free bytes where `path` is. Needs `--allow-sys=statfs`; without, it says so. */
  freeSpace(path: string): Promise<FreeSpace>;
}

/** `folder` and a name inside it as one path. */
export function joinPath(folder: string, name: string): string {
  return folder.endsWith("/") ? folder + name : `${folder}/${name}`;
}

/**
 * A folder's path without slashes at its end: with one, the system follows a symbolic link that
 * `lstat` is asked about.
 */
export function bareFolder(path: string): string {
  return path.replace(/(?<=.)\/+$/, "");
}

/** Whether both are the same file on the same device. */
export function isSameFile(a: FileStatus, b: FileStatus): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.kind === b.kind;
}

function statusOf(info: Deno.FileInfo): FileStatus {
  return {
    kind: info.isSymlink ? "symlink" : info.isFile ? "file" : info.isDirectory ? "folder" : "other",
    size: info.size,
    // A time that no Date has gives NaN, which is never what it was.
    mtimeMs: info.mtime?.getTime() || 0,
    mode: info.mode === null ? null : info.mode & 0o777,
    uid: info.uid,
    dev: info.dev,
    ino: info.ino,
    links: info.nlink,
  };
}

class DenoFile implements OpenFile {
  readonly #file: Deno.FsFile;
  #open = true;

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }
  read(into: Uint8Array): Promise<number | null> {
    return this.#file.read(into);
  }
  write(bytes: Uint8Array): Promise<number> {
    return this.#file.write(bytes);
  }
  async seek(offset: number): Promise<void> {
    await this.#file.seek(offset, Deno.SeekMode.Start);
  }
  sync(): Promise<void> {
    return this.#file.sync();
  }
  truncate(length: number): Promise<void> {
    return this.#file.truncate(length);
  }
  async status(): Promise<FileStatus> {
    return statusOf(await this.#file.stat());
  }
  tryLock(): Promise<boolean> {
    return this.#file.tryLock(true);
  }
  [Symbol.dispose](): void {
    if (this.#open) this.#file.close();
    this.#open = false;
  }
}

const OPEN_OPTIONS: { readonly [M in OpenMode]: Deno.OpenOptions } = {
  read: { read: true },
  modify: { read: true, write: true },
  update: { read: true, write: true, create: true, mode: 0o600 },
  create: { read: true, write: true, createNew: true, mode: 0o600 },
};

const hasModes = Deno.build.os !== "windows";

/** The real file system. */
export const denoFileSystem: FileSystem = {
  hasModes,
  open: async (path, mode) => new DenoFile(await Deno.open(path, OPEN_OPTIONS[mode])),
  lstat: async (path) => statusOf(await Deno.lstat(path)),
  realPath: (path) => Deno.realPath(path),
  makeFolder: (path) => Deno.mkdir(path, { recursive: true, mode: 0o700 }),
  names: async function* (folder) {
    for await (const entry of Deno.readDir(folder)) yield entry.name;
  },
  rename: (from, to) => Deno.rename(from, to),
  link: (from, to) => Deno.link(from, to),
  remove: (path) => Deno.remove(path),
  syncFolder: async (folder) => {
    if (!hasModes) return;
    using handle = await Deno.open(folder, { read: true });
    await handle.sync();
  },
  freeSpace: async (path) => {
    // Deno has no such call of its own, and Node's file system is large: it is loaded when asked.
    const { statfs } = await import("node:fs/promises");
    try {
      const { bavail, bsize } = await statfs(path);
      return { known: true, bytes: bavail * bsize };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotCapable)) throw error;
      return { known: false, reason: "the daemon was started without --allow-sys=statfs" };
    }
  },
};
