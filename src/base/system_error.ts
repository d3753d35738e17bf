/**
 * What the operating system's errors mean, in plain words: the runtime's own texts ("os error 2",
 * "run again with --allow-all") name things that an operator of this program has no use for.
 *
 * @module
 */

/** The system's name of an error, e.g. `ENOSPC`; undefined where it has none. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

const DENIED = "the permissions do not allow it";
const NO_CALL = "the disk or network share can't do this";

const REASONS: ReadonlyMap<string, string> = new Map([
  ["EACCES", DENIED],
  ["EADDRINUSE", "the address is in use"],
  ["EADDRNOTAVAIL", "this machine does not have the address"],
  ["EBUSY", "it is in use"],
  ["ECONNABORTED", "the connection was cut"],
  ["ECONNREFUSED", "nothing listens there"],
  ["ECONNRESET", "the other end cut the connection"],
  ["EDQUOT", "the disk quota is used up"],
  ["EEXIST", "the name is taken"],
  ["EFBIG", "it is larger than the disk allows"],
  ["EHOSTDOWN", "the host does not answer"],
  ["EHOSTUNREACH", "the host can't be reached"],
  ["EINVAL", NO_CALL],
  ["EIO", "the disk or network share reported an error"],
  ["EISDIR", "it is a folder"],
  ["ELOOP", "it is a symbolic link, or its links lead round in a circle"],
  ["EMFILE", "too many files are open"],
  ["ENAMETOOLONG", "the name or path is too long"],
  ["ENETDOWN", "the network is down"],
  ["ENETUNREACH", "the network can't be reached"],
  ["ENFILE", "too many files are open on this machine"],
  ["ENODEV", "the device is not there"],
  ["ENOENT", "there is no such file or folder"],
  ["ENOMEM", "the machine is out of memory"],
  ["ENOSPC", "the disk is full"],
  ["ENOTDIR", "a part of the path is not a folder"],
  ["ENOTEMPTY", "the folder is not empty"],
  ["ENOTSUP", NO_CALL],
  ["ENXIO", "it is a device or socket that nothing answers"],
  ["EOPNOTSUPP", NO_CALL],
  ["EPERM", DENIED],
  ["EPIPE", "the reader is gone"],
  ["EROFS", "the disk is mounted read-only"],
  ["ESTALE", "the network share has changed underneath"],
  ["ETIMEDOUT", "it took too long to answer"],
  ["ETXTBSY", "it is in use"],
  ["EXDEV", "the two names are on different disks"],
]);

/**
 * An error of the system or of the runtime's permissions as a half-sentence without a full stop;
 * undefined for every other error.
 */
export function systemReason(error: unknown): string | undefined {
  if (error instanceof Error && error.name === "NotCapable") {
    return "this program has no right to use it (it never has for /dev, /proc and /sys)";
  }
  return REASONS.get(errnoOf(error) ?? "");
}
