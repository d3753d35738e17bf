/**
 * How help is set: paragraphs, rows and command lines that fit a terminal of 80 columns. Pure.
 *
 * @module
 */

/** Columns of help, whatever the terminal's. */
export const HELP_COLUMNS = 80;
/** Widest first column of rows: what is longer has a line of its own. */
const WIDEST_WORD = 28;
/** Columns before a row, and between its two columns. */
const GAP = 2;
/** Columns before a command line that goes on: a flag with a key fits behind them. */
const ONWARDS = 3;

/** Words in lines after a first word, each line but the first indented. */
export function fill(
  first: string,
  words: readonly string[],
  indent: string,
  columns: number = HELP_COLUMNS,
): string[] {
  const lines: string[] = [];
  let line = first;
  for (const word of words) {
    if (line.length + 1 + word.length > columns) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line += line === "" ? word : ` ${word}`;
  }
  return [...lines, line];
}

/** A paragraph in lines. */
export function wrap(paragraph: string, columns: number = HELP_COLUMNS): string[] {
  return fill("", paragraph.split(" "), "", columns);
}

/** Words and their meanings in two columns, the second one wrapped. */
export function rows(entries: readonly (readonly [word: string, meaning: string])[]): string[] {
  const short = entries.map(([word]) => word.length).filter((length) => length <= WIDEST_WORD);
  const width = Math.max(0, ...short);
  const left = GAP + width + GAP;
  return entries.flatMap(([word, meaning]) => {
    const [first = "", ...rest] = wrap(meaning, HELP_COLUMNS - left);
    const below = rest.map((line) => `${" ".repeat(left)}${line}`);
    const head = " ".repeat(GAP) + word.padEnd(width + GAP);
    if (word.length <= width) return [head + first, ...below];
    return [head.trimEnd(), `${" ".repeat(left)}${first}`, ...below];
  });
}

/** A command line as a shell reads it over several lines: no flag is parted from its value. */
export function commandLine(text: string): string[] {
  const parts = text.match(/--\S+ (?!-)\S+|\S+/g) ?? [];
  const lines: string[] = [];
  let line = " ".repeat(GAP) + (parts[0] ?? "");
  for (const [i, part] of parts.entries()) {
    if (i === 0) continue;
    const room = i === parts.length - 1 ? 0 : " \\".length;
    if (line.length + 1 + part.length + room > HELP_COLUMNS) {
      lines.push(`${line} \\`);
      line = " ".repeat(ONWARDS) + part;
    } else line += ` ${part}`;
  }
  return [...lines, line];
}
