/**
 * For tests: what a terminal shows after it was sent these bytes, with the few control functions of
 * ECMA-48 that boltctl uses, and DECSC and DECRC.
 *
 * @module
 */
import { widthOf } from "../output/width.ts";

// deno-lint-ignore no-control-regex
const PARTS = /\x1b\[(\d*)([A-Za-z])|\x1b([78])|[\r\n]|[^\x1b]/gu;

/** The rows that are seen, without blanks at their ends, the empty ones below the last left out. */
export function screenAfter(sent: string, columns: number, height = 50): string[] {
  const rows: string[][] = Array.from({ length: height }, () => []);
  let [row, column] = [0, 0];
  let saved = [0, 0];
  const scroll = (): void => {
    if (row < height) return;
    rows.shift();
    rows.push([]);
    row = height - 1;
  };
  for (const [part, count, control, decPrivate] of sent.matchAll(PARTS)) {
    const number = count === undefined || count === "" ? undefined : Number(count);
    if (decPrivate === "7") saved = [row, column];
    else if (decPrivate === "8") [row = 0, column = 0] = saved;
    else if (control === "A") row = Math.max(0, row - (number ?? 1));
    else if (control === "B") row = Math.min(height - 1, row + (number ?? 1));
    else if (control === "G") column = (number ?? 1) - 1;
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
