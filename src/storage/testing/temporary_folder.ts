/**
 * A folder for one test.
 *
 * @module
 */
import { DataFolder } from "../data_folder.ts";
import { denoFileSystem, type FileSystem, joinPath } from "../file_system.ts";
import { FaultyFileSystem } from "./faulty_file_system.ts";

/** An empty folder (0700) that goes away with all it holds when disposed. */
export class TemporaryFolder implements AsyncDisposable {
  /** The folder. */
  readonly path: string;
  /** A file system to use in it. */
  readonly fs: FaultyFileSystem = new FaultyFileSystem(denoFileSystem);

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes one. */
  static async make(): Promise<TemporaryFolder> {
    return new TemporaryFolder(await Deno.realPath(await Deno.makeTempDir({ prefix: "store-" })));
  }

  /** The path of a name inside. */
  at(name: string): string {
    return joinPath(this.path, name);
  }

  /** Opens the data folder `data` inside, through `fs` or without faults. */
  dataFolder(fs: FileSystem = denoFileSystem): Promise<DataFolder> {
    return DataFolder.open(fs, { path: this.at("data") });
  }

  /** Removes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** The names in a folder, sorted. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

/** Puts another folder, with files of its own, in the place of one; gives what puts it back. */
export async function swapFolder(
  path: string,
  files: readonly string[] = [],
): Promise<() => Promise<void>> {
  await Deno.rename(path, `${path}.away`);
  await Deno.mkdir(path, { mode: 0o700 });
  for (const file of files) await Deno.writeTextFile(joinPath(path, file), "not ours");
  return async () => {
    await Deno.remove(path, { recursive: true });
    await Deno.rename(`${path}.away`, path);
  };
}
