/**
 * Starting the daemon's programs from source, with the flags they are built with.
 *
 * @module
 */
import { DAEMON, runtimeFlags } from "../build/programs.ts";

/** Starts `bolt-daemon` with arguments; its log comes line by line to `onLine`. */
export function startDaemon(
  args: readonly string[],
  onLine: (line: string) => void,
): RunningDaemon {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...runtimeFlags(DAEMON), DAEMON.entry.href, ...args],
    env: { DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  return new RunningDaemon(process, onLine);
}

/** A running daemon. Disposing it kills it, if it still runs. */
export class RunningDaemon implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  readonly #onLine: (line: string) => void;
  readonly #lines: string[] = [];
  #wake = Promise.withResolvers<void>();
  #ended = false;

  /** Reads the log of a started process. */
  constructor(process: Deno.ChildProcess, onLine: (line: string) => void) {
    this.#process = process;
    this.#onLine = onLine;
    this.#reading = this.#read();
  }

  /** Resolves when the log holds a line with `text`. */
  async said(text: string): Promise<void> {
    while (!this.#lines.some((line) => line.includes(text))) {
      if (this.#ended) throw new Error(`a daemon ended early:\n${this.#lines.join("\n")}`);
      await this.#wake.promise;
    }
  }

  /** Its exit code, when it has ended. */
  async code(): Promise<number> {
    await this.#reading;
    return (await this.#process.status).code;
  }

  /** Asks it to stop. */
  stop(): void {
    this.#process.kill("SIGTERM");
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#process.stderr.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        this.#lines.push(line);
        this.#onLine(line);
      }
      this.#wake.resolve();
      this.#wake = Promise.withResolvers<void>();
    }
    this.#ended = true;
    this.#wake.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.code();
  }
}
