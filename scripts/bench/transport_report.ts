/**
 * What the transport bench found, as a table on standard output and in docs/BENCHMARKS.md.
 *
 * @module
 */

import {
  formatMachine,
  formatRounds,
  type Machine,
  thisMachine,
  writeSection,
} from "./document.ts";
import { medianOf, ratioText, type Results, tableOf } from "./statistics.ts";

interface Row {
  readonly key: string;
  readonly title: string;
  readonly digits: number;
}

const ROWS: readonly Row[] = [
  { key: "throughput 16", title: "throughput, 16 KiB messages (MB/s)", digits: 1 },
  { key: "throughput 64", title: "throughput, 64 KiB messages (MB/s)", digits: 1 },
  { key: "throughput 256", title: "throughput, 256 KiB messages (MB/s)", digits: 1 },
  { key: "cpu", title: "CPU of both processes (ms a MiB)", digits: 1 },
  { key: "round trip", title: "round trip of 64 bytes (ms)", digits: 2 },
  { key: "setup", title: "setup, offer to both open (ms)", digits: 0 },
  { key: "rss", title: "peak memory of the larger process (MB)", digits: 0 },
  { key: "idle", title: "CPU of an idle process (ms a second)", digits: 1 },
  { key: "lossy", title: "goodput, 1 % loss and 20 ms round trip (MB/s)", digits: 2 },
];

/** Ratios of the first variant to each other one, then the medians, as a table of Markdown. */
export function formatTable(results: Results): string {
  const [first = "", ...others] = results.keys();
  const header = ["", ...others.map((name) => `${first} / ${name}`), first, ...others];
  const rows = ROWS.map(({ key, title, digits }) => [
    title,
    ...others.map((name) => ratioText(medianOf(results, first, key), medianOf(results, name, key))),
    ...[first, ...others].map((name) => medianOf(results, name, key)?.toFixed(digits) ?? ""),
  ]);
  return tableOf([header, ...rows]);
}

/** The section of docs/BENCHMARKS.md, with its marks. */
export function formatSection(results: Results, rounds: number, machine: Machine): string {
  return `<!-- transport: written by scripts/bench/transport.ts -->

## Transport

${formatMachine(machine)} Two processes on loopback, ${
    formatRounds(rounds)
  }. Run it again with \`deno task bench transport\` (libdatachannel
needs Node with npm).

${formatTable(results)}

<!-- end of transport -->`;
}

/** Prints the section and writes it into the document. */
export async function report(results: Results, rounds: number, dryRun: boolean): Promise<void> {
  await writeSection(formatSection(results, rounds, thisMachine()), dryRun);
}
