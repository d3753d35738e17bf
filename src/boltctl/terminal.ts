/**
 * The terminal, or what stands in its place: where text goes, and where answers come from.
 *
 * @module
 */
import { abortable } from "../base/deadline.ts";
import { EXIT } from "./exit_codes.ts";

/** Longest line that is read, in characters. */
const MAX_LINE = 1024;
/** Columns of a terminal that does not tell. */
const DEFAULT_COLUMNS = 80;

/** Where a command's text goes and comes from. */
export interface Terminal {
  /** Writes to stdout, all of it. */
  write(text: string): void;
  /** Writes to stderr, all of it. */
  writeError(text: string): void;
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
  readonly #encoder = new TextEncoder();
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
    this.#writeAll(Deno.stdout, text);
  }

  /** Writes to stderr. */
  writeError(text: string): void {
    this.#writeAll(Deno.stderr, text);
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

  #writeAll(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
    const bytes = this.#encoder.encode(text);
    try {
      for (let sent = 0; sent < bytes.length;) sent += to.writeSync(bytes.subarray(sent));
    } catch (error) {
      // `boltctl events | head`: the reader has what it wanted, and there is nobody left to tell.
      if (error instanceof Deno.errors.BrokenPipe) Deno.exit(EXIT.failed);
      throw error;
    }
  }
}
