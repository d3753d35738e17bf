/**
 * A machine of the documents: a shell in a clean folder, in which the blocks of a page are run as a
 * reader would paste them.
 *
 * @module
 */
import { abortable, Deadline } from "../../src/base/deadline.ts";
import type { Program } from "../support/program.ts";

/** How long a block may take, in milliseconds: nothing waits for it but a failure. */
const BLOCK_MS = 60_000;

/** Options of {@linkcode Machine}. */
export interface MachineOptions {
  /** Its name on the page. */
  readonly name: string;
  /** Its home, empty but for what a page may expect; blocks start in it. */
  readonly home: string;
  /** The environment, `HOME` left out. */
  readonly env: Readonly<Record<string, string>>;
  /** Its shell, such as one on a host of its own. @default {`sh`, here} */
  readonly shell?: Program;
}

/** Runs blocks one by one in its shell. Disposing it ends what it runs, and waits for that. */
export class Machine implements AsyncDisposable {
  readonly #options: MachineOptions;
  readonly #shell: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  #output = "";
  #changed = Promise.withResolvers<void>();
  #hasEnded = false;
  #blocks = 0;
  #isBusy = false;

  /** Starts its shell. */
  constructor(options: MachineOptions) {
    this.#options = options;
    const { command, args } = options.shell ?? { command: "sh", args: [] };
    this.#shell = new Deno.Command(command, {
      args: [...args, "-eu"],
      cwd: options.home,
      clearEnv: true,
      env: { ...options.env, HOME: options.home },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#stdin = this.#shell.stdin.getWriter();
    this.#reading = this.#read();
  }

  /** The folder that blocks start in. */
  get home(): string {
    return this.#options.home;
  }

  /** Prepares the shell: what is wrong is seen, and what was started ends with it. */
  async start(): Promise<void> {
    // Not `$(jobs -p)`: a subshell has no jobs.
    const end = 'jobs -p > "$HOME/.jobs"; kill $(cat "$HOME/.jobs") 2> /dev/null || true; wait';
    await this.#write(`exec 2>&1\ntrap '${end}' EXIT\n`);
  }

  /**
   * Runs a block. A daemon that it starts is waited for by the page itself.
   *
   * @returns What was printed meanwhile.
   * @throws {Error} When a command of it fails; the message holds what was printed.
   */
  async run(text: string): Promise<string> {
    const before = this.#output.length;
    const block = `.block-${++this.#blocks}`;
    await Deno.writeTextFile(`${this.home}/${block}`, text);
    const done = `@@ ${block} done`;
    this.#isBusy = true;
    await this.#write(`. "$HOME/${block}" </dev/null\nprintf '\\n%s\\n' '${done}'\n`);
    await this.#until(() => this.#output.includes(done), text);
    this.#isBusy = false;
    return this.#output.slice(before, this.#output.indexOf(done)).trim();
  }

  async #until(holds: () => boolean, text: string): Promise<void> {
    using deadline = new Deadline(BLOCK_MS, { what: "a block of a document to end" });
    while (!holds()) {
      if (this.#hasEnded) throw this.#failure(text, "failed");
      try {
        await abortable(this.#changed.promise, deadline.signal);
      } catch (error) {
        throw this.#failure(text, String(error));
      }
    }
  }

  #failure(text: string, how: string): Error {
    return new Error(`on ${this.#options.name}, ${how}:\n${text}\nprinted:\n${this.#output}`);
  }

  async #write(text: string): Promise<void> {
    // A shell that has ended takes nothing: whoever waits for it sees that.
    await this.#stdin.write(new TextEncoder().encode(text)).catch(() => {});
  }

  async #read(): Promise<void> {
    for await (const text of this.#shell.stdout.pipeThrough(new TextDecoderStream())) {
      this.#output += text;
      this.#tell();
    }
    this.#hasEnded = true;
    this.#tell();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A command that still runs (another machine's block has failed) would keep the shell.
    for (const pid of await descendantsOf(this.#shell.pid)) endProcess(pid);
    await this.#stdin.close().catch(() => {});
    // A block that has failed may be a loop that waits for ever.
    if (this.#isBusy) endProcess(this.#shell.pid);
    await this.#shell.status;
    await this.#reading;
  }
}

/** The processes that a process has started, and those that these have. */
async function descendantsOf(ancestor: number): Promise<number[]> {
  const { stdout } = await new Deno.Command("ps", { args: ["-A", "-o", "pid=,ppid="] }).output();
  const pairs = new TextDecoder().decode(stdout).trim().split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const childrenOf = (parent: number): number[] =>
    pairs.flatMap(([pid = 0, ppid]) => ppid === parent ? [pid, ...childrenOf(pid)] : []);
  return childrenOf(ancestor);
}

function endProcess(pid: number): void {
  try {
    Deno.kill(pid, "SIGTERM");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // it has ended by itself
  }
}
