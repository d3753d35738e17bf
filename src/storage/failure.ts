/**
 * From the platform's errors to ours: a stable code and a message that says what to do.
 *
 * @module
 */
import { DaemonError, messageOf, StorageError, type StorageErrorCode } from "../base/errors.ts";
import { errnoOf, isNotPermitted } from "../base/system_error.ts";

/** Whether the error says that the name is taken. */
export function isTaken(error: unknown): boolean {
  return errnoOf(error) === "EEXIST";
}

const FULL = new Set(["ENOSPC", "EDQUOT"]);
const DENIED = new Set(["EACCES", "EPERM", "EROFS"]);

function judge(error: unknown): { readonly code: StorageErrorCode; readonly advice: string } {
  const errno = errnoOf(error) ?? "";
  if (isNotPermitted(error)) {
    return {
      code: "ACCESS_DENIED",
      advice: "; take a path outside /dev, /proc and /sys, or widen what the daemon may read and " +
        "write where it is held to some folders",
    };
  }
  if (errno === "ENOENT" || errno === "ENOTDIR") {
    return { code: "IO_FAILED", advice: "; check the path" };
  }
  if (FULL.has(errno)) {
    return { code: "DISK_FULL", advice: "; free space on that disk and try again" };
  }
  if (DENIED.has(errno)) {
    return { code: "ACCESS_DENIED", advice: "; let the daemon's user read and write it" };
  }
  return { code: "IO_FAILED", advice: "; check the disk and the path" };
}

/**
 * The error to throw on.
 *
 * @param error What the file system threw; errors of ours are passed through.
 * @param doing What could not be done, e.g. `write /data/identity.key`.
 */
export function storageFailure(error: unknown, doing: string): DaemonError {
  if (error instanceof DaemonError) return error;
  const { code, advice } = judge(error);
  return new StorageError(code, `cannot ${doing}: ${messageOf(error)}${advice}`, { cause: error });
}

/**
 * The outcome of `work`, its failures as {@linkcode storageFailure} words them.
 *
 * @throws {StorageError} When `work` fails.
 */
export async function withStorageErrors<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageFailure(error, doing);
  }
}
