/**
 * Measures the transport against the stock library, and against libdatachannel where there is Node:
 * two processes on loopback, the variants in turns, medians. Writes docs/BENCHMARKS.md.
 *
 * Run with `deno task bench`; `--rounds N` for more or fewer turns.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { fileURLToPath } from "node:url";
import { type RemotePeer, spawnPeer } from "../interop/child.ts";
import { FOREIGN_STACKS, hasNode, installForeignStacks } from "../interop/node_packages.ts";
import { BadPath } from "./transport_relay.ts";
import { type Figures, report, type Results } from "./transport_report.ts";

const MIB = 1024 * 1024;
/** Message sizes of the throughput runs, and what is sent in each, in bytes. */
const THROUGHPUT = [
  { size: 16 * 1024, total: 32 * MIB },
  { size: 64 * 1024, total: 64 * MIB },
  { size: 256 * 1024, total: 32 * MIB },
];
const PINGS = 300;
const IDLE_MS = 2000;
const LOSSY = { size: 64 * 1024, total: 4 * MIB, loss: 0.01, delayMs: 10 };

/** What the program itself is run with, but for files. */
const FLAGS = ["--no-prompt", "--allow-net", "--allow-sys=networkInterfaces", "--ignore-env"];

interface Variant {
  readonly name: string;
  readonly spawn: () => RemotePeer;
  /** Whether its peers can be sent over a bad path. */
  readonly onBadPath: boolean;
}

function denoVariant(name: string, variant: string, onBadPath: boolean): Variant {
  const program = fileURLToPath(new URL("transport_peer.ts", import.meta.url));
  const args = ["run", "--quiet", "--no-check", ...FLAGS, program, variant];
  return { name, onBadPath, spawn: () => spawnPeer(Deno.execPath(), args) };
}

async function variants(): Promise<{ list: readonly Variant[]; close: () => void }> {
  const list = [
    denoVariant("stock werift", "stock", true),
    denoVariant("ours", "ours", true),
  ];
  if (!await hasNode()) return { list, close: () => {} };
  const program = await installForeignStacks();
  const { module, package: version } = FOREIGN_STACKS.libdatachannel;
  const name = `${version} (Node)`;
  list.push({ name, onBadPath: false, spawn: () => spawnPeer("node", [program, module]) });
  return { list, close: () => Deno.removeSync(program) };
}

/** Connects two peers; the milliseconds from the first word to both channels open. */
async function connect(a: RemotePeer, b: RemotePeer, path?: BadPath): Promise<number> {
  await Promise.all([a.ready, b.ready]);
  const began = performance.now();
  const offer = await a.offer();
  const answer = await b.answer(path?.disguise(offer, 0) ?? offer);
  await a.accept(path?.disguise(answer, 1) ?? answer);
  await Promise.all([a.opened, b.opened]);
  return performance.now() - began;
}

async function transfer(a: RemotePeer, b: RemotePeer, size: number, total: number) {
  const count = total / size;
  const [sender, receiver] = await Promise.all([
    a.measure({ do: "send", size, count }),
    b.measure({ do: "receive", size, count }),
  ]);
  return {
    megabytesPerSecond: total / 1e6 / (receiver.ms / 1000),
    cpuMsPerMib: (sender.cpuMs + receiver.cpuMs) / (total / MIB),
    peakRssMb: Math.max(sender.peakResidentBytes, receiver.peakResidentBytes) / 1e6,
  };
}

async function measure({ spawn }: Variant): Promise<Figures> {
  await using a = spawn();
  await using b = spawn();
  const figures: Figures = new Map([["setup", await connect(a, b)]]);
  for (const { size, total } of THROUGHPUT) {
    const run = await transfer(a, b, size, total);
    figures.set(`throughput ${size / 1024}`, run.megabytesPerSecond);
    if (size !== 64 * 1024) continue;
    figures.set("cpu", run.cpuMsPerMib);
    figures.set("rss", run.peakRssMb);
  }
  const [ping] = await Promise.all([
    a.measure({ do: "ping", count: PINGS }),
    b.measure({ do: "pong", count: PINGS }),
  ]);
  figures.set("round trip", ping.ms);
  const idle = await Promise.all([a, b].map((peer) => peer.measure({ do: "idle", ms: IDLE_MS })));
  figures.set("idle", idle.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / 2 / (IDLE_MS / 1000));
  return figures;
}

async function measureLossy({ spawn }: Variant, seed: number): Promise<number> {
  await using path = await BadPath.open({ ...LOSSY, random: numbersFrom(seed) });
  await using a = spawn();
  await using b = spawn();
  await connect(a, b, path);
  return (await transfer(a, b, LOSSY.size, LOSSY.total)).megabytesPerSecond;
}

/** Numbers in [0, 1) that follow from a seed (a linear congruential generator). */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A setup may fail under loss: a stack that does not retry is tried again, three times. */
async function withRetries<T>(
  what: string,
  attempt: (n: number) => Promise<T>,
): Promise<T | undefined> {
  for (let n = 0; n < 3; n++) {
    const timeout = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => timeout.resolve(undefined), 60_000);
    try {
      const result = await Promise.race([attempt(n), timeout.promise]);
      if (result !== undefined) return result;
    } catch (error) {
      say(`${what}: ${error instanceof Error ? error.message : error}`);
    } finally {
      clearTimeout(timer);
    }
  }
  return undefined;
}

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`bench: ${line}\n`));
}

const DEFAULT_ROUNDS = 5;
const rounds = Number(parseArgs(Deno.args, { string: ["rounds"] }).rounds ?? DEFAULT_ROUNDS);
const { list, close } = await variants();
const results: Results = new Map(list.map(({ name }) => [name, []]));
try {
  for (let round = 0; round < rounds; round++) {
    for (const variant of list) {
      say(`round ${round + 1} of ${rounds}: ${variant.name}`);
      const figures = await withRetries(variant.name, () => measure(variant));
      if (figures === undefined) continue;
      if (variant.onBadPath) {
        // Each variant meets the same losses.
        const seed = (attempt: number) => 1 + round + 100 * attempt;
        const goodput = await withRetries(
          `${variant.name} on a bad path`,
          (attempt) => measureLossy(variant, seed(attempt)),
        );
        if (goodput !== undefined) figures.set("lossy", goodput);
      }
      results.set(variant.name, [...results.get(variant.name) ?? [], figures]);
    }
  }
} finally {
  close();
}
await report(results, rounds);
