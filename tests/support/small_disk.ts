/**
 * Disks that a test can fill: file systems in memory, mounted where the test wants them. They need
 * Linux and root; tests skip where these are not.
 *
 * @module
 */
import { join } from "./paths.ts";
import { TempFolder } from "./temp_folder.ts";

/** Bytes that are written at once to fill a disk. */
const BLOCK_BYTES = 1024 * 1024;

/** A file system of some MB that ends with its test. */
export class SmallDisk implements AsyncDisposable {
  /** Where it is. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Mounts an empty one in a folder that it makes.
   *
   * @throws {Error} Where nothing can be mounted.
   */
  static async mount(path: string, mebibytes: number): Promise<SmallDisk> {
    await Deno.mkdir(path, { mode: 0o700 });
    const args = ["-t", "tmpfs", "-o", `size=${mebibytes}m,mode=0700`, "none", path];
    const { success } = await new Deno.Command("mount", { args, stderr: "null" }).output();
    if (!success) throw new Error("no file system can be mounted here");
    return new SmallDisk(path);
  }

  /** Whether this machine lets a test mount one. */
  static async canMount(): Promise<boolean> {
    if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
    await using folder = await TempFolder.make();
    try {
      await using _disk = await SmallDisk.mount(folder.path("disk"), 1);
      return true;
    } catch {
      return false;
    }
  }

  /** Takes all that is left, as another program would. Disposing it frees that. */
  async fill(): Promise<Disposable> {
    const path = join(this.path, `filler-${crypto.randomUUID()}`);
    using file = await Deno.open(path, { write: true, createNew: true });
    for (let bytes = BLOCK_BYTES; bytes >= 1;) {
      try {
        await file.write(new Uint8Array(bytes));
      } catch {
        bytes = Math.floor(bytes / 4); // less may still fit
      }
    }
    return { [Symbol.dispose]: () => Deno.removeSync(path) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Deno.Command("umount", { args: ["--lazy", this.path] }).output();
  }
}
