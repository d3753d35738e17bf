/**
 * Network shares that are gone, and systems without file events. They need Linux, and mostly root;
 * tests skip, and say so, where these are not.
 *
 * @module
 */
import type { Program } from "./program.ts";

async function sh(script: string, ...args: string[]): Promise<boolean> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  const command = new Deno.Command("sh", {
    args: ["-c", script, "sh", ...args],
    stdout: "null",
    stderr: "null",
  });
  return (await command.output().catch(() => ({ success: false }))).success;
}

/**
 * A folder that never answers, as a network share whose server is gone; undefined where it can't be
 * made. Disposing it takes it off again.
 */
export class DeadShare implements AsyncDisposable {
  readonly #path: string;
  readonly #server: Deno.ChildProcess;

  private constructor(path: string, server: Deno.ChildProcess) {
    this.#path = path;
    this.#server = server;
  }

  /** Mounts one on a folder that is there. */
  static async mount(path: string): Promise<DeadShare | undefined> {
    if (Deno.build.os !== "linux" || Deno.uid() !== 0) return undefined;
    // It holds the requests' end and reads none.
    const script = 'exec 3<>/dev/fuse && mount -i -t fuse -o "$2" dead "$1" && echo up && exec cat';
    const options = "fd=3,rootmode=40000,user_id=0,group_id=0";
    const server = new Deno.Command("sh", {
      args: ["-c", script, "sh", path, options],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const share = new DeadShare(path, server);
    const reader = server.stdout.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    if (value !== undefined) return share;
    await share.#end();
    return undefined;
  }

  async #end(): Promise<void> {
    await this.#server.stdin.close().catch(() => {}); // it may have ended
    await this.#server.stdout.cancel();
    await this.#server.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    await sh('umount -l "$1"', this.#path);
  }
}

/**
 * A folder seen a second time, where nothing can be written, as a network share of which we only
 * read; undefined where it can't be had. Disposing it takes it off again.
 */
export class ReadOnlyShare implements AsyncDisposable {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Shows `folder` at `path`, a folder that is there. */
  static async mount(folder: string, path: string): Promise<ReadOnlyShare | undefined> {
    if (!await sh('mount --bind "$1" "$2"', folder, path)) return undefined;
    await using stack = new AsyncDisposableStack();
    const share = stack.use(new ReadOnlyShare(path));
    if (!await sh('mount -o remount,ro,bind "$1"', path)) return undefined;
    stack.move();
    return share;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await sh('umount -l "$1"', this.#path);
  }
}

/** The program where it can have no file events; undefined where that can't be had. */
export async function withoutFileEvents(program: Program): Promise<Program | undefined> {
  const script = 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"';
  const wrap = (...command: readonly string[]) => [
    ...["--user", "--map-root-user", "sh", "-c", script, "sh"],
    ...command,
  ];
  if (!await sh('exec unshare "$@"', ...wrap("true"))) return undefined;
  return { ...program, command: "unshare", args: wrap(program.command, ...program.args) };
}
