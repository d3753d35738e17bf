/**
 * A folder that is distinguished from any other put in its place, by device and inode.
 *
 * Deno has no calls relative to an open folder, so whoever writes in one looks before and after.
 *
 * @module
 */
import { unlessMissing } from "../base/system_error.ts";
import { StorageError } from "../base/errors.ts";
import { type FileStatus, type FileSystem, isSameFile } from "./file_system.ts";

/** A folder as it was when it was opened. */
export class KnownFolder {
  /** Its path, which may stand for another folder by now. */
  readonly path: string;
  readonly #fs: FileSystem;
  readonly #status: FileStatus;

  private constructor(fs: FileSystem, path: string, status: FileStatus) {
    this.#fs = fs;
    this.path = path;
    this.#status = status;
  }

  /** The folder that has this path now. It must exist; its kind is the caller's to check. */
  static async open(fs: FileSystem, path: string): Promise<KnownFolder> {
    return new KnownFolder(fs, path, await fs.lstat(path));
  }

  /**
   * Looks whether the path still stands for the folder that was opened.
   *
   * @throws {StorageError} `FOLDER_CHANGED` when it does not.
   */
  async checkUnchanged(): Promise<void> {
    const now = await unlessMissing(this.#fs.lstat(this.path));
    if (now !== undefined && isSameFile(now, this.#status)) return;
    throw new StorageError(
      "FOLDER_CHANGED",
      `${this.path} is no longer the folder that the daemon opened: this change is not kept; put ` +
        "the right folder back and restart the daemon",
    );
  }
}
