/**
 * What tests do to the paths between daemons in memory, and to the folders of those that crash.
 *
 * @module
 */
import { byteLength } from "../../src/transport/receive_buffer.ts";
import type { MemoryPair } from "../../src/transport/testing/memory_channel.ts";
import type { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { join } from "./paths.ts";

/** The path that was made last. */
export function lastPath({ paths }: MemoryNetwork): MemoryPair {
  const path = paths.at(-1);
  if (path === undefined) throw new Error("there is no path");
  return path;
}

/** Stops a path when so many bytes of its offerer's went over it. */
export function stallAfter(path: MemoryPair, bytes: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = bytes;
  const send = path.offerer.send.bind(path.offerer);
  path.offerer.send = (message, options) => {
    const sent = send(message, options);
    left -= byteLength(message);
    if (left <= 0) {
      path.offerer.send = send;
      path.stall();
      resolve();
    }
    return sent;
  };
  return promise;
}

/** What the answerer says after its next message does not arrive. */
export function muteAfterOneMessage({ answerer }: MemoryPair): void {
  const send = answerer.send.bind(answerer);
  let isMute = false;
  answerer.send = (message, options) => {
    if (isMute) return Promise.resolve();
    isMute = true;
    return send(message, options);
  };
}

/** A folder as a crash at this moment would leave it. */
export async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { mode: 0o700 });
  for await (const { name, isDirectory, isFile } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(join(from, name), join(to, name));
    else if (isFile) await Deno.copyFile(join(from, name), join(to, name));
  }
}
