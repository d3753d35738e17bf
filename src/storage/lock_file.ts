/**
 * One daemon a folder: an exclusive lock on a file, with the holder's process number in it.
 *
 * @module
 */
import { unlessMissing } from "../base/system_error.ts";
import { StorageError } from "../base/errors.ts";
import type { FileSystem, OpenFile } from "./file_system.ts";
import { withStorageErrors } from "./failure.ts";
import { readFully, writeFully } from "./whole_file.ts";

const HOLDER = /^([1-9]\d{0,9})\n$/;

async function holderOf(file: OpenFile): Promise<string> {
  const buffer = new Uint8Array(16);
  // Where locks are mandatory (Windows) the holder's file can't be read.
  const length = await readFully(file, buffer).catch(() => 0);
  const pid = HOLDER.exec(new TextDecoder().decode(buffer.subarray(0, length)))?.[1];
  return pid === undefined ? "another process" : `process ${pid}`;
}

/** A lock that is held. Disposing it frees it; so does the end of the process, however it comes. */
export class LockFile implements Disposable {
  readonly #file: OpenFile;

  private constructor(file: OpenFile) {
    this.#file = file;
  }

  /**
   * Takes the lock, without waiting. The file stays when the lock is freed: removing it would let
   * two processes lock two files of one name.
   *
   * @param path Of the lock file; made when missing.
   * @param pid Number of this process, for whoever comes second.
   * @throws {StorageError} `FOLDER_LOCKED`, with the holder's number; or a failure of the file.
   */
  static async acquire(fs: FileSystem, path: string, pid: number): Promise<LockFile> {
    return await withStorageErrors(`lock ${path}`, async () => {
      const seen = await unlessMissing(fs.lstat(path));
      if (seen !== undefined && seen.kind !== "file") {
        throw new StorageError(
          "FOLDER_INVALID",
          `${path} is not a regular file: remove it and start again`,
        );
      }
      const file = await fs.open(path, "update");
      try {
        if (!await file.tryLock()) {
          const holder = await holderOf(file);
          throw new StorageError(
            "FOLDER_LOCKED",
            `${path} is held by ${holder}: stop that daemon, or give this one another --data-dir`,
          );
        }
        await file.truncate(0);
        await writeFully(file, new TextEncoder().encode(`${pid}\n`));
        return new LockFile(file);
      } catch (error) {
        file[Symbol.dispose]();
        throw error;
      }
    });
  }

  /** Frees the lock. */
  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}
