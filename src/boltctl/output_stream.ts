/**
 * A standard stream as boltctl writes to it: in order and all of it, without holding up the event
 * loop, so that Ctrl-C and `--timeout` work while nobody reads.
 *
 * @module
 */
import { abortable, Deadline } from "../base/deadline.ts";
import { type ByteStream, writeAll } from "../base/write_all.ts";
import { CommandError, EXIT } from "./exit_codes.ts";

/** stdout or stderr. */
export class OutputStream {
  readonly #stream: ByteStream;
  readonly #name: string;
  readonly #exit: (code: number) => void;
  readonly #encoder = new TextEncoder();
  #writing: Promise<void> = Promise.resolve();
  #failure: CommandError | undefined;

  /**
   * Writes nothing yet.
   *
   * @param stream The stream.
   * @param name What it is called, for messages.
   * @param exit Ends the process.
   */
  constructor(stream: ByteStream, name: string, exit: (code: number) => void = Deno.exit) {
    this.#stream = stream;
    this.#name = name;
    this.#exit = exit;
  }

  /**
   * Writes after what came before.
   *
   * @param text What to write.
   * @param after What is waited for first.
   */
  write(text: string, after?: Promise<void>): void {
    const bytes = this.#encoder.encode(text);
    this.#writing = this.#writing.then(() => after).then(() => this.#writeAll(bytes));
  }

  /** Resolves when what was written so far is out, failed or not; after that time at the latest. */
  async settled(ms: number): Promise<void> {
    using deadline = new Deadline(ms, { what: "the output to be read" });
    await abortable(this.#writing, deadline.signal).catch(() => {}); // nobody reads it
  }

  /**
   * Resolves when all is written.
   *
   * @throws {CommandError} OUTPUT_FAILED when not all could be; or the signal's reason.
   */
  async flushed(signal: AbortSignal): Promise<void> {
    await abortable(this.#writing, signal);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return; // with a gap it would say something else
    try {
      await writeAll(this.#stream, bytes);
    } catch (error) {
      // `boltctl events | head`: the reader has what it wanted, and there is nobody left to tell.
      if (error instanceof Deno.errors.BrokenPipe) this.#exit(EXIT.failed);
      const full = error instanceof Error && "code" in error && error.code === "ENOSPC";
      this.#failure = new CommandError(
        "OUTPUT_FAILED",
        `Not all of the result could be written to ${this.#name}: ` +
          (full ? "its disk is full; free space and try again" : "check where it goes to"),
      );
    }
  }
}

/**
 * Resolves when all of both is written. What stderr can't take changes nothing of how the command
 * ended; but it is waited for also when stdout has failed, since it says so.
 *
 * @throws {CommandError} OUTPUT_FAILED when not all of stdout could be written; or the signal's
 * reason.
 */
export async function flushedBoth(
  stdout: OutputStream,
  stderr: OutputStream,
  signal: AbortSignal,
): Promise<void> {
  try {
    await stdout.flushed(signal);
  } finally {
    await stderr.flushed(signal).catch(() => signal.throwIfAborted());
  }
}
