/**
 * Folders that an operator allows: what is read is inside one of them, wherever the links on its way
 * lead, and whatever is put in its place meanwhile.
 *
 * @module
 */
import { StorageError } from "../base/errors.ts";
import { isNotPermitted, unlessMissing } from "../base/system_error.ts";
import {
  type FileStatus,
  type FileSystem,
  isSameFile,
  joinPath,
  type OpenFile,
} from "./file_system.ts";

/** What is asked of the file system for files that are sent. */
export type SourceFileSystem = Pick<FileSystem, "lstat" | "open">;

/** Folders that a flag names. */
export class AllowedFolders {
  readonly #fs: Pick<FileSystem, "realPath" | "lstat" | "open">;
  readonly #folders: readonly string[];
  readonly #flag: string;

  /**
   * Allows some folders.
   *
   * @param folders Absolute paths; each is looked up anew, since it may come later.
   * @param flag The flag that names them, for messages.
   */
  constructor(
    fs: Pick<FileSystem, "realPath" | "lstat" | "open">,
    folders: readonly string[],
    flag: string,
  ) {
    this.#fs = fs;
    this.#folders = folders;
    this.#flag = flag;
  }

  /**
   * Where a path really leads.
   *
   * @throws {StorageError} `SOURCE_UNUSABLE` when that is outside the allowed folders.
   */
  async expectHeld(path: string): Promise<string> {
    const real = await unlessShut(this.#fs.realPath(path));
    if (real !== undefined && await this.#isHeld(real)) return real;
    throw new StorageError(
      "SOURCE_UNUSABLE",
      `${path} is in none of the folders that ${this.#flag} names: move it there, or start the ` +
        `daemon with ${this.#flag} for its folder too`,
    );
  }

  async #isHeld(real: string): Promise<boolean> {
    for (const folder of this.#folders) {
      const root = await unlessMissing(this.#fs.realPath(folder));
      if (root !== undefined && (real === root || real.startsWith(joinPath(root, "")))) return true;
    }
    return false;
  }

  /** Reads files of these folders, and none else. */
  get files(): SourceFileSystem {
    return {
      lstat: async (path) => {
        await this.expectHeld(path);
        return await this.#fs.lstat(path);
      },
      open: async (path, mode) => {
        await this.expectHeld(path);
        const file = await this.#fs.open(path, mode);
        try {
          await this.#expectSame(path, file);
        } catch (error) {
          file[Symbol.dispose]();
          throw error;
        }
        return file;
      },
    };
  }

  /** A folder on the way may have become a link between the look and the opening. */
  async #expectSame(path: string, file: OpenFile): Promise<void> {
    const opened: FileStatus = await file.status();
    const held = await this.#fs.lstat(await this.expectHeld(path));
    if (isSameFile(opened, held)) return;
    throw new StorageError(
      "SOURCE_CHANGED",
      `${path} changed while it was opened: send it again when nothing writes to it`,
    );
  }
}

/** The path, or undefined where the runtime's own permissions keep it shut. */
async function unlessShut(path: Promise<string>): Promise<string | undefined> {
  try {
    return await path;
  } catch (error) {
    if (isNotPermitted(error)) return undefined;
    throw error;
  }
}
