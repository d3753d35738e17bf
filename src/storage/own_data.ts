/**
 * What of the disk is the daemon's own and never sent: its data folder, and the partial files in its
 * inbox. Files that have arrived are the operator's, wherever the inbox is.
 *
 * Compared is by device and inode, so that links and other spellings of a path make no difference.
 *
 * @module
 */
import { dirname } from "node:path";
import { StorageError } from "../base/errors.ts";
import { isNotPermitted, unlessMissing } from "../base/system_error.ts";
import { withStorageErrors } from "./failure.ts";
import { type FileStatus, type FileSystem, isSameFile, joinPath } from "./file_system.ts";

/** What the daemon makes in its inbox for itself. */
const STAGED = /^\.[0-9a-f]{32}\.(?:part|unpack)$/;

/** Where the daemon's own files are. */
export interface OwnPlaces {
  /** The data folder. */
  readonly dataFolder: string;
  /** The inbox, which may be inside. */
  readonly inbox: string;
}

/** Tells the daemon's own files from those of others. */
export class OwnData {
  readonly #fs: FileSystem;
  readonly #places: OwnPlaces;

  /** Looks at the places anew each time. */
  constructor(fs: FileSystem, places: OwnPlaces) {
    this.#fs = fs;
    this.#places = places;
  }

  /**
   * Refuses a path that stands for something of the daemon's own, or in it.
   *
   * @throws {StorageError} `SOURCE_OWN`; or a failure of the file system.
   */
  async refuse(path: string): Promise<void> {
    await withStorageErrors(`read ${path}`, () => this.#refuse(path));
  }

  async #refuse(path: string): Promise<void> {
    const status = await this.#fs.lstat(path);
    if (status.kind === "symlink" || status.kind === "other") return; // refused as what it is
    const inside = status.kind === "folder" ? path : dirname(path);
    if (!await this.#isInside(await this.#fs.realPath(inside), path)) {
      if (status.kind !== "file" || !await this.#hasOwnName(status)) return;
    }
    throw new StorageError(
      "SOURCE_OWN",
      `${path} is the daemon's own data, and that is never sent: name other files`,
    );
  }

  /**
   * Whether what stands in a folder is the daemon's own.
   *
   * @param folder The folder.
   */
  async isOwn(folder: FileStatus, name: string, status: FileStatus): Promise<boolean> {
    const { dataFolder, inbox } = this.#places;
    if (status.kind === "folder" && await this.#is(dataFolder, status)) return true;
    if (STAGED.test(name) && await this.#is(inbox, folder)) return true;
    return status.kind === "file" && await this.#hasOwnName(status);
  }

  /** Whether a folder is in the data folder, and not in the inbox. */
  async #isInside(folder: string, path: string): Promise<boolean> {
    for (let at = folder, below = path;; below = at, at = dirname(at)) {
      const status = await this.#look(at);
      if (status !== undefined && await this.#is(this.#places.inbox, status)) {
        return STAGED.test(below.slice(below.lastIndexOf("/") + 1));
      }
      if (status !== undefined && await this.#is(this.#places.dataFolder, status)) return true;
      if (dirname(at) === at) return false;
    }
  }

  async #is(place: string, status: FileStatus): Promise<boolean> {
    const known = await this.#look(place);
    return known !== undefined && isSameFile(known, status);
  }

  /** Undefined where nothing is, or nothing may be looked at: the daemon's own folders may be. */
  async #look(path: string): Promise<FileStatus | undefined> {
    try {
      return await unlessMissing(this.#fs.lstat(path));
    } catch (error) {
      if (isNotPermitted(error) || error instanceof Deno.errors.PermissionDenied) return undefined;
      throw error;
    }
  }

  /** Whether a file with several names has one of them in the data folder. */
  async #hasOwnName(status: FileStatus): Promise<boolean> {
    if ((status.links ?? 1) < 2) return false;
    const { dataFolder, inbox } = this.#places;
    const inboxStatus = await this.#look(inbox);
    const folders = [dataFolder];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      for await (const name of this.#fs.names(folder)) {
        const path = joinPath(folder, name);
        const seen = await this.#look(path);
        if (seen === undefined) continue;
        if (seen.kind === "file" && isSameFile(seen, status)) return true;
        const isInbox = inboxStatus !== undefined && isSameFile(seen, inboxStatus);
        if (seen.kind === "folder" && !isInbox) folders.push(path);
      }
    }
    return false;
  }
}
