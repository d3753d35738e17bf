/**
 * What the system says when it refuses something, in our words: the texts of the runtime ("os error
 * 2", "run again with the --allow-all flag") tell an operator nothing that can be done.
 *
 * @module
 */

const WORDS: { readonly [errno: string]: string } = {
  EACCES: "this user may not do that",
  EADDRINUSE: "the address is in use",
  EADDRNOTAVAIL: "this machine does not have that address",
  EAFNOSUPPORT: "this machine does not have that kind of address",
  EAGAIN: "the system is out of buffers at the moment",
  EBUSY: "another program uses it",
  ECONNABORTED: "the connection was cut",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was cut",
  EDQUOT: "the disk quota is used up",
  EEXIST: "it exists already",
  EFBIG: "the file is larger than the file system allows",
  EHOSTUNREACH: "there is no network route to that machine",
  EINVAL: "the system rejects it as invalid",
  EIO: "the disk reports a fault",
  EISDIR: "it is a folder",
  ELOOP: "its symbolic links form a loop",
  EMFILE: "too many files are open",
  EMLINK: "it has too many hard links",
  ENAMETOOLONG: "the name or path is too long",
  ENETDOWN: "the network is down",
  ENETUNREACH: "there is no network route to that address",
  ENFILE: "too many files are open",
  ENODEV: "the device is not there",
  ENOENT: "it does not exist",
  ENOMEM: "the system is out of memory",
  ENOSPC: "the disk is full",
  ENOTCONN: "the connection was cut",
  ENOTDIR: "a part of the path is not a folder",
  ENOTEMPTY: "the folder is not empty",
  ENOTSUP: "the file system can't do that",
  ENXIO: "the device is not there",
  EOPNOTSUPP: "the file system can't do that",
  EPERM: "this user may not do that",
  EPIPE: "the reader has gone",
  EROFS: "the file system is read-only",
  ESTALE: "it is gone from the network share",
  ETIMEDOUT: "the other end did not answer in time",
  ETXTBSY: "the program is running",
  EXDEV: "it is on another file system",
};

/** The system's name of an error, e.g. `ENOSPC`; undefined where it has none. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** The value of `work`, or undefined when the name it looks for does not exist. */
export async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Whether the runtime refused something that the system was not even asked for. */
export function isNotPermitted(error: unknown): boolean {
  return error instanceof Error && error.name === "NotCapable";
}

/** Why the system, or the runtime, refused something; undefined for errors of any other kind. */
export function systemReason(error: unknown): string | undefined {
  if (isNotPermitted(error)) {
    return "this program has no right to use it (it never has for /dev, /proc and /sys)";
  }
  const errno = errnoOf(error);
  if (errno !== undefined && /^E[A-Z0-9]+$/.test(errno)) {
    return WORDS[errno] ?? `the system refuses it (${errno})`;
  }
  const number = error instanceof Error ? /\(os error (\d+)\)/.exec(error.message)?.[1] : undefined;
  return number === undefined ? undefined : `the system refuses it (error ${number})`;
}
