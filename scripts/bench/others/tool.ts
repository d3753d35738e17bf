/**
 * A program of others that carries a file, so that it can be compared with ours.
 *
 * @module
 */
import type { FileSet } from "../daemon_pair.ts";
import type { Figures } from "../statistics.ts";
import type { Took } from "./programs.ts";

/** A tool. */
export interface Tool {
  readonly name: string;
  /** The programs that it takes. */
  readonly programs: readonly string[];
  /** Carries the one file of a set, on loopback alone, with servers of its own. */
  carry(files: FileSet, signal: AbortSignal): Promise<Figures>;
}

/** What a run took: the file's bytes in so many seconds, with that CPU and that peak of memory. */
export function figuresOf(bytes: number, took: Took): Figures {
  return new Map([
    ["MB/s", bytes / 1e6 / took.seconds],
    ["CPU", 1000 * took.cpuSeconds / (bytes / 2 ** 20)],
    ["peak", took.peakMib],
  ]);
}

/** The path and the name of the one file. */
export function onlyFile({ folder, hashes }: FileSet): { path: string; name: string } {
  const [name] = hashes.keys();
  if (name === undefined || hashes.size > 1) throw new Error("it takes one file");
  return { path: `${folder}/${name}`, name };
}
