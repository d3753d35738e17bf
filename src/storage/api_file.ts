/**
 * `api.json`: where this run's local API is served over TCP, and the token that opens it. It is there
 * while a daemon serves that way; one that was killed leaves it, and the next one removes it.
 *
 * @module
 */
import { StorageError } from "../base/errors.ts";
import { unlessMissing } from "../base/system_error.ts";
import { writeAtomically } from "./atomic_write.ts";
import { DATA_NAMES, type DataFolder } from "./data_folder.ts";
import { type FileSystem, isSameFile, joinPath } from "./file_system.ts";
import { withStorageErrors } from "./failure.ts";

/** The file of a data folder that this process has locked. */
export class ApiFile {
  /** Absolute path of the file, whether it is there or not. */
  readonly path: string;
  readonly #fs: FileSystem;
  readonly #folder: DataFolder;

  private constructor(fs: FileSystem, folder: DataFolder) {
    this.#fs = fs;
    this.#folder = folder;
    this.path = joinPath(folder.path, DATA_NAMES.api);
  }

  /**
   * Removes what a killed daemon has left: its token opens nothing any more, and its port may be
   * another program's by now.
   *
   * @throws {StorageError} `FOLDER_INVALID` when it is no regular file, which is left as it is; or a
   * failure of the file system.
   */
  static async open(fs: FileSystem, folder: DataFolder): Promise<ApiFile> {
    const file = new ApiFile(fs, folder);
    await withStorageErrors(`remove ${file.path}`, async () => {
      const left = await unlessMissing(fs.lstat(file.path));
      if (left === undefined) return;
      if (left.kind !== "file") {
        throw new StorageError(
          "FOLDER_INVALID",
          `${file.path} is not a regular file: remove it and start again`,
        );
      }
      await fs.remove(file.path);
    });
    return file;
  }

  /**
   * Writes the file, mode 0600: it is made under another name, exclusively, and comes to its own
   * name whole.
   *
   * @returns What removes it again, unless another file has its name by then.
   * @throws {StorageError} As {@linkcode writeAtomically} does.
   */
  async write(content: Uint8Array): Promise<AsyncDisposable> {
    const { path } = this;
    const fs = this.#fs;
    const written = await writeAtomically(fs, this.#folder.root, DATA_NAMES.api, content);
    return {
      async [Symbol.asyncDispose]() {
        await withStorageErrors(`remove ${path}`, async () => {
          const now = await unlessMissing(fs.lstat(path));
          if (now !== undefined && isSameFile(now, written)) await fs.remove(path);
        });
      },
    };
  }
}
