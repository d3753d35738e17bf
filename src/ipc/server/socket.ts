/**
 * The Unix socket's place in the file system: a private folder, one owner at a time, nothing of
 * another program removed.
 *
 * @module
 */
import { basename, dirname } from "node:path";
import { DaemonError, messageOf } from "../../base/errors.ts";
import { unlessMissing } from "../../base/system_error.ts";
import { IpcError } from "../api/problem.ts";
import { listenAt, type Listener, whyNot } from "./listener.ts";

/** Longest path of a Unix socket, in bytes: `sun_path` less its NUL, of macOS (Linux has 107). */
const MAX_PATH_BYTES = 103;

/** Options of {@linkcode claimSocket}. */
export interface ClaimOptions {
  /**
   * Says who listens on a socket that took a connection, e.g. "bolt-daemon 1.0.0 (pid 7)".
   * Bounded in time by whoever gives it.
   */
  readonly describeOwner: (path: string) => Promise<string>;
  /** The platform. @default {Deno.build.os} */
  readonly os?: typeof Deno.build.os;
}

/**
 * Makes a path free to listen on: its folder exists and is private, no one else has claimed it,
 * and a socket that a dead program left there is gone.
 *
 * Needs read and write on the folder and `--allow-net=unix:PATH`.
 *
 * @throws {IpcError} UNSUPPORTED_PLATFORM, SOCKET_PATH, SOCKET_FOLDER, SOCKET_IN_USE: what is
 * wrong and what to do.
 */
export async function claimSocket(path: string, options: ClaimOptions): Promise<Listener> {
  checkPath(path, options.os ?? Deno.build.os);
  const folder = dirname(path);
  const lockPath = `${path}.lock`;
  const lock = await inFolder(folder, async () => {
    await makePrivateFolder(folder);
    return await openLock(lockPath);
  });
  try {
    if (!await lock.tryLock(true)) {
      throw inUse(path, `another bolt-daemon holds ${lockPath}`);
    }
    await removeStale(path, options.describeOwner);
  } catch (error) {
    lock.close();
    throw error;
  }
  return {
    async bind(server) {
      try {
        await listenAt(server, { path }, `unix:${path}`);
      } catch (cause) {
        throw new IpcError(
          "SOCKET_PATH",
          `Can't listen at ${path}: ${
            whyNot(cause, `unix:${path}`)
          }; or choose another socket path`,
          { cause },
        );
      }
      return { kind: "unix", path };
    },
    // It is born open to others; its folder is not.
    announce: () => inFolder(folder, () => Deno.chmod(path, 0o600)),
    async [Symbol.asyncDispose]() {
      try {
        // The server has removed its socket, unless it never came to listen or failed.
        if ((await unlessMissing(Deno.lstat(path)))?.isSocket) await Deno.remove(path);
      } finally {
        lock.close();
      }
    },
  };
}

function checkPath(path: string, os: typeof Deno.build.os): void {
  if (os === "windows") {
    throw new IpcError(
      "UNSUPPORTED_PLATFORM",
      "The local API can't be a Unix socket on Windows: serve it with --local-api tcp, the " +
        "default there, and leave --socket-path out",
    );
  }
  const bytes = new TextEncoder().encode(path).length;
  if (!path.startsWith("/") || path.includes("\0") || basename(path) === "") {
    throw new IpcError("SOCKET_PATH", `The socket path must be absolute, not ${path}`);
  }
  if (bytes > MAX_PATH_BYTES) {
    throw new IpcError(
      "SOCKET_PATH",
      `The socket path has ${bytes} bytes and may have ${MAX_PATH_BYTES}: ${path}; choose a ` +
        `shorter one`,
    );
  }
}

/** The outcome of `work`; what the system refuses there becomes an error of ours. */
async function inFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DaemonError) throw error;
    throw new IpcError(
      "SOCKET_FOLDER",
      `The socket's folder ${folder} can't be used: ${messageOf(error)}; choose a folder of your ` +
        `own for the socket`,
      { cause: error },
    );
  }
}

async function makePrivateFolder(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 }).catch((error) => {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error; // what it is, is found out below
  });
  const { isDirectory, mode } = await Deno.lstat(folder);
  if (!isDirectory) {
    throw new IpcError("SOCKET_FOLDER", `${folder} is not a folder (a link is not followed)`);
  }
  if (((mode ?? 0) & 0o077) !== 0) {
    throw new IpcError(
      "SOCKET_FOLDER",
      `${folder} is open to other users (mode ${((mode ?? 0) & 0o777).toString(8)}); run ` +
        `chmod 700 ${folder}, or choose a folder of your own for the socket`,
    );
  }
}

async function openLock(path: string): Promise<Deno.FsFile> {
  if ((await unlessMissing(Deno.lstat(path)))?.isSymlink) {
    throw new IpcError("SOCKET_FOLDER", `${path} is a link; remove it`);
  }
  return await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
}

async function removeStale(
  path: string,
  describeOwner: ClaimOptions["describeOwner"],
): Promise<void> {
  const present = await unlessMissing(Deno.lstat(path));
  if (present === undefined) return;
  if (!present.isSocket) {
    throw new IpcError(
      "SOCKET_PATH",
      `${path} exists and is not a socket; remove it or choose another path`,
    );
  }
  try {
    using _probe = await Deno.connect({ transport: "unix", path });
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return await Deno.remove(path);
    if (error instanceof Deno.errors.NotFound) return;
    throw inUse(path, "it can't be probed", error);
  }
  throw inUse(path, `${await describeOwner(path)} listens there`);
}

function inUse(path: string, why: string, cause?: unknown): IpcError {
  return new IpcError(
    "SOCKET_IN_USE",
    `The socket ${path} is in use: ${why}; stop it or choose another socket path`,
    { cause },
  );
}
