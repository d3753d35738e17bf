/**
 * Benchmark of what `serve` holds of memory: resident MiB four seconds after its start, once idle,
 * and with one idle session, from source and as it is packed. Linux only: it is read from `/proc`.
 *
 * @module
 */
import { startRendezvousServer } from "../rendezvous/server.ts";
import { pairDaemons, ServedDaemon } from "../../tests/support/daemon.ts";
import { UnpackedBundle } from "../../tests/support/unpacked_bundle.ts";
import { memoryOf } from "../../tests/support/process_usage.ts";
import { DAEMON, type Program, Run } from "../../tests/support/program.ts";
import { TempFolder } from "../../tests/support/temp_folder.ts";
import { formatMachine, thisMachine, writeSection } from "./document.ts";
import type { BenchOptions } from "./options.ts";
import { say } from "./rounds.ts";
import { median, tableOf } from "./statistics.ts";

interface Figures {
  readonly fresh: number;
  readonly idle: number;
  readonly session: number;
}

const residentOf = async (run: Run): Promise<number> => (await memoryOf(run.pid)).resident;
const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A daemon that nobody speaks to. */
async function measureAlone(
  program: Program,
  idleSeconds: number,
): Promise<Pick<Figures, "fresh" | "idle">> {
  await using folder = await TempFolder.make();
  await using run = new Run(program, ["serve", "--data-dir", folder.path("data")]);
  await run.said("serving");
  await delay(4_000);
  const fresh = await residentOf(run);
  await delay(1000 * idleSeconds);
  return { fresh, idle: await residentOf(run) };
}

/** The larger of two daemons with a session, idle. */
async function measureSession(program: Program, idleSeconds: number): Promise<number> {
  await using server = startRendezvousServer();
  await using alice = await ServedDaemon.start({ program });
  await using bob = await ServedDaemon.start({ program });
  await pairDaemons(server.url, alice, bob);
  await delay(1000 * idleSeconds);
  return Math.max(await residentOf(alice.run), await residentOf(bob.run));
}

/** A daemon at rest. */
export async function benchMemory(options: BenchOptions): Promise<void> {
  // Once the engine's own housekeeping is over, which comes after half a minute.
  const { rounds = 3, idleSeconds = 120, dryRun } = options;
  await using bundle = await UnpackedBundle.make();
  const columns: readonly (readonly [name: string, program: () => Promise<Program>])[] = [
    ["from source", () => Promise.resolve(DAEMON)],
    ["packed, first start", () => bundle.program("fresh")],
    ["packed", () => bundle.program("kept")],
  ];
  const found = new Map<string, Figures[]>(columns.map(([name]) => [name, []]));
  // What the runtime keeps of the first start.
  await measureSession(await bundle.program("kept"), 0);
  // What is resident does not depend on how busy the machine is: the columns run side by side.
  for (let round = 1; round <= rounds; round++) {
    await Promise.all(columns.map(async ([name, program]) => {
      const [alone, session] = await Promise.all([
        measureAlone(await program(), idleSeconds),
        measureSession(await program(), idleSeconds),
      ]);
      say(`round ${round}, ${name}: ${JSON.stringify({ ...alone, session })}`);
      found.get(name)?.push({ ...alone, session });
    }));
  }
  const row = (label: string, of: keyof Figures): string[] => [
    label,
    ...columns.map(([name]) =>
      median((found.get(name) ?? []).map((one) => one[of]))?.toFixed(0) ?? ""
    ),
  ];
  await writeSection(
    `<!-- memory: written by scripts/bench/memory.ts -->

## Memory of a daemon at rest

${formatMachine(thisMachine())} Resident MiB of \`serve\`, medians of
${rounds} rounds; idle is ${idleSeconds} s later. Of two daemons with a
session, the larger. A first start is one without what the runtime keeps of the start before. Run it
again with \`deno task bench memory\`.

${
      tableOf([
        ["", ...columns.map(([name]) => name)],
        row("4 s after its start", "fresh"),
        row("idle", "idle"),
        row("idle, with a session", "session"),
      ])
    }

<!-- end of memory -->`,
    dryRun,
  );
}
