/**
 * Files and folders that nobody but the daemon's user may touch: kind, owner and permission bits
 * are checked, never changed, because a too open secret may be known already.
 *
 * @module
 */
import { unlessMissing } from "../base/system_error.ts";
import { StorageError, type StorageErrorCode } from "../base/errors.ts";
import { type FileStatus, type FileSystem, isSameFile, joinPath } from "./file_system.ts";
import { withStorageErrors } from "./failure.ts";
import { readBounded } from "./whole_file.ts";

/** Who runs the daemon: the owner's number of what it makes; null where there are none. */
export type OwnUid = number | null;

/**
 * The number of the user that this process runs as, seen on a file made for it: asking the system
 * would need `--allow-sys=uid`.
 *
 * @throws {StorageError} When nothing can be written in `folder`.
 */
export async function ownUid(fs: FileSystem, folder: string): Promise<OwnUid> {
  if (!fs.hasModes) return null;
  const random = crypto.getRandomValues(new Uint8Array(8));
  const probe = joinPath(folder, `.owner.${random.toHex()}.tmp`);
  return await withStorageErrors(`write in ${folder}`, async () => {
    try {
      using file = await fs.open(probe, "create");
      return (await file.status()).uid;
    } finally {
      await unlessMissing(fs.remove(probe));
    }
  });
}

/** The bits that a private thing has: `chmod` argument by kind. */
const PRIVATE_MODE = { file: "600", folder: "700" } as const;

/**
 * Refuses what others could read or write, or own.
 *
 * @throws {StorageError} `MODE_TOO_OPEN` or `OWNER_FOREIGN`.
 */
export function checkPrivate(
  status: FileStatus,
  path: string,
  kind: "file" | "folder",
  uid: OwnUid,
): void {
  if (uid !== null && status.uid !== uid) {
    throw new StorageError(
      "OWNER_FOREIGN",
      `${path} belongs to user ${status.uid}, the daemon runs as user ${uid}: run it as the ` +
        `owner, or give it the file: chown ${uid} ${path}`,
    );
  }
  if (status.mode !== null && (status.mode & 0o077) !== 0) {
    throw new StorageError(
      "MODE_TOO_OPEN",
      `${path} is open to other users (mode 0${status.mode.toString(8)}): make sure that nobody ` +
        `has used it, then: chmod ${PRIVATE_MODE[kind]} ${path}`,
    );
  }
}

/** What a private file must be. */
export interface PrivateFileRules {
  /** The owner it must have. */
  readonly uid: OwnUid;
  /** Longest content, in bytes. */
  readonly limit: number;
  /** Code of the refusal when it is no file of at most `limit` bytes. */
  readonly invalid: StorageErrorCode;
  /** What to do then, for the message. */
  readonly advice: string;
}

/**
 * The content of a private file, or undefined when there is none. A symbolic link is refused, and
 * a file that was put in its place after it was looked at as well.
 *
 * @throws {StorageError} `rules.invalid`, `MODE_TOO_OPEN`, `OWNER_FOREIGN` or a failure to read.
 */
export async function readPrivateFile(
  fs: FileSystem,
  path: string,
  rules: PrivateFileRules,
): Promise<Uint8Array | undefined> {
  const refuse = (what: string): never => {
    throw new StorageError(rules.invalid, `${path} ${what}: ${rules.advice}`);
  };
  return await withStorageErrors(`read ${path}`, async () => {
    const seen = await unlessMissing(fs.lstat(path));
    if (seen === undefined) return undefined;
    if (seen.kind !== "file") return refuse("is not a regular file");
    using file = await fs.open(path, "read");
    const status = await file.status();
    if (!isSameFile(seen, status)) return refuse("was replaced while it was opened");
    checkPrivate(status, path, "file", rules.uid);
    return await readBounded(file, rules.limit) ?? refuse(`is longer than ${rules.limit} bytes`);
  });
}
