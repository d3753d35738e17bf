/**
 * How many columns of a terminal a text takes, and texts cut to a number of columns.
 *
 * @module
 */

// Marks that stand on the character before them, and characters that are not drawn.
const NO_COLUMN = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
// East Asian Wide and Fullwidth blocks (UAX #11), and emoji that are drawn as such.
const TWO_COLUMNS =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$|^\p{Emoji_Presentation}$/u;

const widthOfCharacter = (c: string): number => NO_COLUMN.test(c) ? 0 : TWO_COLUMNS.test(c) ? 2 : 1;

/** Columns of a text without control characters. */
export function widthOf(text: string): number {
  let width = 0;
  for (const c of text) width += widthOfCharacter(c);
  return width;
}

/** The text in at most `columns` columns; an ellipsis stands for what is cut off. */
export function cutTo(text: string, columns: number): string {
  return cutToPieces([...text], columns);
}

/** The same for a text in pieces, none of which is cut. */
export function cutToPieces(pieces: readonly string[], columns: number): string {
  const text = pieces.join("");
  if (widthOf(text) <= columns) return text;
  if (columns < 1) return "";
  let cut = "";
  let width = 0;
  for (const piece of pieces) {
    width += widthOf(piece);
    if (width > columns - 1) break;
    cut += piece;
  }
  return `${cut}…`;
}

/** The text in exactly `columns` columns. */
export function fitTo(text: string, columns: number, align: "left" | "right" = "left"): string {
  const cut = cutTo(text, columns);
  const pad = " ".repeat(Math.max(0, columns - widthOf(cut)));
  return align === "left" ? cut + pad : pad + cut;
}
