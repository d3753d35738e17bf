/**
 * What the doctor asks this machine, apart from the checks, so that tests can be any machine.
 *
 * @module
 */
import { statfs } from "node:fs/promises";
import { Deadline } from "../../base/deadline.ts";
import { messageOf } from "../../base/errors.ts";
import { unlessMissing } from "../../base/system_error.ts";
import { RendezvousSocket } from "../../signaling/rendezvous/rendezvous_socket.ts";

/** What is at a path. */
export interface PathFacts {
  /** What it is; a link is not followed. */
  readonly kind: "file" | "folder" | "socket" | "link" | "other";
  /** Permission bits; null where there are none (Windows). */
  readonly mode: number | null;
  /** Length in bytes, from 0 up. */
  readonly size: number;
  /** When it was last changed; null when the file system does not know. */
  readonly changed: Date | null;
}

/** What an attempt came to: `ok`, or why it failed. */
export type Attempt<T> = { readonly ok: T } | { readonly failed: string };

/** The machine. */
export interface Machine {
  /** The clock, milliseconds since 1970. */
  now(): number;
  /** Whether boltctl may do it. */
  may(permission: Deno.PermissionDescriptor): Promise<boolean>;
  /** What is at a path; undefined when nothing is there. */
  look(path: string): Promise<Attempt<PathFacts | undefined>>;
  /** Bytes that are free where a path is. */
  freeBytes(path: string): Promise<Attempt<number>>;
  /** The machine's addresses. */
  addresses(): Attempt<readonly string[]>;
  /** Connects to a rendezvous server as the daemon does, and leaves again. */
  reach(url: string, ms: number, signal: AbortSignal): Promise<Attempt<void>>;
}

/** This machine. */
export const THIS_MACHINE: Machine = {
  now: () => Date.now(),
  may: async (permission) => (await Deno.permissions.query(permission)).state === "granted",
  look: (path) =>
    attempt(async () => {
      const found = await unlessMissing(Deno.lstat(path));
      return found && factsOf(found);
    }),
  freeBytes: (path) =>
    attempt(async () => {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    }),
  addresses() {
    try {
      return { ok: Deno.networkInterfaces().map(({ address }) => address) };
    } catch (error) {
      return { failed: messageOf(error) };
    }
  },
  reach: (url, ms, signal) =>
    attempt(async () => {
      using deadline = new Deadline(ms, { parent: signal, what: "the rendezvous server" });
      await using _socket = await RendezvousSocket.open(url, deadline.signal);
    }, signal),
};

async function attempt<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<Attempt<T>> {
  try {
    return { ok: await work() };
  } catch (error) {
    signal?.throwIfAborted();
    return { failed: messageOf(error) };
  }
}

function factsOf(info: Deno.FileInfo): PathFacts {
  const kind = info.isSymlink
    ? "link"
    : info.isFile
    ? "file"
    : info.isDirectory
    ? "folder"
    : info.isSocket
    ? "socket"
    : "other";
  const mode = info.mode === null || Deno.build.os === "windows" ? null : info.mode & 0o777;
  return { kind, mode, size: info.size, changed: info.mtime };
}
