/**
 * Measures the transport against the stock library, and against libdatachannel where there is Node:
 * two processes on loopback, the variants in turns, medians.
 *
 * @module
 */
import type { RemotePeer } from "../interop/child.ts";
import type { BenchOptions } from "./options.ts";
import { carry, connect, Libdatachannel, spawnDenoPeer } from "./raw_channel.ts";
import { say } from "./rounds.ts";
import type { Figures } from "./statistics.ts";
import { BadPath } from "./transport_relay.ts";
import { report } from "./transport_report.ts";

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

interface RawVariant {
  readonly name: string;
  readonly spawn: () => RemotePeer;
  /** Whether its peers can be sent over a bad path. */
  readonly onBadPath: boolean;
}

async function measure({ spawn }: RawVariant): Promise<Map<string, number>> {
  await using a = spawn();
  await using b = spawn();
  const figures = new Map([["setup", await connect(a, b)]]);
  for (const { size, total } of THROUGHPUT) {
    const run = await carry(a, b, { size, total });
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

async function measureLossy({ spawn }: RawVariant, seed: number): Promise<number> {
  await using path = await BadPath.open({ ...LOSSY, random: numbersFrom(seed) });
  await using a = spawn();
  await using b = spawn();
  await connect(a, b, path);
  return (await carry(a, b, LOSSY)).megabytesPerSecond;
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

/** The raw channel of each stack. */
export async function benchTransport({ rounds = 5, dryRun }: BenchOptions): Promise<void> {
  using libdatachannel = await Libdatachannel.install();
  if (libdatachannel === undefined) say("not measured: libdatachannel, which needs Node with npm");
  const variants: readonly RawVariant[] = [
    { name: "ours", spawn: () => spawnDenoPeer("ours"), onBadPath: true },
    { name: "stock werift", spawn: () => spawnDenoPeer("stock"), onBadPath: true },
    ...libdatachannel === undefined ? [] : [{
      name: libdatachannel.name,
      spawn: () => libdatachannel.spawn(),
      onBadPath: false,
    }],
  ];
  const results = new Map<string, Figures[]>(variants.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const variant of variants) {
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
      results.get(variant.name)?.push(figures);
    }
  }
  await report(results, rounds, dryRun);
}
