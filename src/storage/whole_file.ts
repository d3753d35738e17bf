/**
 * Reads and writes that go on until all is done: the system may do less than it was asked.
 *
 * @module
 */
import { StorageError } from "../base/errors.ts";
import type { OpenFile } from "./file_system.ts";

/**
 * Writes all of `bytes` at the file's position, however short each write is.
 *
 * @throws {StorageError} `IO_FAILED` when a write takes nothing; else the platform's error.
 */
export async function writeFully(file: OpenFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const count = await file.write(bytes.subarray(done));
    if (count <= 0) {
      throw new StorageError("IO_FAILED", "the disk accepted no byte of a write; check the disk");
    }
    done += count;
  }
}

/** Reads until `into` is full or the file ends; the count. */
export async function readFully(file: Pick<OpenFile, "read">, into: Uint8Array): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const count = await file.read(into.subarray(done));
    if (count === null) break;
    done += count;
  }
  return done;
}

/**
 * The rest of a file that is at most `limit` bytes long.
 *
 * @returns The bytes, or undefined when there are more.
 */
export async function readBounded(file: OpenFile, limit: number): Promise<Uint8Array | undefined> {
  const { size } = await file.status();
  if (size > limit) return undefined;
  // One byte more than expected shows a file that grew meanwhile.
  const buffer = new Uint8Array(size + 1);
  const count = await readFully(file, buffer);
  return count > size ? undefined : buffer.subarray(0, count);
}
