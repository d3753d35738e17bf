/**
 * Golden files: what a command printed is compared with a plain text file, or, with
 * `deno test -A tests/boltctl -- --update-golden`, written to it.
 *
 * @module
 */
import type { Clock } from "../../../src/base/timer.ts";
import { escapeUnsafe } from "../../../src/base/text.ts";
import { runBoltctl, type RunOptions } from "../../../src/boltctl/run.ts";
import { VERSION } from "../../../src/boltctl/version.ts";
import {
  MemoryTerminal,
  type MemoryTerminalOptions,
} from "../../../src/boltctl/testing/memory_terminal.ts";
import { compareWithFile } from "../../support/golden_file.ts";
import { NOW, type Stage, Staged } from "./staged_daemon.ts";

const FOLDER = new URL("../golden/", import.meta.url);

/** Where nothing goes by, so that what is shown is the same each time. */
const STOPPED_CLOCK: Clock = { now: () => Date.parse(NOW), after: () => () => {} };

/** One command line and what surrounds it. */
export interface Scene {
  /** What is told before it in the golden file. */
  readonly about?: string;
  /** The command line. */
  readonly words: readonly string[];
  /** The daemon; one without anything special when absent. */
  readonly stage?: Stage;
  /** The terminal; a pipe when absent. */
  readonly terminal?: MemoryTerminalOptions;
  /** What the socket is called instead, e.g. because none is there. */
  readonly socket?: string | null;
}

/** Compares the transcript of these scenes with the golden file of this name. */
export async function assertGolden(name: string, scenes: readonly Scene[]): Promise<void> {
  const texts: string[] = [];
  for (const scene of scenes) texts.push(await play(scene));
  await compare(name, texts.join("\n"));
}

/** Compares a text with the golden file of this name. */
export async function compare(name: string, text: string): Promise<void> {
  await compareWithFile(new URL(`${name}.txt`, FOLDER), text);
}

async function play(scene: Scene): Promise<string> {
  await using staged = await Staged.serve(scene.stage);
  const terminal = new MemoryTerminal(scene.terminal);
  const socket = scene.socket === undefined ? staged.socket : scene.socket ?? undefined;
  const options: RunOptions = {
    terminal,
    environment: { BOLT_SOCKET: socket },
    interruption: new AbortController().signal,
    clock: STOPPED_CLOCK,
  };
  const code = await runBoltctl(scene.words, options);
  return transcript(scene.words, terminal, code, [staged.socket, scene.about]);
}

/** `$ boltctl ...`, what it said, and its exit code; escapes made visible, paths and version named. */
export function transcript(
  words: readonly string[],
  { stdout, stderr }: { readonly stdout: string; readonly stderr: string },
  code: number,
  [socket, about]: readonly [string, (string | undefined)?],
): string {
  const shown = (text: string) =>
    text.replaceAll(socket, "SOCKET").replaceAll(Deno.cwd(), "CWD")
      .replaceAll(VERSION, "VERSION").replaceAll("\x1b", "␛").replaceAll("\r", "␍");
  const errors = shown(stderr).replace(/^/gm, "stderr: ").replace(/stderr: $/, "");
  const line = words.map((word) => /[\s'"]/.test(word) ? `"${word}"` : escapeUnsafe(word));
  return (about === undefined ? "" : `# ${about}\n`) +
    `$ ${["boltctl", ...line].join(" ")}\n${shown(stdout)}${errors}[exit ${code}]\n`;
}
