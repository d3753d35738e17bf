/**
 * What programs of others use: CPU and memory of processes with all that they start, as Linux tells
 * it in `/proc`.
 *
 * @module
 */
import { memoryOf, TICKS_PER_SECOND } from "../../../tests/support/process_usage.ts";

/** A process and those that it has started, and they have, as far as they run. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const all = [pid];
  for (const one of all) {
    const threads = await readOr(Array.fromAsync(Deno.readDir(`/proc/${one}/task`)), []);
    for (const { name } of threads) {
      const text = await readOr(Deno.readTextFile(`/proc/${one}/task/${name}/children`), "");
      all.push(...text.split(" ").filter((word) => word !== "").map(Number));
    }
  }
  return all;
}

/** Seconds of CPU that a process, those that it started and waited for, and those still running used. */
export async function cpuOfTreeSeconds(pid: number): Promise<number> {
  let seconds = 0;
  for (const one of await descendantsOf(pid)) {
    const [own, reaped] = await timesOf(one);
    seconds += own + reaped;
  }
  return seconds;
}

/** Seconds of CPU of all processes that this one has started and that have ended. */
export async function reapedSeconds(): Promise<number> {
  return (await timesOf(Deno.pid))[1];
}

/** Seconds of CPU of a process and of the children that it has waited for. */
async function timesOf(pid: number): Promise<readonly [own: number, reaped: number]> {
  const stat = await readOr(Deno.readTextFile(`/proc/${pid}/stat`), "");
  // User and system time of its own, then of those children: fields 14 to 17.
  const [user = 0, system = 0, theirUser = 0, theirSystem = 0] = stat
    .slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 15).map(Number);
  return [(user + system) / TICKS_PER_SECOND, (theirUser + theirSystem) / TICKS_PER_SECOND];
}

/** Looks again and again how large the largest of some processes, or of what they start, has been. */
export class PeakWatch implements AsyncDisposable {
  readonly #watching: Promise<void>;
  #isOver = false;
  #mib = 0;

  /** @param pids The processes. */
  constructor(pids: readonly number[]) {
    this.#watching = this.#watch(pids);
  }

  /** The most so far, in MiB. */
  get mib(): number {
    return this.#mib;
  }

  async #watch(pids: readonly number[]): Promise<void> {
    while (!this.#isOver) {
      for (const pid of (await Promise.all(pids.map(descendantsOf))).flat()) {
        this.#mib = Math.max(
          this.#mib,
          (await readOr(memoryOf(pid), { peak: 0, resident: 0 })).peak,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#watching;
  }
}

/** The kernel keeps the peak: it only has to be looked at before the process ends. */
const LOOK_MS = 50;

/** A process may end while it is looked at: then there is nothing to read. */
function readOr<T>(reading: Promise<T>, otherwise: T): Promise<T> {
  return reading.catch(() => otherwise);
}
