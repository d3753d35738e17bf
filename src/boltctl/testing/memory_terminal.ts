/**
 * For tests: a terminal in memory, and a context for a command without the program around it.
 *
 * @module
 */
import { abortable } from "../../base/deadline.ts";
import { type Clock, SYSTEM_CLOCK } from "../../base/timer.ts";
import { DaemonClient } from "../../ipc/client/client.ts";
import { readCommandLine } from "../command_line.ts";
import type { Context } from "../context.ts";
import { Output } from "../output/output.ts";
import type { TakeOver, Terminal } from "../terminal.ts";

/** Options of a {@linkcode MemoryTerminal}. */
export interface MemoryTerminalOptions {
  /** Whether it is a terminal, of that many columns; a pipe otherwise. */
  readonly columns?: number;
  /** Its rows. @default {24} */
  readonly rows?: number;
  /** Whether colour is wanted. @default {false} */
  readonly color?: boolean;
  /** Lines that are typed; after the last, stdin stays open and silent. */
  readonly types?: readonly string[];
  /** Whether stdin ends after the last line. @default {false} */
  readonly endsInput?: boolean;
}

/** Keeps what is written, in order, and types what it was told to. */
export class MemoryTerminal implements Terminal {
  /** Whether stdout is a terminal. */
  readonly isTerminal: boolean;
  /** Whether a question can be asked. */
  readonly canAsk: boolean;
  /** Whether colour is wanted. */
  readonly wantsColor: boolean;
  /** Everything on stdout. */
  stdout = "";
  /** Everything on stderr. */
  stderr = "";
  #columns: number;
  #rows: number;
  #onResize: (() => void) | undefined;
  readonly #typed: string[];
  readonly #endsInput: boolean;
  #onTyped: ((line: string | undefined) => void) | undefined;
  readonly #waiting = new Set<{ text: string; found: () => void }>();

  /** A terminal, or a pipe. */
  constructor(options: MemoryTerminalOptions = {}) {
    this.isTerminal = this.canAsk = options.columns !== undefined;
    this.#columns = options.columns ?? 80;
    this.#rows = options.rows ?? 24;
    this.wantsColor = options.color ?? false;
    this.#typed = [...options.types ?? []];
    this.#endsInput = options.endsInput ?? false;
  }

  /** Writes to stdout. */
  write(text: string): void {
    this.stdout += text;
    for (const wait of this.#waiting) if (this.stdout.includes(wait.text)) wait.found();
  }

  /** Writes to stderr. */
  writeError(text: string): void {
    this.stderr += text;
  }

  /** Nothing waits here. */
  flushed(signal: AbortSignal): Promise<void> {
    return abortable(Promise.resolve(), signal);
  }

  /** Width in columns, now. */
  columns(): number {
    return this.#columns;
  }

  /** Height in rows, now. */
  rows(): number {
    return this.#rows;
  }

  /** Makes the terminal another size. */
  resize(columns: number, rows: number): void {
    [this.#columns, this.#rows] = [columns, rows];
    this.#onResize?.();
  }

  /** Takes the whole terminal. */
  takeOver({ enter, leave, onResize }: TakeOver): () => void {
    this.write(enter);
    this.#onResize = onResize;
    return () => {
      this.write(leave);
      this.#onResize = undefined;
    };
  }

  /** The next keys: lines that are typed, without their ends. */
  readKeys(signal: AbortSignal): Promise<string | undefined> {
    const typed = Promise.withResolvers<string | undefined>();
    this.#onTyped = typed.resolve;
    return abortable(typed.promise, signal);
  }

  /** Presses a key where one is waited for. */
  press(key: string): void {
    this.#onTyped?.(key);
  }

  /** The next line of stdin. */
  readLine(signal: AbortSignal): Promise<string | undefined> {
    const line = this.#typed.shift();
    if (line !== undefined) {
      this.write(`${line}\n`); // as the terminal's echo
      return Promise.resolve(line);
    }
    if (this.#endsInput) return Promise.resolve(undefined);
    const typed = Promise.withResolvers<string | undefined>();
    this.#onTyped = typed.resolve;
    return abortable(typed.promise, signal);
  }

  /** Types a line where one is waited for. */
  type(line: string): void {
    this.write(`${line}\n`);
    this.#onTyped?.(line);
  }

  /** Ends stdin where a line is waited for. */
  endInput(): void {
    this.#onTyped?.(undefined);
  }

  /** Resolves when stdout holds `text`. */
  async shows(text: string): Promise<void> {
    if (this.stdout.includes(text)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add({ text, found: resolve });
    await promise;
  }
}

/**
 * What a command would work with, for this command line.
 *
 * @param socket Where its client connects.
 */
export function contextFor(
  words: readonly string[],
  terminal: Terminal,
  socket: string,
  clock: Clock = SYSTEM_CLOCK,
): Context {
  const { flags, args } = readCommandLine(words);
  return {
    flags,
    args,
    environment: { BOLT_SOCKET: socket },
    output: new Output(terminal, flags.has("json")),
    terminal,
    clock,
    signal: new AbortController().signal,
    client: (options) => new DaemonClient({ kind: "unix", path: socket }, options),
    absolutePath: (path) => path,
  };
}
