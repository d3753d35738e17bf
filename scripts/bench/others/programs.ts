/**
 * Programs of others, run on loopback.
 *
 * @module
 */
import { abortable } from "../../../src/base/deadline.ts";
import { cpuOfTreeSeconds, PeakWatch, reapedSeconds } from "./process_tree.ts";

/** What a program is started with. */
export interface Settings {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** What is typed at its start. */
  readonly input?: string;
}

/** Whether a program can be run here. */
export async function isInstalled(program: string): Promise<boolean> {
  try {
    const look = new Deno.Command("sh", { args: ["-c", `command -v "$1"`, "sh", program] });
    return (await look.output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A program that runs. Disposing it ends it, if it still runs, and waits for its end. */
export class Program implements AsyncDisposable {
  readonly #name: string;
  readonly #process: Deno.ChildProcess;
  readonly #output: Promise<Deno.CommandOutput>;
  readonly #typed: Promise<void> = Promise.resolve();

  constructor(name: string, args: readonly string[], { input, ...settings }: Settings = {}) {
    this.#name = name;
    this.#process = new Deno.Command(name, {
      args: [...args],
      stdin: input === undefined ? "null" : "piped",
      stdout: "null",
      stderr: "piped",
      ...settings,
    }).spawn();
    this.#output = this.#process.output();
    if (input !== undefined) this.#typed = type(this.#process, input);
  }

  /** The process's id. */
  get pid(): number {
    return this.#process.pid;
  }

  /**
   * Waits for its end.
   *
   * @throws {Error} When it fails, or ends no sooner than the signal.
   */
  async finished(signal: AbortSignal): Promise<void> {
    const { success, code, stderr } = await abortable(this.#output, signal);
    if (success) return;
    throw new Error(`${this.#name} ended with ${code}: ${new TextDecoder().decode(stderr).trim()}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await this.#output;
    await this.#typed;
  }
}

async function type({ stdin }: Deno.ChildProcess, text: string): Promise<void> {
  const bytes = new Blob([text]).stream();
  await bytes.pipeTo(stdin).catch(() => {}); // it may end without having read it
}

/** Runs a program to its end. */
export async function runProgram(
  name: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await using program = new Program(name, args);
  await program.finished(signal);
}

/** What a run took. */
export interface Took {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Of the largest process. */
  readonly peakMib: number;
}

/**
 * Measures programs from their start until all have ended.
 *
 * @param servers Processes that serve them, whose CPU and memory count too.
 */
export async function measureEnding(
  signal: AbortSignal,
  start: () => readonly Program[],
  servers: readonly number[] = [],
): Promise<Took> {
  const cpuOf = async () => {
    const all = await Promise.all([reapedSeconds(), ...servers.map(cpuOfTreeSeconds)]);
    return all.reduce((sum, seconds) => sum + seconds, 0);
  };
  const before = await cpuOf();
  await using owned = new AsyncDisposableStack();
  const began = performance.now();
  const programs = start().map((program) => owned.use(program));
  const watch = owned.use(new PeakWatch([...servers, ...programs.map(({ pid }) => pid)]));
  await Promise.all(programs.map((program) => program.finished(signal)));
  const seconds = (performance.now() - began) / 1000;
  return { seconds, cpuSeconds: await cpuOf() - before, peakMib: watch.mib };
}

/** A TCP port of loopback that nobody uses now. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Resolves when a port of loopback takes connections. */
export async function listening(port: number, signal: AbortSignal): Promise<void> {
  await until(async () => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => undefined);
    connection?.close();
    return connection !== undefined;
  }, signal);
}

/** Looks again and again, until something is so. */
export async function until(isSo: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  while (!await isSo()) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

const AGAIN_MS = 20;
