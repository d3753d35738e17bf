/**
 * What the daemon may touch of the disk: what its flags narrow, and what it says at its start where
 * nothing does.
 *
 * @module
 */
import { resolve } from "node:path";
import type { Log } from "../../log/log.ts";
import { AllowedFolders } from "../../storage/allowed_folders.ts";
import type { FileSystem } from "../../storage/file_system.ts";
import { flagName } from "../../vocabulary/flag_table.ts";
import type { ServeOptions } from "./options.ts";

/** The folders of a flag; undefined where it is not given. */
export function allowedFolders(
  fs: FileSystem,
  options: ServeOptions,
  option: "allowSendFrom" | "allowSignalIn",
): AllowedFolders | undefined {
  const folders = options[option].map((folder) => resolve(folder));
  return folders.length === 0
    ? undefined
    : new AllowedFolders(fs, folders, `--${flagName(option)}`);
}

/** Says what nothing holds back: neither a flag, nor the permissions that the runtime was given. */
export async function warnOfReach(options: ServeOptions, log: Log): Promise<void> {
  const mayAnywhere = async (name: "read" | "write") =>
    (await Deno.permissions.query({ name })).state === "granted";
  if (options.allowSendFrom.length === 0 && await mayAnywhere("read")) {
    log.warn(
      "whoever may use the local API can have any file sent that this user may read: name the " +
        "folders to send from with --allow-send-from DIR",
    );
  }
  if (await mayAnywhere("write")) {
    log.warn(
      "this program may write wherever its user may: only the packed file narrows that itself; " +
        "else start it with --allow-write=FOLDERS (docs/guides/sandbox.md)",
    );
  }
}
