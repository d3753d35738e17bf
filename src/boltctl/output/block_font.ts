/**
 * The six hexadecimal digits of a SAS in letters that are read from across a desk.
 *
 * @module
 */

/** Rows of each glyph, three points wide. */
const GLYPHS: { readonly [digit: string]: readonly string[] } = {
  "0": ["###", "# #", "# #", "# #", "###"],
  "1": [" # ", "## ", " # ", " # ", "###"],
  "2": ["###", "  #", "###", "#  ", "###"],
  "3": ["###", "  #", " ##", "  #", "###"],
  "4": ["# #", "# #", "###", "  #", "  #"],
  "5": ["###", "#  ", "###", "  #", "###"],
  "6": ["###", "#  ", "###", "# #", "###"],
  "7": ["###", "  #", "  #", "  #", "  #"],
  "8": ["###", "# #", "###", "# #", "###"],
  "9": ["###", "# #", "###", "  #", "###"],
  "A": [" # ", "# #", "###", "# #", "# #"],
  "B": ["## ", "# #", "## ", "# #", "## "],
  "C": [" ##", "#  ", "#  ", "#  ", " ##"],
  "D": ["## ", "# #", "# #", "# #", "## "],
  "E": ["###", "#  ", "## ", "#  ", "###"],
  "F": ["###", "#  ", "## ", "#  ", "#  "],
};
const ROWS = 5;

/**
 * The SAS in block letters, a line each; in plain letters with spaces where the terminal is too
 * narrow for blocks. The plain SAS follows, for whoever can't see the blocks.
 *
 * @param sas Six hexadecimal digits, in upper case.
 * @param columns Width of the terminal.
 */
export function largeSas(sas: string, columns: number): string[] {
  const digits = [...sas];
  for (const scale of [2, 1]) {
    // A point is `scale` columns wide, and so is the gap between letters, doubled.
    const width = digits.length * 3 * scale + (digits.length - 1) * 2 * scale;
    if (width + 2 <= columns) {
      const rows = Array.from({ length: ROWS }, (_, row) => {
        const points = digits.map((digit) => GLYPHS[digit]?.[row] ?? "   ").join("  ");
        return `  ${points.replace(/./g, (p) => (p === "#" ? "█" : " ").repeat(scale))}`.trimEnd();
      });
      return [...rows, "", `  ${digits.join(" ")}`];
    }
  }
  return [`  ${digits.join(" ")}`];
}
