/**
 * A program on a pseudo terminal, by `script` of util-linux. Where it isn't there, tests skip, and
 * say so.
 *
 * @module
 */
import type { Program } from "../../support/program.ts";

/** Whether this machine has what is needed. */
export async function hasPseudoTerminal(): Promise<boolean> {
  try {
    const { stdout } = await new Deno.Command("script", { args: ["--version"] }).output();
    const stty = await new Deno.Command("stty", { args: ["--version"] }).output();
    return stty.success && new TextDecoder().decode(stdout).includes("util-linux");
  } catch {
    return false;
  }
}

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

/** A program on a pseudo terminal. Disposing it kills it. */
export class OnTerminal implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #keyboard: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  readonly #waiting = new Set<{ holds: () => boolean; found: () => void }>();
  #screen = "";

  /** Starts it on a terminal of so many columns. */
  constructor(program: Program, args: readonly string[], columns: number) {
    const line = [program.command, ...program.args, ...args].map(quoted).join(" ");
    this.#process = new Deno.Command("script", {
      // --return: the exit code is the program's.
      args: ["--quiet", "--return", "--command", `stty cols ${columns}; exec ${line}`, "/dev/null"],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      env: { ...program.env, SHELL: "/bin/sh" },
    }).spawn();
    this.#keyboard = this.#process.stdin.getWriter();
    this.#reading = this.#read();
  }

  /** Everything that came out, escapes too. */
  get screen(): string {
    return this.#screen;
  }

  /** Resolves when `text` came out; rejects when the program ends without. */
  async shows(text: string): Promise<void> {
    await this.showsTimes(text, 1);
  }

  /** The same for a text that comes so many times. */
  async showsTimes(text: string, times: number): Promise<void> {
    const holds = () => this.#screen.split(text).length > times;
    if (!holds()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add({ holds, found: resolve });
      await Promise.race([promise, this.#reading]);
    }
    if (holds()) return;
    throw new Error(`the program ended without showing ${text}:\n${this.#screen}`);
  }

  /** Types. */
  async type(text: string): Promise<void> {
    await this.#keyboard.write(new TextEncoder().encode(text));
  }

  /** Waits for the end; the exit code. */
  async ended(): Promise<number> {
    const [{ code }] = await Promise.all([this.#process.status, this.#reading]);
    return code;
  }

  async #read(): Promise<void> {
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      this.#screen += text;
      for (const wait of this.#waiting) if (wait.holds()) wait.found();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.ended();
    await this.#keyboard.close().catch(() => {}); // gone with the process
  }
}
