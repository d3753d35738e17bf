/**
 * Looking at what lies at the path of a signal file, whoever put it there, without being held up.
 *
 * @module
 */
import { constants, type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf, unlessMissing } from "../../base/system_error.ts";
import { MAX_BUNDLE_BYTES } from "../../protocol/signal/bundle.ts";

/** What lies at a path. */
export type Found =
  | { readonly kind: "nothing" }
  /** A regular file; `uid` is its owner's number, null where there are none. */
  | {
    readonly kind: "file";
    readonly text: string;
    readonly bytes: number;
    readonly uid: number | null;
  }
  /** A regular file over the limit, which was not read. */
  | { readonly kind: "large"; readonly bytes: number }
  /** Something that is opened by nobody here: `what` with its article, e.g. `a folder`. */
  | { readonly kind: "other"; readonly what: string };

/**
 * A FIFO must not hold us up until somebody writes to it, a link must not lead us elsewhere, both
 * also when they take the file's place between the look and the opening. Not on Windows, which has
 * neither flag.
 */
const READING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);
const READ_AT_ONCE = 64 * 1024;

/**
 * What lies at a path now. A regular file is read, whole, up to the limit of a bundle; nothing else is
 * opened. A file that another program has locked, or that went away meanwhile, is not there yet.
 *
 * @throws What the system says but for a missing file.
 */
export async function lookAt(path: string): Promise<Found> {
  const seen = await unlessMissing(Deno.lstat(path));
  if (seen === undefined) {
    await refreshFolder(dirname(path));
    return { kind: "nothing" };
  }
  if (!seen.isFile) return { kind: "other", what: kindOf(seen) };
  if (seen.size > MAX_BUNDLE_BYTES) return { kind: "large", bytes: seen.size };
  const file = await openRegular(path);
  if (file === undefined) return { kind: "nothing" };
  try {
    const opened = await file.stat();
    if (!opened.isFile()) {
      return { kind: "other", what: "no longer the file that it was a moment ago" };
    }
    const read = await readText(file);
    if (read === undefined) return { kind: "large", bytes: opened.size };
    return { kind: "file", ...read, uid: seen.uid === null ? null : opened.uid };
  } finally {
    await file.close();
  }
}

/** The file, undefined when it is gone, or lent to another program that does not let go of it. */
async function openRegular(path: string): Promise<FileHandle | undefined> {
  try {
    return await unlessMissing(open(path, READING));
  } catch (error) {
    const errno = errnoOf(error) ?? "";
    // A link or a socket took the file's place: the next look finds its kind.
    if (["EAGAIN", "EWOULDBLOCK", "ELOOP", "ENXIO"].includes(errno)) return undefined;
    throw error;
  }
}

async function readText(file: FileHandle) {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(READ_AT_ONCE);
  let text = "";
  for (let bytes = 0;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return { text: text + decoder.decode(), bytes };
    bytes += bytesRead;
    if (bytes > MAX_BUNDLE_BYTES) return undefined;
    text += decoder.decode(buffer.subarray(0, bytesRead), { stream: true });
  }
}

/**
 * Has a network share look at its folder anew: NFS asks its server when a folder is opened, but
 * may remember for half a minute that a name in it is missing.
 */
async function refreshFolder(folder: string): Promise<void> {
  const flags = READING | (constants.O_DIRECTORY ?? 0);
  const handle = await open(folder, flags).catch(() => undefined); // a hint is all that it is
  await handle?.close();
}

function kindOf(info: Deno.FileInfo): string {
  if (info.isSymlink) return "a symbolic link";
  if (info.isDirectory) return "a folder";
  if (info.isFifo) return "a named pipe (FIFO)";
  if (info.isSocket) return "a socket";
  return info.isBlockDevice || info.isCharDevice ? "a device" : "no regular file";
}
