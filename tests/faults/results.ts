/**
 * What the long runs found, as tables on standard output and, with `--write`, in the documents.
 *
 * @module
 */

import { fromFileUrl } from "../support/paths.ts";

/** The marked part of a document that one run owns. */
export interface Section {
  /** Names the marks. */
  readonly mark: string;
  /** File name in `docs/`. */
  readonly document: string;
  /** Of the document, when there is none yet. */
  readonly title: string;
}

const begin = ({ mark }: Section) => `<!-- ${mark}: written by the run itself -->`;
const end = ({ mark }: Section) => `<!-- end of ${mark} -->`;

/** A table of Markdown: a header and rows of as many cells. */
export function tableOf(rows: readonly (readonly string[])[]): string {
  const [header = []] = rows;
  const widths = header.map((_, i) => Math.max(3, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const rule = widths.map((width) => "-".repeat(width));
  return [line(header), line(rule), ...rows.slice(1).map(line)].join("\n");
}

/** Puts a text between the section's marks, or with them at the document's end. */
export function placeSection(document: string, section: Section, text: string): string {
  const whole = `${begin(section)}\n\n${text.trim()}\n\n${end(section)}`;
  const from = document.indexOf(begin(section));
  const to = document.indexOf(end(section));
  if (from < 0 || to < from) return `${document.trimEnd()}\n\n${whole}\n`;
  return document.slice(0, from) + whole + document.slice(to + end(section).length);
}

/** Prints a text; with `--write` among the arguments it goes into its document too. */
export async function publish(section: Section, text: string): Promise<void> {
  await say(`\n${text}\n`);
  if (!Deno.args.includes("--write")) return;
  const path = new URL(`../../docs/${section.document}`, import.meta.url);
  const document = await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return `# ${section.title}\n`;
    throw error;
  });
  await Deno.writeTextFile(path, placeSection(document, section, text));
  await format(path);
}

/** Has a written file look as `deno fmt` wants it. */
export async function format(path: URL): Promise<void> {
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", fromFileUrl(path)] }).output();
}

/** Writes a line to standard output. */
export async function say(line: string): Promise<void> {
  const bytes = new TextEncoder().encode(line + "\n");
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}

/** When and where: the date, the Deno and the cores. */
export function machine(): string {
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, Deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} cores`;
}
