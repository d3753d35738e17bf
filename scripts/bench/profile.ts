/**
 * What each layer of sender and receiver costs of a file: CPU profiles of two daemons, by TCP and by
 * UDP.
 *
 * @module
 */
import { eventLoopSecondsOf } from "../../tests/support/process_usage.ts";
import { DAEMON, type Program } from "../../tests/support/program.ts";
import { TempFolder } from "../../tests/support/temp_folder.ts";
import { DaemonPair, type FileSet, makeFiles } from "./daemon_pair.ts";
import { formatMachine, formatRounds, thisMachine, writeSection } from "./document.ts";
import { MIB, runMs } from "./files.ts";
import type { BenchOptions } from "./options.ts";
import { LAYER_NAMES, sharesOf, timeByLayer } from "./profile_layers.ts";
import { inTurns } from "./rounds.ts";
import { type Figures, medianOf, tableOf } from "./statistics.ts";

const SIDES = ["sender", "receiver"] as const;
const TRANSPORTS = ["tcp", "udp"] as const;
/** CPU of the process that its event loop's thread has not used. */
const OTHER_THREADS = "other threads: disk, collector, compiler";
const ALL = "all";

/** Profiles of both sides, by TCP and by UDP. */
export async function benchProfile(options: BenchOptions): Promise<void> {
  const { rounds = 3, mib = 256, dryRun } = options;
  await using folder = await TempFolder.make();
  const files = await makeFiles(folder.path("sent"), { count: 1, bytes: mib * MIB });
  const variants = TRANSPORTS.map((transport) => ({
    name: transport,
    run: (signal: AbortSignal) => profile(transport, files, signal),
  }));
  const results = await inTurns(variants, { rounds, deadlineMs: runMs(mib) });
  const columns = TRANSPORTS.flatMap((name) => SIDES.map((side) => ({ name, side })));
  const rows = [...LAYER_NAMES, OTHER_THREADS, ALL].map((layer) => [
    layer,
    ...columns.map(({ name, side }) =>
      medianOf(results, name, `${side}: ${layer}`)?.toFixed(2) ?? ""
    ),
  ]);
  await writeSection(
    `<!-- profile: written by scripts/bench/profile.ts -->

## Where the CPU goes

${formatMachine(thisMachine())} Milliseconds of CPU for each MiB of a file of
${mib} MiB, ${formatRounds(rounds)}: CPU of the event loop's thread,
shared out by samples of it each millisecond (which cost some time themselves), from the request to
send to the last word of both. What a library or
the runtime does counts for the nearest code of ours that called it. Run it again with
\`deno task bench profile\`.

${
      tableOf([
        ["", ...columns.map(({ name, side }) => `${name.toUpperCase()}, ${side}`)],
        ...rows,
      ])
    }

<!-- end of profile -->`,
    dryRun,
  );
}

async function profile(
  transport: string,
  files: FileSet,
  signal: AbortSignal,
): Promise<Figures> {
  await using folder = await TempFolder.make();
  const programOf = (side: string): Program => {
    const [verb = "", ...args] = DAEMON.args;
    const flags = ["--cpu-prof", `--cpu-prof-dir=${folder.path()}`, `--cpu-prof-name=${side}`];
    return { ...DAEMON, args: [verb, ...flags, ...args] };
  };
  const programs = { sender: programOf("sender"), receiver: programOf("receiver") };
  await using pair = await DaemonPair.start({ flags: ["--transport", transport], programs });
  const loops = () => Promise.all(SIDES.map((side) => eventLoopSecondsOf(pair[side].run.pid)));
  const [before, from] = [await loops(), await monotonicUs()];
  const measured = await pair.measure(files, signal);
  const [after, to] = [await loops(), await monotonicUs()];
  const mib = files.bytes / MIB;
  const figures = new Map<string, number>();
  for (const [i, side] of SIDES.entries()) {
    await pair[side].stop(); // it writes its profile
    const all = measured.get(`CPU of the ${side}`) ?? NaN;
    const loop = 1000 * ((after[i] ?? NaN) - (before[i] ?? NaN)) / mib;
    const text = await Deno.readTextFile(folder.path(side));
    for (const [layer, share] of sharesOf(timeByLayer(JSON.parse(text), { from, to }))) {
      figures.set(`${side}: ${layer}`, share * loop);
    }
    figures.set(`${side}: ${OTHER_THREADS}`, Math.max(0, all - loop));
    figures.set(`${side}: ${ALL}`, all);
  }
  return figures;
}

/** The clock of profiles, in microseconds: on Linux that of the time since the boot. */
async function monotonicUs(): Promise<number> {
  const [uptime] = (await Deno.readTextFile("/proc/uptime")).split(" ");
  return 1e6 * Number(uptime);
}
