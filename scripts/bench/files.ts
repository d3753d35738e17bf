/**
 * What users feel: a file of random bytes between two daemons, by TCP and by UDP, or many small
 * ones, against the commit that progress is measured against. Linux only: CPU and memory are read
 * from `/proc`.
 *
 * @module
 */
import { TempFolder } from "../../tests/support/temp_folder.ts";
import { BASELINE, Baseline } from "./baseline.ts";
import { DaemonPair, type FileSet, makeFiles, type PairOptions } from "./daemon_pair.ts";
import { formatMachine, formatRounds, thisMachine, writeSection } from "./document.ts";
import { inTurns, say, type Variant } from "./rounds.ts";
import type { BenchOptions } from "./options.ts";
import { comparisonTable, type Results } from "./statistics.ts";

/** Bytes of a MiB. */
export const MIB = 2 ** 20;
/** A run may take so long, and for each MiB so much longer, on the slowest machine. */
const RUN_MS = 120_000;
const MIB_MS = 1_000;
/** And for each small file. */
const SMALL_FILE_MS = 100;

/** Milliseconds that a run with a file of so many MiB may take. */
export const runMs = (mib: number): number => RUN_MS + mib * MIB_MS;

/** A variant that sends files between two daemons of its own. */
export function daemonVariant(name: string, options: PairOptions, files: FileSet): Variant {
  return {
    name,
    run: async (signal) => {
      await using pair = await DaemonPair.start(options);
      return await pair.measure(files, signal);
    },
  };
}

/** Ours by both transports, the first of what others are compared with. */
export function ourVariants(files: FileSet): [Variant, Variant] {
  return [
    daemonVariant("ours, TCP", { flags: ["--transport", "tcp"] }, files),
    daemonVariant("ours, UDP", { flags: ["--transport", "udp"] }, files),
  ];
}

const RATIOS = (key: string, cpu: string) => [
  { title: `${key}, times ${BASELINE}`, key, base: BASELINE },
  { title: `CPU, times ${BASELINE}`, key: cpu, base: BASELINE },
];

/** One file. */
export async function benchFiles(options: BenchOptions): Promise<void> {
  const { rounds = 3, mib = 256, dryRun } = options;
  await using folder = await TempFolder.make();
  const files = await makeFiles(folder.path("sent"), { count: 1, bytes: mib * MIB });
  const results = await measureDaemons(files, rounds, runMs(mib));
  await writeSection(
    `<!-- files: written by scripts/bench/files.ts -->

## A file between two daemons

${formatMachine(thisMachine())} A file of ${mib} MiB of random bytes, from
the request to send it until both sides say that it is finished (the sender's hash is in it), ${
      formatRounds(rounds)
    }. Peaks are of resident memory (VmHWM). Each file's hash was compared. Run
it again with \`deno task bench files\`.

${
      comparisonTable(results, RATIOS("MB/s", "CPU"), [
        { title: "MB/s", key: "MB/s", digits: 1 },
        { title: "CPU of the sender (ms a MiB)", key: "CPU of the sender", digits: 1 },
        { title: "CPU of the receiver (ms a MiB)", key: "CPU of the receiver", digits: 1 },
        { title: "peak of the sender (MiB)", key: "peak of the sender", digits: 0 },
        { title: "peak of the receiver (MiB)", key: "peak of the receiver", digits: 0 },
      ])
    }

<!-- end of files -->`,
    dryRun,
  );
}

/** Many small files. */
export async function benchSmallFiles(options: BenchOptions): Promise<void> {
  const { rounds = 3, count = 1000, dryRun } = options;
  await using folder = await TempFolder.make();
  const files = await makeFiles(folder.path("sent"), { count, bytes: 1024 });
  const results = await measureDaemons(files, rounds, RUN_MS + count * SMALL_FILE_MS);
  await writeSection(
    `<!-- small: written by scripts/bench/files.ts -->

## Small files between two daemons

${formatMachine(thisMachine())} ${count} files of 1 KiB of random bytes, asked
for by hundreds, ${formatRounds(rounds)}. Each file's hash was compared. Run it again with
\`deno task bench small\`.

${
      comparisonTable(results, RATIOS("files/s", "CPU a file"), [
        { title: "files/s", key: "files/s", digits: 0 },
        { title: "CPU of both (ms a file)", key: "CPU a file", digits: 2 },
        { title: "peak of the sender (MiB)", key: "peak of the sender", digits: 0 },
        { title: "peak of the receiver (MiB)", key: "peak of the receiver", digits: 0 },
      ])
    }

<!-- end of small -->`,
    dryRun,
  );
}

/** Ours by both transports, and the baseline where the history has it. */
async function measureDaemons(
  files: FileSet,
  rounds: number,
  deadlineMs: number,
): Promise<Results> {
  await using baseline = await Baseline.checkOut();
  const variants: Variant[] = ourVariants(files);
  if (baseline === undefined) say(`not measured: ${BASELINE}, which this clone's history lacks`);
  else variants.push(daemonVariant(BASELINE, { daemons: baseline.daemons }, files));
  return await inTurns(variants, { rounds, deadlineMs });
}
