/**
 * What the daemon may touch of the disk: what its flags narrow, and what it says at its start where
 * nothing does.
 *
 * @module
 */
import { dirname, resolve } from "node:path";
import { messageOf } from "../../base/errors.ts";
import { OperationError } from "../../ipc/api/problem.ts";
import type { Log } from "../../log/log.ts";
import { AllowedFolders, type SourceFileSystem } from "../../storage/allowed_folders.ts";
import type { FileSystem } from "../../storage/file_system.ts";
import { flagName } from "../../vocabulary/flag_table.ts";
import type { ServeOptions } from "./options.ts";

/** What files are sent from: the folders of `--allow-send-from`, or everything without that flag. */
export function allowedSources(fs: FileSystem, options: ServeOptions): SourceFileSystem {
  return allowedFolders(fs, options, "allowSendFrom")?.files ?? fs;
}

/**
 * Looks whether a signal file is where one may be: in a folder of `--allow-signal-in`, or, without that
 * flag, wherever the runtime's permissions let the daemon write.
 *
 * @returns What throws an `OperationError`, `POLICY_REFUSED`, when it is not.
 */
export function signalFileCheck(
  fs: FileSystem,
  options: ServeOptions,
): (path: string) => Promise<void> {
  const folders = allowedFolders(fs, options, "allowSignalIn");
  return async (path) => {
    const folder = dirname(path);
    if (folders === undefined) {
      const { state } = await Deno.permissions.query({ name: "write", path: folder });
      if (state === "granted") return;
      throw new OperationError(
        "POLICY_REFUSED",
        `this daemon may not write in ${folder}: start it with --allow-signal-in for that folder`,
      );
    }
    try {
      await folders.expectHeld(folder);
    } catch (error) {
      throw new OperationError("POLICY_REFUSED", messageOf(error), { cause: error });
    }
  };
}

/** The folders of a flag; undefined where it is not given. */
function allowedFolders(
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
