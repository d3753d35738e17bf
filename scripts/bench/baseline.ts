/**
 * The commit that progress is measured against, started from its own source.
 *
 * @module
 */
import { pathToFileURL as toFileUrl } from "node:url";
import { fromFileUrl, join } from "../../tests/support/paths.ts";
import { TempFolder } from "../../tests/support/temp_folder.ts";
import type { Daemons } from "./daemon_pair.ts";

/** The commit. */
export const BASELINE = "022328f";

const REPOSITORY = fromFileUrl(new URL("../../", import.meta.url));

/** A working tree of {@linkcode BASELINE}. Disposing it removes it. */
export class Baseline implements AsyncDisposable {
  /** Its daemons: started with the flags that it documents, and spoken to by its own client. */
  readonly daemons: Daemons;
  readonly #tree: string;
  readonly #folder: TempFolder;

  private constructor(daemons: Daemons, tree: string, folder: TempFolder) {
    this.daemons = daemons;
    this.#tree = tree;
    this.#folder = folder;
  }

  /** Checks it out; undefined where the history does not have it, as in a shallow clone. */
  static async checkOut(): Promise<Baseline | undefined> {
    if (!await git("cat-file", "-e", `${BASELINE}^{commit}`)) return undefined;
    const folder = await TempFolder.make();
    const tree = folder.path("tree");
    if (!await git("worktree", "add", "--detach", tree, BASELINE)) {
      await folder[Symbol.asyncDispose]();
      throw new Error(`git can't check out ${BASELINE}`);
    }
    const support = await import(toFileUrl(join(tree, "tests/support/daemon.ts")).href);
    return new Baseline({ support, acceptAll }, tree, folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await git("worktree", "remove", "--force", this.#tree);
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** Its client takes the setting as it is, where that of today takes it as a member. */
interface BaselineClient {
  setAutoAccept(identity: string, enabled: boolean): Promise<unknown>;
}

const acceptAll: Daemons["acceptAll"] = ({ client }, identity) =>
  (client as unknown as BaselineClient).setAutoAccept(identity, true);

async function git(...args: string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("git", {
      args,
      cwd: REPOSITORY,
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
