/**
 * Running the real program as an operator would: as a process, reading its exit code and stderr.
 *
 * @module
 */
import {
  DAEMON_PERMISSIONS,
  DAEMON_V8_FLAGS,
  RUNTIME_ENVIRONMENT,
} from "../../scripts/build/permissions.ts";
import { fromFileUrl } from "./paths.ts";

const MAIN = fromFileUrl(new URL("../../src/main.ts", import.meta.url));
const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

/** Longest wait for a line of the log: beyond any start on a machine with much to do. */
const SAID_MS = 60_000;

/** How the program under test is started; the packed file takes the place of `deno run`. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The daemon from source, with exactly the documented flags. */
export const DAEMON: Program = {
  command: Deno.execPath(),
  args: [
    ...["run", "--quiet", "--frozen", `--config=${CONFIG}`],
    ...DAEMON_PERMISSIONS,
    DAEMON_V8_FLAGS,
    MAIN,
  ],
  env: RUNTIME_ENVIRONMENT,
};

/** How a run ended. */
export interface Outcome {
  /** The exit code; a run that a signal killed has 128 + its number. */
  readonly code: number;
  readonly stderr: string;
  readonly stdout: string;
}

/** A started program. Disposing it kills it, if it still runs, and waits for its end. */
export class Run implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #stdout: Promise<string>;
  readonly #reading: Promise<void>;
  readonly #ended: Promise<Deno.CommandStatus>;
  readonly #waiting = new Set<{ holds: () => boolean; found: () => void }>();
  readonly #line = Promise.withResolvers<string>();
  #stderr = "";
  #printed = "";

  constructor(program: Program, args: readonly string[]) {
    this.#process = new Deno.Command(program.command, {
      args: [...program.args, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      ...(program.env === undefined ? {} : { env: program.env }),
    }).spawn();
    this.#ended = this.#process.status;
    this.#stdout = this.#readStdout();
    this.#reading = this.#readStderr();
  }

  /** The process's id. */
  get pid(): number {
    return this.#process.pid;
  }

  /** What stderr has said so far. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves when stderr holds `text`; rejects when the program ends without, or is silent too long. */
  said(text: string): Promise<void> {
    return this.#until(text, () => this.#stderr.includes(text));
  }

  /** The same of stdout. */
  printed(text: string): Promise<void> {
    return this.#until(text, () => this.#printed.includes(text));
  }

  async #until(text: string, holds: () => boolean): Promise<void> {
    if (holds()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wait = { holds, found: resolve };
    const tooLong = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const what = `the program has not said ${JSON.stringify(text)} in ${SAID_MS} ms`;
      tooLong.reject(new Error(`${what}:\n${this.#printed}${this.#stderr}`));
    }, SAID_MS);
    this.#waiting.add(wait);
    try {
      await Promise.race([promise, Promise.all([this.#reading, this.#stdout]), tooLong.promise]);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(wait);
    }
    if (holds()) return;
    throw new Error(
      `the program ended without saying ${JSON.stringify(text)}:\n${this.#printed}${this.#stderr}`,
    );
  }

  /** The first line of stdout, with its line feed; what there is when the program ends before. */
  line(): Promise<string> {
    return this.#line.promise;
  }

  /** Writes to the program's stdin and closes it. */
  async input(text: string): Promise<void> {
    const writer = this.#process.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  }

  /** Sends a signal. */
  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** Waits for the end. */
  async outcome(): Promise<Outcome> {
    const [{ code }, stdout] = await Promise.all([this.#ended, this.#stdout, this.#reading]);
    return { code, stdout, stderr: this.#stderr };
  }

  async #readStdout(): Promise<string> {
    let all = "";
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      all += text;
      this.#printed = all;
      this.#tell();
      const end = all.indexOf("\n");
      if (end >= 0) this.#line.resolve(all.slice(0, end + 1));
    }
    this.#line.resolve(all);
    return all;
  }

  async #readStderr(): Promise<void> {
    for await (const text of this.#process.stderr.pipeThrough(new TextDecoderStream())) {
      this.#stderr += text;
      this.#tell();
    }
  }

  #tell(): void {
    for (const wait of this.#waiting) if (wait.holds()) wait.found();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.outcome();
    await this.#process.stdin.close().catch(() => {}); // closed by input() or by the end
  }
}

/** Runs to the end. */
export async function run(program: Program, args: readonly string[]): Promise<Outcome> {
  await using process = new Run(program, args);
  return await process.outcome();
}
