/**
 * A command's results: tables and sentences for people, one JSON object a line for programs.
 *
 * @module
 */
import { escapeUnsafe, safeJson } from "../../base/text.ts";
import type { Terminal } from "../terminal.ts";
import { fitTo, widthOf } from "./width.ts";

/**
 * Select Graphic Rendition codes (ECMA-48) of the few styles.
 * @internal
 */
export const STYLES = { bold: 1, red: 31, green: 32, yellow: 33, dim: 2 } as const;
/** How a word is drawn. */
export type StyleName = keyof typeof STYLES;

/** A column of a table. */
export interface Column<T> {
  /** Heading of the column. */
  readonly title: string;
  /** The cell of a row; it is escaped by the table. */
  readonly cell: (row: T) => string;
  /** Side that cells are set to. @default {"left"} */
  readonly align?: "left" | "right";
  /** Whether it gives way when the terminal is narrow; the last one that may does so first. */
  readonly shrinks?: boolean;
}

/** Columns between two cells. */
const GAP = 2;
/** Narrowest that a column is made. */
const NARROWEST = 6;

/** Writes results to a terminal. */
export class Output {
  /** Whether results are JSON. */
  readonly json: boolean;
  readonly #terminal: Terminal;

  /** Results for a terminal, in JSON or for people. */
  constructor(terminal: Terminal, json: boolean) {
    this.#terminal = terminal;
    this.json = json;
  }

  /** A result: one JSON object on a line, or what `forPeople` writes. */
  result(value: unknown, forPeople: () => void): void {
    if (this.json) this.object(value);
    else forPeople();
  }

  /** One JSON object on a line, whatever the mode. */
  object(value: unknown): void {
    this.#terminal.write(`${safeJson(value)}\n`);
  }

  /** A line for people; nothing in JSON mode. Unsafe characters are spelled out. */
  line(text = ""): void {
    if (!this.json) this.#terminal.write(`${escapeUnsafe(text)}\n`);
  }

  /** A line that leads with a styled word. */
  marked(style: StyleName, word: string, rest: string): void {
    if (this.json) return;
    this.#terminal.write(`${this.styled(style, escapeUnsafe(word))}${escapeUnsafe(rest)}\n`);
  }

  /** `text` in a style, where colour is wanted. */
  styled(style: StyleName, text: string): string {
    return this.#terminal.wantsColor ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
  }

  /** Names and values below each other; absent values are left out. */
  pairs(entries: readonly (readonly [string, string | undefined])[]): void {
    const present = entries.filter(([, value]) => value !== undefined);
    const width = Math.max(0, ...present.map(([name]) => widthOf(name)));
    for (const [name, value] of present) {
      this.line(`${fitTo(name, width)}${" ".repeat(GAP)}${value}`);
    }
  }

  /** A table; `none` is said when there are no rows. In JSON mode each row is an object. */
  table<T>(rows: readonly T[], columns: readonly Column<T>[], none: string): void {
    if (this.json) return rows.forEach((row) => this.object(row));
    if (rows.length === 0) return this.line(none);
    const cells = rows.map((row) => columns.map(({ cell }) => escapeUnsafe(cell(row))));
    const widths = this.#widths(columns, cells);
    const draw = (texts: readonly string[]) =>
      texts.map((text, i) => fitTo(text, widths[i] ?? 0, columns[i]?.align))
        .join(" ".repeat(GAP)).trimEnd();
    this.#terminal.write(`${this.styled("bold", draw(columns.map(({ title }) => title)))}\n`);
    for (const row of cells) this.#terminal.write(`${draw(row)}\n`);
  }

  #widths<T>(columns: readonly Column<T>[], cells: readonly string[][]): number[] {
    const widths = columns.map(({ title }, i) =>
      Math.max(widthOf(title), ...cells.map((row) => widthOf(row[i] ?? "")))
    );
    // Without a terminal nothing is cut: a program may read it.
    if (!this.#terminal.isTerminal) return widths;
    let over = widths.reduce((sum, width) => sum + width + GAP, -GAP) - this.#terminal.columns();
    for (const [i, { shrinks }] of [...columns.entries()].reverse()) {
      const width = widths[i] ?? 0;
      if (over <= 0 || shrinks !== true) continue;
      const given = Math.max(0, Math.min(over, width - NARROWEST));
      widths[i] = width - given;
      over -= given;
    }
    return widths;
  }
}
