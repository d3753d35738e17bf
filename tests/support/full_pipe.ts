/**
 * A named pipe that is full before a program starts, as that of a supervisor which stopped reading.
 *
 * @module
 */
import type { Program } from "./program.ts";
import type { TempFolder } from "./temp_folder.ts";

/** More than any pipe holds. */
const FILLER = new Uint8Array(2 * 1024 * 1024);

/** A full pipe. Disposing it lets whoever writes to it end. */
export class FullPipe implements AsyncDisposable {
  readonly #path: string;
  readonly #own: Deno.FsFile;
  readonly #filling: Promise<void>;
  #reading: Promise<string> | undefined;

  private constructor(path: string, own: Deno.FsFile) {
    this.#path = path;
    this.#own = own;
    this.#filling = this.#fill();
  }

  /** Makes one in a folder, and fills it. */
  static async make(folder: TempFolder): Promise<FullPipe> {
    const path = folder.path(crypto.randomUUID());
    await new Deno.Command("mkfifo", { args: [path] }).output();
    // For reading too: an open that waits for no one.
    return new FullPipe(path, await Deno.open(path, { read: true, write: true }));
  }

  /** A program with this pipe as its stderr. */
  asStderrOf(program: Program): Program {
    return this.#redirected(program, 2);
  }

  /** A program with this pipe as its stdout. */
  asStdoutOf(program: Program): Program {
    return this.#redirected(program, 1);
  }

  #redirected({ command, args, env }: Program, descriptor: 1 | 2): Program {
    const script = `pipe=$1; shift; exec "$@" ${descriptor}>"$pipe"`;
    return {
      command: "/bin/sh",
      args: ["-c", script, "sh", this.#path, command, ...args],
      ...(env === undefined ? {} : { env }),
    };
  }

  /** Reads to the end: all that programs wrote, without the filler. They end, or this does not. */
  read(): Promise<string> {
    // Once: with the last writer gone, another open would wait for ever.
    return this.#reading ??= this.#read();
  }

  async #read(): Promise<string> {
    const reader = await Deno.open(this.#path);
    const text = new Response(reader.readable).text();
    await this.#filling;
    return (await text).replaceAll("\0", "");
  }

  async #fill(): Promise<void> {
    for (let sent = 0; sent < FILLER.length;) sent += await this.#own.write(FILLER.subarray(sent));
    this.#own.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.read();
  }
}
