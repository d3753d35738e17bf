/**
 * Small files replaced whole or not at all: a temporary name in the same folder, fsync, rename,
 * fsync of the folder. What a killed write leaves behind is recognised by its name, and removed at
 * start.
 *
 * @module
 */
import { unlessMissing } from "../base/system_error.ts";
import { type FileStatus, type FileSystem, joinPath } from "./file_system.ts";
import { withStorageErrors } from "./failure.ts";
import type { KnownFolder } from "./known_folder.ts";
import { writeFully } from "./whole_file.ts";

const TEMPORARY = /^\.(.+)\.[0-9a-f]{16}\.tmp$/;

function temporaryName(name: string): string {
  const random = crypto.getRandomValues(new Uint8Array(8));
  return `.${name}.${random.toHex()}.tmp`;
}

/**
 * Makes `bytes` the whole content of `folder`/`name`, mode 0600, durable when it resolves. Whoever
 * reads meanwhile, or after a crash at any instant, finds the old content or the new one. The
 * caller sees to it that no two writes of one name overlap.
 *
 * @returns What distinguishes the file from another under the same name.
 * @throws {StorageError} `DISK_FULL`, `ACCESS_DENIED` or `IO_FAILED`; the old content stands, or,
 * when only the last fsync of the folder failed, either of the two. `FOLDER_CHANGED` when another
 * folder has taken the place of this one: what that one holds is not ours.
 */
export async function writeAtomically(
  fs: FileSystem,
  folder: KnownFolder,
  name: string,
  bytes: Uint8Array,
): Promise<FileStatus> {
  const temporary = joinPath(folder.path, temporaryName(name));
  const path = joinPath(folder.path, name);
  return await withStorageErrors(`write ${path}`, async () => {
    await folder.checkUnchanged();
    let status: FileStatus;
    try {
      {
        using file = await fs.open(temporary, "create");
        await writeFully(file, bytes);
        await file.sync();
        status = await file.status();
      }
      await fs.rename(temporary, path);
    } catch (error) {
      // The first failure is the one to report; what stays behind is removed at the next start.
      await fs.remove(temporary).catch(() => {});
      throw error;
    }
    await fs.syncFolder(folder.path);
    await folder.checkUnchanged();
    return status;
  });
}

/**
 * Removes what killed writes of `names` left in `folder`. Only for who holds the folder's lock: a
 * running write has such a file too.
 *
 * @returns How many were removed.
 * @throws {StorageError} When the folder can't be read or one can't be removed.
 */
export async function removeLeftovers(
  fs: FileSystem,
  folder: string,
  names: Pick<ReadonlySet<string>, "has">,
): Promise<number> {
  return await withStorageErrors(`clean ${folder}`, async () => {
    const found: string[] = [];
    for await (const entry of fs.names(folder)) {
      const written = TEMPORARY.exec(entry)?.[1];
      if (written !== undefined && names.has(written)) found.push(entry);
    }
    for (const entry of found) await unlessMissing(fs.remove(joinPath(folder, entry)));
    return found.length;
  });
}
