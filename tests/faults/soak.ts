/**
 * Hours of mixed work with faults between two daemons, and what they hold on to: memory, open files
 * and sockets, threads, timers. `deno task soak [--minutes N] [--seed N] [--write]`; with `--write` the
 * figures go to docs/TESTING.md and docs/soak.svg.
 *
 * @module
 */
import { fromFileUrl } from "../support/paths.ts";
import { DAEMON, type Program, type Run } from "../support/program.ts";
import { seededRandom } from "../transport/loss.ts";
import { DaemonsOverRelay, type RelayedTransferOptions } from "./daemons_over_relay.ts";
import { format, machine, publish, say, tableOf } from "./results.ts";
import { drawSoak, type SoakSamples } from "./soak_picture.ts";
import { probeLine, readProbe } from "./soak_probe.ts";
import { sampleProcess, slopePerHour, type SoakSample } from "./soak_samples.ts";

const DEFAULT_MINUTES = 120;
/** No two samples are closer, so that two hours are some thousands. */
const SAMPLE_MS = 2000;
/** Share of the time in which caches fill and code is compiled: not part of the slopes. */
const WARM_UP = 0.25;

/** The work of one step: which conditions, and what happens on the way. */
function plan(
  daemons: DaemonsOverRelay,
  random: () => number,
): RelayedTransferOptions & { name: string } {
  const pick = <T>(...all: readonly [T, ...T[]]): T =>
    all[Math.floor(random() * all.length)] ?? all[0];
  const receiver = pick("alice", "bob");
  const { client } = daemons[receiver];
  const common = {
    sender: receiver === "alice" ? "bob" : "alice",
    family: pick("IPv4", "IPv6"),
    seed: Math.floor(random() * 1e9),
    bytes: Math.floor(random() ** 2 * 3_000_000),
    deadlineMs: 120_000,
  } as const;
  const slow = { ...common, conditions: { bytesPerSecond: 500_000 } };
  const ignoringEnd = (call: Promise<unknown>) => void call.catch(() => {}); // it may be over
  switch (pick("clean", "clean", "bad", "bad", "cancel", "pause", "outage", "cut")) {
    case "bad":
      return {
        ...common,
        name: "bad network",
        conditions: { delayMs: 20, jitterMs: 10, loss: 0.02, lossBurst: 3, duplicate: 0.01 },
      };
    case "cancel":
      return {
        ...slow,
        name: "cancelled",
        whenFlowing: (_, id) => ignoringEnd(client.cancelTransfer(id)),
      };
    case "pause":
      return {
        ...slow,
        name: "paused and resumed",
        whenFlowing: (_, id) =>
          ignoringEnd(client.pauseTransfer(id).then(() => client.resumeTransfer(id))),
      };
    case "outage":
      return { ...slow, name: "outage of 3 s", whenFlowing: (relay) => relay.outage(3000) };
    case "cut":
      return {
        ...slow,
        name: "cut for good",
        whenFlowing: (relay) => relay.conditions = { cut: true },
      };
    default:
      return { ...common, name: "clean network" };
  }
}

/** The daemon with the probe in it. */
function probed({ command, args, ...rest }: Program): Program {
  const [run = "run", ...others] = args;
  const probe = fromFileUrl(new URL("./soak_probe.ts", import.meta.url));
  return { command, args: [run, `--preload=${probe}`, ...others], ...rest };
}

/** The `n`th look at a daemon, from 1. */
async function look(run: Run, n: number, ms: number): Promise<SoakSample> {
  run.kill("SIGUSR2");
  await run.said(probeLine(n));
  return { ...await sampleProcess(run.pid, ms), ...readProbe(run.stderr, n) };
}

/** How far it is, after each piece of work. */
function progress(name: string, result: string, { alice, bob }: SoakSamples): string {
  const megabytes = [alice, bob].map((all) => ((all.at(-1)?.rssBytes ?? 0) / 1e6).toFixed(1));
  const minutes = (alice.at(-1)?.ms ?? 0) / 60_000;
  return `${minutes.toFixed(1)} min: ${name}, ${result}; ${megabytes.join(" and ")} MB`;
}

/** Works until the time is over; samples when nothing is under way. */
async function work(minutes: number, seed: number) {
  const random = seededRandom(seed);
  const samples: { readonly alice: SoakSample[]; readonly bob: SoakSample[] } = {
    alice: [],
    bob: [],
  };
  const results = new Map<string, { tries: number; arrived: number; ended: number }>();
  await using daemons = await DaemonsOverRelay.make({
    transport: "udp",
    alice: probed(DAEMON),
    bob: probed(DAEMON),
  });
  const began = performance.now();
  const sample = async () => {
    const at = performance.now() - began;
    if (at - (samples.alice.at(-1)?.ms ?? -Infinity) < SAMPLE_MS) return;
    for (const who of ["alice", "bob"] as const) {
      samples[who].push(await look(daemons[who].run, samples[who].length + 1, at));
    }
  };
  while (performance.now() - began < minutes * 60_000) {
    const step = plan(daemons, random);
    const { result } = await daemons.transfer(step);
    const counts = results.get(step.name) ?? { tries: 0, arrived: 0, ended: 0 };
    counts.tries++;
    counts[result]++;
    results.set(step.name, counts);
    await sample();
    await say(progress(step.name, result, samples));
  }
  await daemons.alice.stop();
  await daemons.bob.stop();
  return { samples, results };
}

function figures(who: string, all: readonly SoakSample[]): string[][] {
  const warm = all.slice(Math.floor(all.length * WARM_UP));
  const [first, last] = [warm[0], warm.at(-1)];
  if (first === undefined || last === undefined) return [];
  const row = (title: string, of: (sample: SoakSample) => number, digits = 0) => [
    `${who}: ${title}`,
    of(first).toFixed(digits),
    of(last).toFixed(digits),
    Math.max(...warm.map(of)).toFixed(digits),
    slopePerHour(warm.map((sample) => [sample.ms, of(sample)])).toFixed(1),
  ];
  return [
    row("memory (RSS, MB)", ({ rssBytes }) => rssBytes / 1e6, 1),
    row("heap in use, garbage too (MB)", ({ heapBytes }) => heapBytes / 1e6, 1),
    row("open files", ({ files }) => files),
    row("of these sockets", ({ sockets }) => sockets),
    row("threads", ({ threads }) => threads),
    row("timers", ({ timers }) => timers),
  ];
}

function numberOf(flag: string, otherwise: number): number {
  const at = Deno.args.indexOf(flag);
  const value = at < 0 ? otherwise : Number(Deno.args[at + 1]);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`${flag} takes a number above 0`);
}

if (import.meta.main) {
  const minutes = numberOf("--minutes", DEFAULT_MINUTES);
  const seed = numberOf("--seed", 1);
  const { samples, results } = await work(minutes, seed);
  const steps = [...results].map((
    [name, { tries, arrived, ended }],
  ) => [name, String(tries), String(arrived), String(ended), "0"]);
  const text = `### Soak

${machine()}, seed ${seed}: ${minutes} minutes of work, sampled when nothing was under way
(${samples.alice.length} times). Slopes are by least squares, without the first quarter; the shorter the run,
the less they say.

${
    tableOf([
      ["", "after warm-up", "at the end", "most", "slope an hour"],
      ...figures("alice", samples.alice),
      ...figures("bob", samples.bob),
    ])
  }

${tableOf([["work", "tries", "arrived", "ended with a named error", "lost"], ...steps])}

![Memory and open files over time](soak.svg)`;
  await publish({ mark: "soak", document: "TESTING.md", title: "Testing" }, text);
  if (Deno.args.includes("--write")) {
    const picture = new URL("../../docs/soak.svg", import.meta.url);
    await Deno.writeTextFile(picture, drawSoak(samples));
    await format(picture);
    await say(`drawn: docs/soak.svg`);
  }
}
