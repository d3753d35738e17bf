/**
 * What can be known of the documents without running them: links lead somewhere, tasks exist, and
 * command lines are such as the programs take.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { SERVE_FLAGS } from "../../src/app/daemon/options.ts";
import { flagName } from "../../src/vocabulary/flag_table.ts";
import { DAEMON_PERMISSIONS } from "../../scripts/build/permissions.ts";
import { parseOneShotOptions } from "../../src/cli/one_shot_options.ts";
import { parseServeOptions } from "../../src/cli/serve_options.ts";
import { normalizePeerCode } from "../../src/protocol/signal/peer_code.ts";
import { blocksOf, commandsOf, runnableBlocksOf } from "./page.ts";

const REPOSITORY = new URL("../../", import.meta.url);

async function* pages(folder: string): AsyncGenerator<{ page: string; text: string }> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, REPOSITORY))) {
    const page = `${folder}${name}`;
    if (isDirectory) yield* pages(`${page}/`);
    else if (name.endsWith(".md")) {
      yield { page, text: await Deno.readTextFile(new URL(page, REPOSITORY)) };
    }
  }
}

const PAGES = [
  { page: "README.md", text: await Deno.readTextFile(new URL("README.md", REPOSITORY)) },
  ...await Array.fromAsync(pages("docs/")),
];

/** The name that a heading gets where Markdown is shown (GitHub's rule, for what we write). */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replace(/\s/g, "-");
}

function anchorsOf(text: string): string[] {
  const outside = text.replaceAll(/^ *```[^]*?^ *```$/gm, "");
  return [...outside.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading));
}

Deno.test("every link of the documents leads to a file, and to a heading of it", async () => {
  const broken: string[] = [];
  for (const { page, text } of PAGES) {
    for (const [, link = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue;
      const url = new URL(link, new URL(page, REPOSITORY));
      const anchor = decodeURIComponent(url.hash.slice(1));
      url.hash = "";
      const exists = await Deno.stat(url).then(() => true, () => false);
      const leads = exists &&
        (anchor === "" || anchorsOf(await Deno.readTextFile(url)).includes(anchor));
      if (!leads) broken.push(`${page}: ${link}`);
    }
  }
  assertEquals(broken, []);
});

Deno.test("every file of the repository that the documents name exists", async () => {
  const missing: string[] = [];
  for (const { page, text } of PAGES) {
    for (const [, path = ""] of text.matchAll(/`((?:src|tests|scripts|docs)\/[\w./-]*)`/g)) {
      const found = await Deno.stat(new URL(path, REPOSITORY)).catch(() => undefined);
      if (found === undefined) missing.push(`${page}: ${path}`);
    }
  }
  assertEquals(missing, []);
});

Deno.test("the contract names every permission that the daemon is built with, and no other", () => {
  const text = PAGES.find(({ page }) => page === "docs/DAEMON_CONTRACT.md")?.text ?? "";
  const section = text.slice(text.indexOf("\n## Permissions"));
  const flags = [...section.matchAll(/`(--(?:no|allow|ignore)-[^`]+)`/g)].map(([, flag]) => flag);
  const ofServe = new Set<string | undefined>(
    Object.keys(SERVE_FLAGS).map((o) => `--${flagName(o)}`),
  );
  const named = flags.filter((flag) => !ofServe.has(flag));
  const built = DAEMON_PERMISSIONS.filter((flag) => !flag.startsWith("--v8-flags"));
  assertEquals(named.toSorted(), built.toSorted());
});

Deno.test("every task that the documents name exists", () => {
  const unknown: string[] = [];
  for (const { page, text } of PAGES) {
    for (const [, task = ""] of text.matchAll(/\bdeno(?:@[\d.]+)? task ([a-z][a-z:]*)/g)) {
      if (!(task in manifest.tasks)) unknown.push(`${page}: ${task}`);
    }
  }
  assertEquals(unknown, []);
});

/** The words of a command line as a shell would split those that the documents have. */
function wordsOf(command: string): string[] {
  return [...command.matchAll(/"([^"]*)"|[^\s"]+/g)].map(([word, inner]) => inner ?? word);
}

function check([first, ...rest]: readonly string[]): void {
  if (first === "serve") parseServeOptions(rest);
  else {
    parseOneShotOptions([first ?? "", ...rest], () => {
      const code = normalizePeerCode("a1b2c3d4");
      if (code === undefined) throw new Error("no peer code");
      return code;
    });
  }
}

Deno.test("the daemon takes every command line that the documents show", () => {
  const refused: string[] = [];
  let seen = 0;
  for (const { page, text } of PAGES) {
    for (
      const command of blocksOf(text).filter(({ language }) => language === "sh").flatMap(
        commandsOf,
      )
    ) {
      const [, line] = /^bolt-daemon (--role .*|serve .*)$/.exec(command) ?? [];
      if (line === undefined) continue;
      seen++;
      try {
        check(wordsOf(line.replace(/\s+(2?>.*|&)$/, "").replace(/\s+2> \S+$/, "")));
      } catch (error) {
        refused.push(`${page}: ${command}: ${error}`);
      }
    }
  }
  assertEquals(refused, []);
  assertEquals(seen > 10, true, `only ${seen} command lines were found`);
});

Deno.test("a block's marks say how it is run; others are refused", () => {
  const page = [
    "```sh",
    "not run",
    "```",
    "```sh runnable",
    "one \\",
    "  two # three",
    "",
    "```",
    "   ```python runnable alice file=a.py",
    "   x = 1",
    "   ```",
    "```sh runnable bob together",
    "```",
  ].join("\n");
  const blocks = runnableBlocksOf(page);
  assertEquals(
    blocks.map(({ machine, together, file, line }) => ({ machine, together, file, line })),
    [
      { machine: "here", together: false, file: undefined, line: 4 },
      { machine: "alice", together: false, file: "a.py", line: 9 },
      { machine: "bob", together: true, file: undefined, line: 12 },
    ],
  );
  assertEquals(blocks.map(({ text }) => text), ["one \\\n  two # three\n\n", "x = 1\n", "\n"]);
  assertEquals(blocks.map(commandsOf), [["one two"], ["x = 1"], []]);
  for (const info of ["sh runnable alice bob", "python runnable", "sh runnable a file=b file=c"]) {
    assertThrows(() => runnableBlocksOf(`\`\`\`${info}\n\`\`\``), Error, "are not understood");
  }
  assertThrows(() => blocksOf("```sh\nopen"), Error, "does not end");
});
