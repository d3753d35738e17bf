/**
 * The process of a browser: found, started, told apart by the line that says where it listens, ended.
 *
 * @module
 */

/** The first of these programs that runs. */
export async function findProgram(programs: readonly string[]): Promise<string | undefined> {
  for (const program of programs) {
    try {
      const version = new Deno.Command(program, { args: ["--version"] });
      if ((await version.output()).success) return program;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

/** A browser that takes commands. Disposing it ends it. */
export class StartedBrowser implements AsyncDisposable {
  /** Where it takes commands. */
  readonly url: string;
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  private constructor(url: string, child: Deno.ChildProcess, reading: Promise<void>) {
    this.url = url;
    this.#child = child;
    this.#reading = reading;
  }

  /**
   * Starts a program, and waits until it takes commands.
   *
   * @param listening The line of its stderr that tells where it does; the address is its first group.
   */
  static async start(
    program: string,
    args: readonly string[],
    listening: RegExp,
  ): Promise<StartedBrowser> {
    const child = new Deno.Command(program, {
      args: [...args],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const told = Promise.withResolvers<string>();
    const reading = readUntilEnd(child.stderr, listening, told);
    try {
      return new StartedBrowser(await told.promise, child, reading);
    } catch (error) {
      await end(child, reading);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child, this.#reading);
  }
}

/** Reads what it says, as long as it says anything; told is where it listens. */
async function readUntilEnd(
  stderr: ReadableStream<Uint8Array<ArrayBuffer>>,
  listening: RegExp,
  told: PromiseWithResolvers<string>,
): Promise<void> {
  let said = "";
  let isTold = false;
  for await (const text of stderr.pipeThrough(new TextDecoderStream())) {
    if (isTold) continue;
    said += text;
    const url = listening.exec(said)?.[1];
    if (url === undefined) continue;
    isTold = true;
    told.resolve(url);
  }
  told.reject(new Error(`the browser ended before it took commands:\n${said}`));
}

async function end(child: Deno.ChildProcess, reading: Promise<void>): Promise<void> {
  try {
    child.kill("SIGTERM");
  } catch {
    // It had ended.
  }
  await child.status;
  await reading;
}

/** Removes a profile. A browser's processes outlive it by a moment, and still write there. */
export async function removeOnceLeft(folder: string): Promise<void> {
  for (let left = 100;; left--) {
    try {
      return await Deno.remove(folder, { recursive: true });
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
