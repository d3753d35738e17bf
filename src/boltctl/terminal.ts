/**
 * The terminal, or what stands in its place: where text goes, and where answers come from.
 *
 * @module
 */
import { abortable } from "../base/deadline.ts";
import { OUTPUT_ORDER_MS } from "../base/timing.ts";
import { flushedBoth, OutputStream } from "./output_stream.ts";

/** Longest line that is read, in characters. */
const MAX_LINE = 1024;
/** Columns of a terminal that does not report its width. */
const DEFAULT_COLUMNS = 80;

/** Rows of a terminal that does not report its height. */
const DEFAULT_ROWS = 24;
/** Most bytes of keys that are read at once. */
const MAX_KEYS = 64;

/** How a program takes the whole terminal. */
export interface TakeOver {
  /** Written when it is taken. */
  readonly enter: string;
  /** Written when it is given back, however the program ends. */
  readonly leave: string;
  /** Called each time that the terminal's size has changed. */
  readonly onResize: () => void;
}

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
  /** Height in rows, now. */
  rows(): number;
  /** The next line of stdin without its line feed; undefined at the end of stdin. */
  readLine(signal: AbortSignal): Promise<string | undefined>;
  /**
   * Takes the whole terminal where {@linkcode Terminal.canAsk}: keys are neither echoed nor waited
   * for to be a line, and Ctrl-C is one of them. What it returns gives it back.
   */
  takeOver(how: TakeOver): () => void;
  /** The next keys of a terminal that was taken; undefined when it is gone. */
  readKeys(signal: AbortSignal): Promise<string | undefined>;
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
    this.#stderr.write(text, this.#stdout.settled(OUTPUT_ORDER_MS));
  }

  /** Resolves when all is written. */
  async flushed(signal: AbortSignal): Promise<void> {
    await flushedBoth(this.#stdout, this.#stderr, signal);
  }

  /** Width in columns, now. */
  columns(): number {
    return consoleSize()?.columns || DEFAULT_COLUMNS;
  }

  /** Height in rows, now. */
  rows(): number {
    return consoleSize()?.rows || DEFAULT_ROWS;
  }

  /** Takes the whole terminal. */
  takeOver({ enter, leave, onResize }: TakeOver): () => void {
    Deno.stdin.setRaw(true);
    // A second Ctrl-C or a reader that is gone ends the process from wherever it is.
    const onExit = () => {
      Deno.stdin.setRaw(false);
      Deno.stdout.writeSync(new TextEncoder().encode(leave));
    };
    globalThis.addEventListener("unload", onExit);
    const forgetSize = onWindowChange(onResize);
    this.write(enter);
    return () => {
      globalThis.removeEventListener("unload", onExit);
      forgetSize();
      this.write(leave);
      Deno.stdin.setRaw(false);
    };
  }

  /** The next keys. */
  async readKeys(signal: AbortSignal): Promise<string | undefined> {
    const buffer = new Uint8Array(MAX_KEYS);
    const read = await abortable(Deno.stdin.read(buffer), signal);
    return read === null ? undefined : this.#decoder.decode(buffer.subarray(0, read));
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

function consoleSize(): { readonly columns: number; readonly rows: number } | undefined {
  try {
    return Deno.consoleSize();
  } catch {
    // There is no terminal.
    return undefined;
  }
}

/** Calls `listener` at SIGWINCH, where there is that signal. Returns what takes it off again. */
function onWindowChange(listener: () => void): () => void {
  try {
    Deno.addSignalListener("SIGWINCH", listener);
  } catch {
    // Windows may not have it: the next change of anything is drawn at the new size.
    return () => {};
  }
  return () => Deno.removeSignalListener("SIGWINCH", listener);
}
