/**
 * What a process holds on to, as Linux tells it.
 *
 * @module
 */
import type { Probed } from "./soak_probe.ts";

/** One look at a process. */
export interface Sample {
  /** Milliseconds since the work began. */
  readonly ms: number;
  /** Resident memory. */
  readonly rssBytes: number;
  /** Open descriptors, sockets too. */
  readonly files: number;
  /** Open sockets. */
  readonly sockets: number;
  /** Threads. */
  readonly threads: number;
}

/** What the system and the probe tell of a daemon. */
export type SoakSample = Sample & Probed;

/** Looks at a process. */
export async function sampleProcess(pid: number, ms: number): Promise<Sample> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const number = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? NaN);
  const folder = `/proc/${pid}/fd`;
  const links = await Promise.all(
    (await Array.fromAsync(Deno.readDir(folder)))
      .map(({ name }) => Deno.readLink(`${folder}/${name}`).catch(() => "")), // closed meanwhile
  );
  const open = links.filter((link) => link !== "");
  return {
    ms,
    rssBytes: number("VmRSS") * 1024,
    files: open.length,
    sockets: open.filter((link) => link.startsWith("socket:")).length,
    threads: number("Threads"),
  };
}

/** The slope of points (milliseconds, value) by least squares, an hour. */
export function slopePerHour(points: readonly (readonly [ms: number, value: number])[]): number {
  const count = points.length;
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / count;
  const [meanMs, meanValue] = [mean(0), mean(1)];
  let [over, under] = [0, 0];
  for (const [ms, value] of points) {
    over += (ms - meanMs) * (value - meanValue);
    under += (ms - meanMs) ** 2;
  }
  return under === 0 ? 0 : over / under * 3_600_000;
}
