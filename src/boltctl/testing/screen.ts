/**
 * For tests: what a terminal shows after it was sent these bytes, with the few control functions of
 * ECMA-48 that boltctl uses, DECSC and DECRC, and xterm's alternate screen.
 *
 * @module
 */
import { widthOf } from "../output/width.ts";

const PARTS =
  // deno-lint-ignore no-control-regex
  /\x1b\[(\d*)([A-Za-z])|\x1b([78])|\x1b\[(\d+);(\d+)H|\x1b\[\?(\d+)([hl])|[\r\n]|[^\x1b]/gu;

/** The rows that are seen, without blanks at their ends, the empty ones below the last left out. */
export function screenAfter(sent: string, columns: number, height = 50): string[] {
  const empty = (): string[][] => Array.from({ length: height }, () => []);
  let rows = empty();
  let [row, column] = [0, 0];
  let saved = [0, 0];
  /** What the alternate screen hides. */
  let below: { readonly rows: string[][]; readonly at: readonly [number, number] } | undefined;
  const scroll = (): void => {
    if (row < height) return;
    rows.shift();
    rows.push([]);
    row = height - 1;
  };
  for (const match of sent.matchAll(PARTS)) {
    const [part, count, control, decPrivate, toRow, toColumn, mode, isSet] = match;
    const number = count === undefined || count === "" ? undefined : Number(count);
    if (mode === "1049") {
      if (isSet === "h") [below, rows] = [{ rows, at: [row, column] }, empty()];
      else if (below !== undefined) {
        [rows, [row, column], below] = [below.rows, below.at, undefined];
      }
    } else if (mode !== undefined) continue; // the cursor is not drawn here, and no test wraps
    else if (toRow !== undefined) [row, column] = [Number(toRow) - 1, Number(toColumn) - 1];
    else if (decPrivate === "7") saved = [row, column];
    else if (decPrivate === "8") [row = 0, column = 0] = saved;
    else if (control === "A") row = Math.max(0, row - (number ?? 1));
    else if (control === "B") row = Math.min(height - 1, row + (number ?? 1));
    else if (control === "G") column = (number ?? 1) - 1;
    else if (control === "J" && number === 2) rows = empty();
    else if (control === "J") {
      rows[row]?.splice(column);
      for (const below of rows.slice(row + 1)) below.length = 0;
    } else if (control === "K") rows[row]?.splice(number === 2 ? 0 : column);
    else if (control === "m") continue;
    else if (control !== undefined) throw new Error(`the screen does not know ${control}`);
    else if (part === "\r") column = 0;
    else if (part === "\n") {
      // As a terminal shows a line feed: with a carriage return before it.
      [row, column] = [row + 1, 0];
      scroll();
    } else {
      const width = widthOf(part);
      if (column + width > columns) {
        [row, column] = [row + 1, 0];
        scroll();
      }
      const cells = rows[row] ?? [];
      while (cells.length < column) cells.push(" ");
      if (width === 0) cells[column - 1] += part;
      else cells[column] = part;
      if (width === 2) cells[column + 1] = "";
      column += width;
    }
  }
  const seen = rows.map((cells) => cells.join("").trimEnd());
  return seen.slice(0, seen.findLastIndex((text) => text !== "") + 1);
}
