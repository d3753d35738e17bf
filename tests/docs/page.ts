/**
 * What of a page of the documents is run: its fenced blocks marked `runnable`.
 *
 * The words after the language say how: a machine's name (`alice`; without one the machine is called
 * `here`), `together` when the block begins at once with the one before it, and `file=NAME` when it
 * is a program to be saved, that a later block runs.
 *
 * @module
 */

/** A fenced block. */
export interface Block {
  /** The language, the first word of the info string. */
  readonly language: string;
  /** The other words of the info string. */
  readonly words: readonly string[];
  /** What is between the fences, indentation of the list it is in taken away. */
  readonly text: string;
  /** The line of the opening fence, from 1. */
  readonly line: number;
}

/** A block that is run, or saved. */
export interface RunnableBlock extends Block {
  /** Whose machine it is for. */
  readonly machine: string;
  /** Whether it begins at once with the block before it. */
  readonly together: boolean;
  /** The name to save it under, where it is not run itself. */
  readonly file?: string;
}

/** All fenced blocks of a page. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: { indent: string; info: string; line: number; lines: string[] } | undefined;
  for (const [at, line] of markdown.split("\n").entries()) {
    const [, indent = "", info] = /^( *)```(.*)$/.exec(line) ?? [];
    if (open === undefined) {
      if (info !== undefined) open = { indent, info, line: at + 1, lines: [] };
    } else if (info === "") {
      const [language = "", ...words] = open.info.trim().split(/\s+/);
      blocks.push({ language, words, text: open.lines.join("\n") + "\n", line: open.line });
      open = undefined;
    } else open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
  }
  if (open !== undefined) throw new Error(`the block of line ${open.line} does not end`);
  return blocks;
}

/**
 * The blocks of a page that are run, in order.
 *
 * @throws {Error} When a mark is not understood.
 */
export function runnableBlocksOf(markdown: string): RunnableBlock[] {
  return blocksOf(markdown).filter(({ words }) => words.includes("runnable")).map((block) => {
    const rest = block.words.filter((word) => word !== "runnable" && word !== "together");
    const files = rest.filter((word) => word.startsWith("file="));
    const [machine = "here", ...more] = rest.filter((word) => !word.startsWith("file="));
    const file = files[0]?.slice("file=".length);
    if (more.length > 0 || files.length > 1 || (file === undefined && block.language !== "sh")) {
      throw new Error(`the marks of the block of line ${block.line} are not understood`);
    }
    const together = block.words.includes("together");
    return { ...block, machine, together, ...(file === undefined ? {} : { file }) };
  });
}

/** The commands of a shell block: continued lines joined, comments and empty lines left out. */
export function commandsOf({ text }: Block): string[] {
  return text.replaceAll(/\s*\\\n\s*/g, " ").split("\n")
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "");
}
