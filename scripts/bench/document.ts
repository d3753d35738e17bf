/**
 * docs/BENCHMARKS.md: sections that the benches write, each between its own marks.
 *
 * @module
 */

import { format } from "../../tests/faults/results.ts";

/** Where it was measured. */
export interface Machine {
  readonly date: Date;
  readonly system: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly deno: string;
  /** Load of the last minute, when it was over. */
  readonly load: number | undefined;
}

/** The machine that this runs on, now. */
export function thisMachine(): Machine {
  const text = (path: string) => {
    try {
      return Deno.readTextFileSync(path);
    } catch {
      return "";
    }
  };
  const model = /model name\s*:\s*(.*)/.exec(text("/proc/cpuinfo"))?.[1] ?? Deno.build.arch;
  return {
    date: new Date(),
    system: `${Deno.build.os} ${Deno.osRelease()}`,
    cpu: model,
    cores: navigator.hardwareConcurrency,
    memoryGb: Deno.systemMemoryInfo().total / 1e9,
    deno: Deno.version.deno,
    load: Deno.loadavg()[0],
  };
}

/** Where and when, as a sentence. */
export function formatMachine(machine: Machine): string {
  const { date, cpu, cores, memoryGb, system, deno, load } = machine;
  return `${date.toISOString().slice(0, 10)}, Deno ${deno}, ${system}, ${cpu}, ${cores} cores,
${memoryGb.toFixed(0)} GB; load ${load?.toFixed(1) ?? "unknown"} at the end.`;
}

/** How often the variants took turns, and what is told of their figures. */
export function formatRounds(rounds: number): string {
  return rounds === 1 ? "one round" : `${rounds} rounds in turns, medians`;
}

/**
 * Puts a section in its place in the document, or at its end.
 *
 * @param section Its first and its last line are its marks.
 */
export function placeSection(document: string, section: string): string {
  const lines = section.split("\n");
  const [first = "", last = ""] = [lines[0], lines.at(-1)];
  const begin = document.indexOf(first);
  const end = document.indexOf(last);
  if (begin < 0 || end < begin) return `${document.trimEnd()}\n\n${section}\n`;
  return document.slice(0, begin) + section + document.slice(end + last.length);
}

/**
 * Prints a section, and writes it into the document.
 *
 * @param isDry Whether it is only printed. @default {false}
 */
export async function writeSection(section: string, isDry = false): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(section + "\n"));
  if (isDry) return;
  const path = new URL("../../docs/BENCHMARKS.md", import.meta.url);
  let document =
    "# Benchmarks\n\nWritten by the benches themselves; nothing is checked against it.\n";
  try {
    document = await Deno.readTextFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.writeTextFile(path, placeSection(document, section));
  await format(path);
}
