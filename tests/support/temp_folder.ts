/**
 * A folder that ends with its test.
 *
 * @module
 */
import { join } from "./paths.ts";

/** A temporary folder; disposing it removes it. */
export class TempFolder implements AsyncDisposable {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Makes an empty one. */
  static async make(): Promise<TempFolder> {
    return new TempFolder(await Deno.makeTempDir({ prefix: "bolt-daemon-test-" }));
  }

  /** A path in it; the folder itself without names. */
  path(...names: string[]): string {
    return join(this.#path, ...names);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#path, { recursive: true });
  }
}
