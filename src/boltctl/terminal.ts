/**
 * The terminal, or what stands in its place: where text goes, and where answers come from.
 *
 * @module
 */
import { abortable } from "../base/deadline.ts";
import { flushedBoth, OutputStream } from "./output_stream.ts";

/** Longest line that is read, in characters. */
const MAX_LINE = 1024;
/** Columns of a terminal that does not tell. */
const DEFAULT_COLUMNS = 80;

/** How long stderr waits for a stdout that nobody reads, in milliseconds. */
const ORDER_MS = 500;

/** Where a command's text goes and comes from. */
export interface Terminal {
  /** Writes to stdout, without waiting for its reader: {@linkcode Terminal.flushed} does. */
  write(text: string): void;
  /** Writes to stderr, in the same way. */
  writeError(text: string): void;
  /**
   * Resolves when all of stdout and stderr is written. A command that writes on and on waits for it,
   * so that no more waits in memory than one event makes.
   *
   * @throws {CommandError} OUTPUT_FAILED when not all of stdout could be written; or the signal's
   * reason.
   */
  flushed(signal: AbortSignal): Promise<void>;
  /** Whether stdout is a terminal: then lines may be redrawn. */
  readonly isTerminal: boolean;
  /** Whether a question can be asked: stdin and stdout are terminals. */
  readonly canAsk: boolean;
  /** Whether colour is wanted. */
  readonly wantsColor: boolean;
  /** Width in columns, now. */
  columns(): number;
  /** The next line of stdin without its line feed; undefined at the end of stdin. */
  readLine(signal: AbortSignal): Promise<string | undefined>;
}

/** This process's terminal. */
export class ProcessTerminal implements Terminal {
  /** Whether stdout is a terminal. */
  readonly isTerminal: boolean = Deno.stdout.isTerminal();
  /** Whether a question can be asked. */
  readonly canAsk: boolean = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  /** Whether colour is wanted. */
  readonly wantsColor: boolean;
  readonly #stdout = new OutputStream(Deno.stdout, "stdout");
  readonly #stderr = new OutputStream(Deno.stderr, "stderr");
  readonly #decoder = new TextDecoder();
  #typed = "";

  /**
   * This process's standard streams.
   *
   * @param noColor Value of `NO_COLOR`: any text that is not empty means no colour.
   */
  constructor(noColor: string | undefined) {
    this.wantsColor = this.isTerminal && (noColor ?? "") === "";
  }

  /** Writes to stdout. */
  write(text: string): void {
    this.#stdout.write(text);
  }

  /** Writes to stderr. */
  writeError(text: string): void {
    // Where both go to one terminal, the sentence comes below the result.
    this.#stderr.write(text, this.#stdout.settled(ORDER_MS));
  }

  /** Resolves when all is written. */
  async flushed(signal: AbortSignal): Promise<void> {
    await flushedBoth(this.#stdout, this.#stderr, signal);
  }

  /** Width in columns, now. */
  columns(): number {
    try {
      const { columns } = Deno.consoleSize();
      return columns > 0 ? columns : DEFAULT_COLUMNS;
    } catch {
      // No terminal is there to tell.
      return DEFAULT_COLUMNS;
    }
  }

  /** The next line of stdin. */
  async readLine(signal: AbortSignal): Promise<string | undefined> {
    const buffer = new Uint8Array(MAX_LINE);
    for (;;) {
      const end = this.#typed.indexOf("\n");
      if (end >= 0) {
        const line = this.#typed.slice(0, end);
        this.#typed = this.#typed.slice(end + 1);
        return line;
      }
      if (this.#typed.length > MAX_LINE) return undefined;
      // Not the blocking prompt(): signals and events must go on while a person thinks.
      const read = await abortable(Deno.stdin.read(buffer), signal);
      if (read === null) return undefined;
      this.#typed += this.#decoder.decode(buffer.subarray(0, read), { stream: true });
    }
  }
}
