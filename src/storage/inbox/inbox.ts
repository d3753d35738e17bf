/**
 * The folder that received files land in. A file grows under `.<transferId>.part` and gets its name
 * when it is whole, verified and synced: by a hard link, which never replaces anything.
 *
 * Deno has no calls relative to an open folder, so the folder is looked at before and after each
 * step and compared by device and inode. Whoever can swap it in between is the daemon's own user or
 * owns its parent; what such a swap can get is an empty file in another folder, and an error here.
 *
 * @module
 */
import { StorageError } from "../../base/errors.ts";
import type { Log } from "../../log/log.ts";
import type { CollisionPolicy } from "../../vocabulary/policies.ts";
import {
  bareFolder,
  type FileStatus,
  type FileSystem,
  type FreeSpace,
  isSameFile,
  joinPath,
} from "../file_system.ts";
import { errnoOf, unlessMissing } from "../../base/system_error.ts";
import { isTaken, withStorageErrors } from "../failure.ts";
import type { OwnUid } from "../private_path.ts";
import { Serial } from "../serial.ts";
import { type Job, Together } from "../together.ts";
import { collisionKey, numberedName, TakenNumbers } from "./safe_name.ts";

/** Files that may wait to be published. */
const MAX_PENDING = 64;
/** What file systems without hard links (FAT, some network shares) say to a link. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** Options of {@linkcode Inbox.open}. */
export interface InboxOptions {
  /** The folder; made with mode 0700 when missing. */
  readonly path: string;
  /** Who must own it, and what is kept in it. */
  readonly uid: OwnUid;
  /** Bytes that a new file must leave free. @default {16 MiB} */
  readonly keepFreeBytes?: number;
  /** Told once when free space can't be asked for. */
  readonly log?: Log;
}

/** A file to publish. */
export interface Publication {
  /** Id of the transfer, 32 lower-case hex digits. */
  readonly transferId: string;
  /** What the partial file must be. */
  readonly part: FileStatus;
  /** A name that is safe to create, from `safeName`. */
  readonly name: string;
  /** What to do when the name is taken. */
  readonly collision: CollisionPolicy;
  /** Told each name before it is tried; what it does is done, and durable, when it resolves. */
  readonly onPublishing: (savedAs: string) => Promise<void>;
}

/** Disk space that a file may still need. Disposing it gives the rest back. */
export interface SpaceClaim extends Disposable {
  /** So many bytes are on the disk now. */
  spend(bytes: number): void;
}

/** The folder of received files, and the partial files in it. */
export class Inbox {
  /** Absolute path of the folder. */
  readonly path: string;
  /** What the files are made with. */
  readonly fs: FileSystem;
  /** Who must own what is in it. */
  readonly uid: OwnUid;
  readonly #status: FileStatus;
  readonly #keepFreeBytes: number;
  readonly #log: Log | undefined;
  readonly #serial = new Serial(MAX_PENDING);
  readonly #publications = new Together<Publication, string>(
    this.#serial,
    MAX_PENDING,
    (all) => this.#publishAll(all),
  );
  #claimed = 0;
  #saidUnknown = false;

  private constructor(fs: FileSystem, options: InboxOptions, status: FileStatus) {
    this.fs = fs;
    this.path = options.path;
    this.uid = options.uid;
    this.#status = status;
    this.#keepFreeBytes = options.keepFreeBytes ?? 16 * 1024 * 1024;
    this.#log = options.log;
  }

  /**
   * Opens the folder, making it if it is missing.
   *
   * @throws {StorageError} `FOLDER_INVALID` for a symbolic link or what is no folder,
   * `MODE_TOO_OPEN` when others may write in it, `OWNER_FOREIGN`, or a failure of the file system.
   */
  static async open(fs: FileSystem, options: InboxOptions): Promise<Inbox> {
    const path = bareFolder(options.path);
    const { uid } = options;
    return await withStorageErrors(`use the inbox ${path}`, async () => {
      if (await unlessMissing(fs.lstat(path)) === undefined) await fs.makeFolder(path);
      const status = await fs.lstat(path);
      const refuse = (code: "FOLDER_INVALID" | "MODE_TOO_OPEN" | "OWNER_FOREIGN", what: string) => {
        throw new StorageError(code, `the inbox ${path} ${what}`);
      };
      if (status.kind === "symlink") {
        refuse("FOLDER_INVALID", "is a symbolic link: give the folder that it points to");
      }
      if (status.kind !== "folder") refuse("FOLDER_INVALID", "is not a folder: name another");
      if (uid !== null && status.uid !== uid) {
        refuse("OWNER_FOREIGN", `belongs to user ${status.uid}: name a folder of user ${uid}`);
      }
      if (status.mode !== null && (status.mode & 0o022) !== 0) {
        refuse("MODE_TOO_OPEN", `can be written by other users: chmod go-w ${path}`);
      }
      return new Inbox(fs, { ...options, path }, status);
    });
  }

  /** Path of the partial file of a transfer. */
  partPath(transferId: string): string {
    return joinPath(this.path, `.${transferId}.part`);
  }

  /** Path of a name in the inbox. */
  pathOf(savedAs: string): string {
    return joinPath(this.path, savedAs);
  }

  /** Whether the path still stands for the folder that was opened. */
  async isUnchanged(): Promise<boolean> {
    const now = await unlessMissing(this.fs.lstat(this.path));
    return now !== undefined && isSameFile(now, this.#status);
  }

  /**
   * Looks whether the path still stands for the folder that was opened.
   *
   * @throws {StorageError} `INBOX_CHANGED` when it does not.
   */
  async checkUnchanged(): Promise<void> {
    if (await this.isUnchanged()) return;
    throw new StorageError(
      "INBOX_CHANGED",
      `${this.path} is no longer the folder it was: nothing is written there; restart the daemon ` +
        "when the right folder is back",
    );
  }

  /**
   * Sets disk space apart for a file.
   *
   * @throws {StorageError} `DISK_FULL` when less is free than this file and those under way need.
   * Where free space can't be asked for, the log says so once and nothing is refused.
   */
  async claimSpace(bytes: number): Promise<SpaceClaim> {
    const space = await this.fs.freeSpace(this.path);
    const needed = this.#neededFor(bytes);
    if (space.known && needed > space.bytes) {
      throw new StorageError(
        "DISK_FULL",
        `${this.path} has ${space.bytes} bytes free, and ${needed} are needed (with transfers ` +
          "under way and a reserve): free space, or name another inbox",
      );
    }
    if (!space.known && !this.#saidUnknown) {
      this.#saidUnknown = true;
      this.#log?.warn("free space is not checked before files are received", {
        reason: space.reason,
      });
    }
    let left = bytes;
    this.#claimed += bytes;
    const spend = (count: number) => {
      const spent = Math.min(count, left);
      left -= spent;
      this.#claimed -= spent;
    };
    return { spend, [Symbol.dispose]: () => spend(left) };
  }

  /** Whether so many bytes could be set apart now; also where free space can't be asked for. */
  async hasRoom(bytes: number): Promise<boolean> {
    const space = await this.fs.freeSpace(this.path);
    return !space.known || this.#neededFor(bytes) <= space.bytes;
  }

  #neededFor(bytes: number): number {
    return this.#claimed + bytes + this.#keepFreeBytes;
  }

  /** What will be free when a file of so many bytes is there, and all that are under way. */
  async freeAfter(bytes: number): Promise<FreeSpace> {
    const space = await this.fs.freeSpace(this.path);
    return space.known ? { known: true, bytes: space.bytes - this.#claimed - bytes } : space;
  }

  /** Whether this transfer's partial file is there, as a regular file. */
  async hasPart(transferId: string): Promise<boolean> {
    const path = this.partPath(transferId);
    const status = await withStorageErrors(
      `look at ${path}`,
      () => unlessMissing(this.fs.lstat(path)),
    );
    return status?.kind === "file";
  }

  /** Removes a transfer's partial file, if it is there. A link is removed, never followed. */
  async removePart(transferId: string): Promise<void> {
    const path = this.partPath(transferId);
    await withStorageErrors(`remove ${path}`, async () => {
      await this.checkUnchanged();
      await unlessMissing(this.fs.remove(path));
      await this.fs.syncFolder(this.path);
    });
  }

  /**
   * Makes a partial file that of another transfer. It has the one name or the other, whatever ends
   * the program meanwhile.
   *
   * @param part What the partial file must be.
   * @throws {StorageError} `NAME_TAKEN` when that transfer has one already, or something stands in
   * its place; `INBOX_CHANGED`; or a failure of the file system.
   */
  async movePart(from: string, to: string, part: FileStatus): Promise<void> {
    const [path, next] = [this.partPath(from), this.partPath(to)];
    await this.#serial.run(() =>
      withStorageErrors(`rename ${path}`, async () => {
        await this.checkUnchanged();
        await this.#checkSame(path, part);
        if (await unlessMissing(this.fs.lstat(next)) !== undefined) {
          throw new StorageError("NAME_TAKEN", `${next} exists: have the file sent anew`);
        }
        await this.fs.rename(path, next);
        await this.fs.syncFolder(this.path);
      })
    );
  }

  /**
   * Gives a partial file, whole and synced, its name. Nothing is ever replaced; names that differ
   * only in case or Unicode form count as taken. Those that wait meanwhile are published together:
   * the folder is read and synced once for all of them.
   *
   * @returns The name it got.
   * @throws {StorageError} `NAME_TAKEN` by policy or when no number is left; `INBOX_CHANGED` when
   * the folder or the partial file was replaced; or a failure of the file system.
   */
  publish(publication: Publication): Promise<string> {
    const doing = `publish ${this.pathOf(publication.name)}`;
    return withStorageErrors(doing, () => this.#publications.run(publication));
  }

  /**
   * Whether a file could get that name now. It may be taken when the file is whole all the same.
   *
   * @throws {StorageError} `NAME_TAKEN`, as {@linkcode Inbox.publish}; or a failure of the file
   * system.
   */
  async checkFree(name: string, collision: CollisionPolicy): Promise<void> {
    if (collision === "number") return; // one is found when the file is whole
    await withStorageErrors(`look for ${this.pathOf(name)}`, async () => {
      this.#free(name, await this.#takenNumbers(name), collision);
    });
  }

  async #takenNumbers(name: string): Promise<TakenNumbers> {
    const taken = new TakenNumbers(name);
    for await (const existing of this.fs.names(this.path)) taken.see(existing);
    return taken;
  }

  #free(name: string, taken: TakenNumbers, collision: CollisionPolicy): number {
    const number = taken.lowestFree();
    if (number !== undefined && (number === 0 || collision === "number")) return number;
    throw new StorageError(
      "NAME_TAKEN",
      `${this.pathOf(name)} exists and is not replaced: move it away and have it sent again`,
    );
  }

  /** What fails for one of them is that one's; what fails for the folder is for all. */
  async #publishAll(all: readonly Job<Publication, string>[]): Promise<void> {
    await this.checkUnchanged();
    const names = new Set<string>();
    for await (const existing of this.fs.names(this.path)) names.add(existing);
    const named = await succeeded(all, (publication) => this.#giveName(publication, names));
    if (named.length === 0) return;
    await this.fs.syncFolder(this.path);
    const removed = await succeeded(
      named.map(({ asked }) => asked),
      ({ transferId }) => unlessMissing(this.fs.remove(this.partPath(transferId))),
    );
    await this.fs.syncFolder(this.path);
    await this.checkUnchanged();
    const areRemoved = new Set(removed.map(({ asked }) => asked));
    for (const { asked, outcome } of named) {
      if (areRemoved.has(asked)) asked.resolve(outcome);
    }
  }

  /**
   * @param names Those in the folder; the one that it gets is added.
   * @returns The name that it got.
   */
  async #giveName(
    { name, collision, onPublishing, transferId, part: expected }: Publication,
    names: Set<string>,
  ): Promise<string> {
    const part = this.partPath(transferId);
    await this.#checkSame(part, expected);
    const tried: number[] = [];
    for (;;) {
      const taken = new TakenNumbers(name);
      for (const existing of names) taken.see(existing);
      for (const number of tried) taken.add(number);
      const number = this.#free(name, taken, collision);
      const savedAs = numberedName(name, number);
      names.add(savedAs); // before any wait: others choose theirs meanwhile
      try {
        await onPublishing(savedAs);
        if (await this.#name(part, this.pathOf(savedAs), expected)) return savedAs;
      } catch (error) {
        names.delete(savedAs);
        throw error;
      }
      tried.push(number);
    }
  }

  async #checkSame(path: string, expected: FileStatus): Promise<void> {
    const seen = await unlessMissing(this.fs.lstat(path));
    if (seen !== undefined && isSameFile(seen, expected) && seen.size === expected.size) return;
    throw new StorageError(
      "INBOX_CHANGED",
      `${path} is not the file that was received: another program works in the inbox; stop it`,
    );
  }

  /** @returns False when the name is taken. */
  async #name(part: string, path: string, expected: FileStatus): Promise<boolean> {
    try {
      await this.fs.link(part, path);
    } catch (error) {
      if (isTaken(error)) return false;
      if (!NO_LINKS.has(errnoOf(error) ?? "")) throw error;
      return await this.#reserveAndRename(part, path);
    }
    try {
      await this.#checkSame(path, expected);
    } catch (error) {
      // What was linked was put there in place of ours: the second name of it must not stay.
      await unlessMissing(this.fs.remove(path));
      throw error;
    }
    return true;
  }

  /**
   * Without hard links: an empty file takes the name, and ours is renamed over it. A crash between
   * the two leaves the empty file; `onPublishing` was given its name, so that it is found again.
   */
  async #reserveAndRename(part: string, path: string): Promise<boolean> {
    let reserved: FileStatus;
    try {
      using file = await this.fs.open(path, "create");
      reserved = await file.status();
    } catch (error) {
      if (isTaken(error)) return false;
      throw error;
    }
    await this.#checkSame(path, reserved);
    try {
      await this.fs.rename(part, path);
    } catch (error) {
      await this.fs.remove(path);
      throw error;
    }
    return true;
  }
}

/**
 * Does a step for each of them at once; for those of one name one after the other, so that a name is
 * only taken from the next by who has got it. Whose step fails gets the error.
 *
 * @returns Those whose step went well.
 */
async function succeeded<R>(
  all: readonly Job<Publication, string>[],
  step: (publication: Publication) => Promise<R>,
): Promise<{ readonly asked: Job<Publication, string>; readonly outcome: R }[]> {
  const done: { readonly asked: Job<Publication, string>; readonly outcome: R }[] = [];
  const ofOneName = Map.groupBy(all, ({ item }) => collisionKey(item.name));
  await Promise.all([...ofOneName.values()].map(async (group) => {
    for (const asked of group) {
      try {
        done.push({ asked, outcome: await step(asked.item) });
      } catch (error) {
        asked.reject(error);
      }
    }
  }));
  return done;
}
