/**
 * The daemon as it lies on a user's disk once it is unpacked, without the runtime beside it.
 *
 * @module
 */
import { BUNDLE_ENTRY, bundleProgram, deferImports } from "../../scripts/build/bundle.ts";
import { SEALED } from "../../scripts/build/launcher.ts";
import { RUNTIME_ENVIRONMENT } from "../../scripts/build/permissions.ts";
import { DAEMON, DOWNLOAD, runtimeFlags } from "../../scripts/build/programs.ts";
import type { Program } from "./program.ts";
import { TempFolder } from "./temp_folder.ts";

/** A bundle in a folder of its own. Disposing of it removes the folder. */
export class UnpackedBundle implements AsyncDisposable {
  readonly #folder: TempFolder;
  readonly #flags: readonly string[];
  #caches = 0;

  private constructor(folder: TempFolder, flags: readonly string[]) {
    this.#folder = folder;
    this.#flags = flags;
  }

  /** Bundles the daemon. */
  static async make(): Promise<UnpackedBundle> {
    const folder = await TempFolder.make();
    for (const [name, text] of deferImports(await bundleProgram(DOWNLOAD))) {
      await Deno.writeTextFile(folder.path(name), text);
    }
    return new UnpackedBundle(folder, ["run", ...SEALED, ...runtimeFlags(DAEMON)]);
  }

  /**
   * How it is started, with the flags of the launcher.
   *
   * @param cache `kept`: what the runtime kept of starts before is there; `fresh`: nothing is.
   */
  async program(cache: "fresh" | "kept"): Promise<Program> {
    const cacheFolder = this.#folder.path(cache === "kept" ? "kept" : `fresh-${++this.#caches}`);
    await Deno.mkdir(cacheFolder, { recursive: true });
    return {
      command: Deno.execPath(),
      args: [...this.#flags, this.#folder.path(BUNDLE_ENTRY)],
      env: { ...RUNTIME_ENVIRONMENT, DENO_DIR: cacheFolder },
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#folder[Symbol.asyncDispose]();
  }
}
