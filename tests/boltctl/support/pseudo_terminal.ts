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

  /**
   * Starts it on a terminal of so many columns; with `rows`, what the terminal is called, how it is
   * set before and after, and the program's process id are shown too.
   */
  constructor(program: Program, args: readonly string[], columns: number, rows?: number) {
    const line = [program.command, ...program.args, ...args].map(quoted).join(" ");
    const whole = `tty; stty cols ${columns} rows ${rows}; stty -g; ` +
      `sh -c 'echo "pid $$"; exec "$@"' sh ${line}; code=$?; stty -g; exit $code`;
    const command = rows === undefined ? `stty cols ${columns}; exec ${line}` : whole;
    this.#process = new Deno.Command("script", {
      // --return: the exit code is the program's.
      args: ["--quiet", "--return", "--command", command, "/dev/null"],
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
    await this.meets(`showing ${text}`, (screen) => screen.split(text).length > times);
  }

  /**
   * Makes the terminal another size, as a window that is dragged does; the kernel tells the program.
   */
  async resize(columns: number, rows: number): Promise<void> {
    const name = /^(\/dev\/\S+)/m.exec(this.#screen)?.[1] ?? "";
    const size = ["cols", `${columns}`, "rows", `${rows}`];
    await new Deno.Command("stty", { args: ["-F", name, ...size] }).output();
  }

  /** How the terminal was set before and, once the program has ended, after it: as by `stty -g`. */
  get settings(): readonly string[] {
    return this.#screen.match(/(?:[0-9a-f]+:){10,}[0-9a-f]+/g) ?? [];
  }

  /** Sends the program a signal. */
  signal(name: Deno.Signal): void {
    Deno.kill(Number(/^pid (\d+)/m.exec(this.#screen)?.[1]), name);
  }

  /** Resolves when what came out meets a condition; rejects when the program ends without. */
  async meets(what: string, condition: (screen: string) => boolean): Promise<void> {
    const holds = () => condition(this.#screen);
    if (!holds()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add({ holds, found: resolve });
      await Promise.race([promise, this.#reading]);
    }
    if (!holds()) throw new Error(`the program ended without ${what}:\n${this.#screen}`);
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
