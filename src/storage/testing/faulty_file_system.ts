/**
 * A file system that fails on demand, for tests: errors by name, short writes, slow disk, changes
 * made behind the program's back, death in the middle, and power cuts that lose what was not
 * synced. It stands before a real one and keeps a list of the calls made.
 *
 * @module
 */
import type { FileStatus, FileSystem, FreeSpace, OpenFile, OpenMode } from "../file_system.ts";

/** A call that can be made to fail. */
export type Operation =
  | keyof Omit<FileSystem, "hasModes">
  | keyof Omit<OpenFile, typeof Symbol.dispose>;

/** System errors that can be raised. */
export type Errno =
  | "EACCES"
  | "EEXIST"
  | "EIO"
  | "EMFILE"
  | "ENOENT"
  | "ENOSPC"
  | "EOPNOTSUPP"
  | "EPERM"
  | "EROFS";

/** What happens instead of the call, or before it. */
export type FaultAction =
  /** The call fails with this error. */
  | { readonly fail: Errno }
  /** A write takes at most so many bytes. */
  | { readonly shortWrite: number }
  /** A read gives at most so many bytes. */
  | { readonly shortRead: number }
  /** The file ends here: reads give null. */
  | { readonly endOfFile: true }
  /** The call waits for this (a slow disk), or this is done before it (a change from outside). */
  | { readonly before: () => void | Promise<void> }
  /** `freeSpace` gives this. */
  | { readonly free: FreeSpace }
  /** The process dies before the call: this and each later call fails. */
  | { readonly crash: "process" }
  /** The same, and what was written but not synced is lost. */
  | { readonly crash: "power" };

/** A rule: which calls, and what happens to them. */
export interface Fault {
  /** The call; any call when absent. */
  readonly on?: Operation;
  /** Only calls whose path matches. */
  readonly path?: RegExp;
  /** Calls that are let through first. @default {0} */
  readonly skip?: number;
  /** Calls that are hit after those. @default {Infinity} */
  readonly times?: number;
  /** What happens. */
  readonly action: FaultAction;
}

/** What each call fails with once the process "died". */
export class CrashError extends Error {
  /** As for other errors. */
  override readonly name = "CrashError";
}

/** An error as Deno raises it. */
export function systemError(errno: Errno): Error {
  const text = `injected ${errno}`;
  const error = errno === "ENOENT"
    ? new Deno.errors.NotFound(text)
    : errno === "EEXIST"
    ? new Deno.errors.AlreadyExists(text)
    : errno === "EACCES" || errno === "EPERM"
    ? new Deno.errors.PermissionDenied(text)
    : new Error(text);
  return Object.assign(error, { code: errno });
}

interface ArmedFault extends Fault {
  seen: number;
}

/** Passes calls on to a real file system, but for those that a rule of {@linkcode inject} is for. */
export class FaultyFileSystem implements FileSystem {
  /** As the real one says. */
  readonly hasModes: boolean;
  /** The calls made, as `operation path`, oldest first. */
  readonly calls: string[] = [];
  readonly #real: FileSystem;
  #faults: ArmedFault[] = [];
  #dead = false;
  /** Bytes that are safe, by path, of files written since their last sync. */
  readonly #unsynced = new Map<string, number>();
  /** Opened files, so that a crash closes them as the kernel would. */
  /** Open files, each with the name that it has now. */
  readonly #open = new Map<OpenFile, { path: string }>();

  /**
   * One without faults.
   *
   * @param real Does what no fault prevents.
   */
  constructor(real: FileSystem) {
    this.#real = real;
    this.hasModes = real.hasModes;
  }

  /** Adds a rule. */
  inject(fault: Fault): void {
    this.#faults.push({ ...fault, seen: 0 });
  }

  /** Takes all rules away. */
  heal(): void {
    this.#faults = [];
  }

  /** Files that are held open. */
  get openFiles(): number {
    return this.#open.size;
  }

  /** Whether the process died. */
  get isDead(): boolean {
    return this.#dead;
  }

  /** Counts the call, and returns the action that changes its outcome, if any. */
  async #enter(operation: Operation, path: string): Promise<FaultAction | undefined> {
    if (this.#dead) throw new CrashError("the process is dead");
    this.calls.push(`${operation} ${path}`);
    for (const fault of this.#faults) {
      if (fault.on !== undefined && fault.on !== operation) continue;
      if (fault.path !== undefined && !fault.path.test(path)) continue;
      const index = fault.seen++ - (fault.skip ?? 0);
      if (index < 0 || index >= (fault.times ?? Infinity)) continue;
      const { action } = fault;
      if ("fail" in action) throw systemError(action.fail);
      if ("crash" in action) await this.#die(action.crash);
      if ("before" in action) await action.before();
      else return action;
    }
    return undefined;
  }

  async #die(how: "process" | "power"): Promise<never> {
    this.#dead = true;
    for (const file of this.#open.keys()) file[Symbol.dispose]();
    if (how === "power") {
      for (const [path, safe] of this.#unsynced) {
        using file = await this.#real.open(path, "update");
        await file.truncate(safe);
      }
    }
    throw new CrashError("the process died here");
  }

  /** As {@linkcode FileSystem} says, faults aside. */
  async open(path: string, mode: OpenMode): Promise<OpenFile> {
    await this.#enter("open", path);
    const file = await this.#real.open(path, mode);
    const named = { path };
    this.#open.set(file, named);
    const enter = (operation: Operation) => this.#enter(operation, named.path);
    return {
      read: async (into) => {
        const action = await enter("read");
        if (action !== undefined && "endOfFile" in action) return null;
        const limit = action !== undefined && "shortRead" in action ? action.shortRead : Infinity;
        return await file.read(into.subarray(0, Math.min(into.length, limit)));
      },
      write: async (bytes) => {
        const action = await enter("write");
        const limit = action !== undefined && "shortWrite" in action ? action.shortWrite : Infinity;
        const { path } = named;
        if (!this.#unsynced.has(path)) this.#unsynced.set(path, (await file.status()).size);
        return await file.write(bytes.subarray(0, Math.min(bytes.length, limit)));
      },
      seek: async (offset) => {
        await enter("seek");
        await file.seek(offset);
      },
      sync: async () => {
        await enter("sync");
        await file.sync();
        this.#unsynced.delete(named.path);
      },
      truncate: async (length) => {
        await enter("truncate");
        await file.truncate(length);
      },
      status: async () => {
        await enter("status");
        return await file.status();
      },
      tryLock: async () => {
        await enter("tryLock");
        return await file.tryLock();
      },
      [Symbol.dispose]: () => {
        this.#open.delete(file);
        file[Symbol.dispose]();
      },
    };
  }

  /** As {@linkcode FileSystem} says, faults aside. */
  async lstat(path: string): Promise<FileStatus> {
    await this.#enter("lstat", path);
    return await this.#real.lstat(path);
  }

  /** As {@linkcode FileSystem} says, faults aside. */
  async realPath(path: string): Promise<string> {
    await this.#enter("realPath", path);
    return await this.#real.realPath(path);
  }

  /** As {@linkcode FileSystem} says, faults aside. */
  async makeFolder(path: string): Promise<void> {
    await this.#enter("makeFolder", path);
    await this.#real.makeFolder(path);
  }

  /** As {@linkcode FileSystem} says, faults aside. */
  async *names(folder: string): AsyncIterable<string> {
    await this.#enter("names", folder);
    yield* this.#real.names(folder);
  }

  /** As {@linkcode FileSystem} says, faults aside. */
  async rename(from: string, to: string): Promise<void> {
    await this.#enter("rename", to);
    await this.#real.rename(from, to);
    for (const named of this.#open.values()) {
      if (named.path === from) named.path = to;
    }
    const safe = this.#unsynced.get(from);
    this.#unsynced.delete(from);
    this.#unsynced.delete(to);
    if (safe !== undefined) this.#unsynced.set(to, safe);
  }

  /** As {@linkcode FileSystem} says, faults aside. */
  async link(from: string, to: string): Promise<void> {
    await this.#enter("link", to);
    await this.#real.link(from, to);
    const safe = this.#unsynced.get(from);
    if (safe !== undefined) this.#unsynced.set(to, safe);
  }

  /** As {@linkcode FileSystem} says, faults aside. */
  async remove(path: string): Promise<void> {
    await this.#enter("remove", path);
    await this.#real.remove(path);
    this.#unsynced.delete(path);
  }

  /** As {@linkcode FileSystem} says, faults aside. */
  async syncFolder(folder: string): Promise<void> {
    await this.#enter("syncFolder", folder);
    await this.#real.syncFolder(folder);
  }

  /** As {@linkcode FileSystem} says, faults aside. */
  async freeSpace(path: string): Promise<FreeSpace> {
    const action = await this.#enter("freeSpace", path);
    return action !== undefined && "free" in action
      ? action.free
      : await this.#real.freeSpace(path);
  }
}
