/**
 * What the transport bench found, as a table on standard output and in docs/BENCHMARKS.md.
 *
 * @module
 */

import { formatMachine, type Machine, thisMachine, writeSection } from "./document.ts";

/** One variant's measurements of one round, by the key of {@linkcode ROWS}. */
export type Figures = Map<string, number>;
/** All rounds of each variant, by its name. The first is what the others are compared with. */
export type Results = Map<string, readonly Figures[]>;

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

/** The middle one, of numbers in any order. */
export function median(numbers: readonly number[]): number | undefined {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (sorted.length % 2 === 1 || upper === undefined) return upper;
  return (upper + (sorted[middle - 1] ?? upper)) / 2;
}

/** Medians and ratios as a table of Markdown. */
export function formatTable(results: Results): string {
  const [base = ""] = results.keys();
  const others = [...results.keys()].slice(1);
  const medians = (name: string, key: string) =>
    median((results.get(name) ?? []).flatMap((round) => round.get(key) ?? []));
  const header = ["", base, ...others.flatMap((name) => [name, "ratio"])];
  const rows = ROWS.map(({ key, title, digits }) => {
    const first = medians(base, key);
    return [
      title,
      first?.toFixed(digits) ?? "",
      ...others.flatMap((name) => {
        const value = medians(name, key);
        const ratio = value === undefined || first === undefined ? "" : ratioOf(value, first);
        return [value?.toFixed(digits) ?? "", ratio];
      }),
    ];
  });
  return tableOf([header, ...rows]);
}

function ratioOf(value: number, base: number): string {
  return base === 0 ? "" : `${(value / base).toFixed(2)}x`;
}

/** Rows of cells as a table of Markdown; the first row is its head. */
export function tableOf([header = [], ...rows]: readonly (readonly string[])[]): string {
  const widths = header.map((_, i) =>
    Math.max(3, ...[header, ...rows].map((row) => row[i]?.length ?? 0))
  );
  const line = (cells: readonly string[]) =>
    `| ${
      cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))
        .join(" | ")
    } |`;
  const rule = widths.map((width, i) => i === 0 ? "-".repeat(width) : "-".repeat(width - 1) + ":");
  return [line(header), line(rule), ...rows.map(line)].join("\n");
}

/** The section of docs/BENCHMARKS.md, with its marks. */
export function formatSection(results: Results, rounds: number, machine: Machine): string {
  return `<!-- transport: written by scripts/bench/transport.ts -->

## Transport

${formatMachine(machine)} Two processes on loopback, ${rounds} rounds in
which the variants take turns, medians; ratios are to the first column. Run it again with
\`deno task bench\` (the last column needs Node with npm).

${formatTable(results)}

<!-- end of transport -->`;
}

/** Prints the table and writes the document. */
export async function report(results: Results, rounds: number): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(formatTable(results) + "\n"));
  await writeSection(formatSection(results, rounds, thisMachine()));
}
