/**
 * The whole terminal while `boltctl watch` has it: drawn a frame at a time, given back as it was.
 *
 * The control functions are those of ECMA-48 and, for the alternate screen, of xterm, which every
 * terminal of today knows.
 *
 * @module
 */
import { type StyleName, STYLES } from "../output/output.ts";
import type { Terminal } from "../terminal.ts";
import type { ScreenLine, ScreenSize } from "./layout.ts";

/** Alternate screen, no cursor, no wrap at the last column. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
/** All of that back. */
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/** A terminal that is drawn on. Disposing it gives the terminal back. */
export class WholeScreen implements Disposable {
  readonly #terminal: Terminal;
  readonly #release: () => void;
  #drawn: readonly string[] = [];
  #size: ScreenSize | undefined;

  /**
   * Takes the terminal.
   *
   * @param onResize Called each time that its size has changed.
   */
  constructor(terminal: Terminal, onResize: () => void) {
    this.#terminal = terminal;
    this.#release = terminal.takeOver({ enter: ENTER, leave: LEAVE, onResize });
  }

  /** Its size, now. */
  size(): ScreenSize {
    return { columns: this.#terminal.columns(), rows: this.#terminal.rows() };
  }

  /** Draws a frame of that size: only what differs from the last one is written. */
  draw(lines: readonly ScreenLine[], size: ScreenSize): void {
    const isSame = size.columns === this.#size?.columns && size.rows === this.#size.rows;
    const old = isSame ? this.#drawn : [];
    const drawn = Array.from({ length: size.rows }, (_, row) => this.#styled(lines[row]));
    const changes = drawn.map((text, row) =>
      text === (old[row] ?? "") ? "" : `\x1b[${row + 1};1H\x1b[2K${text}`
    ).join("");
    this.#terminal.write(`${isSame ? "" : "\x1b[2J"}${changes}`);
    this.#drawn = drawn;
    this.#size = size;
  }

  #styled(line: ScreenLine | undefined): string {
    if (line === undefined || line.text === "") return "";
    const { text, style } = line;
    return style === undefined || !this.#terminal.wantsColor ? text : inStyle(text, style);
  }

  /** Gives the terminal back. */
  [Symbol.dispose](): void {
    this.#release();
  }
}

const inStyle = (text: string, style: StyleName): string => `\x1b[${STYLES[style]}m${text}\x1b[0m`;
