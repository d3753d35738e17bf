/**
 * What a process uses, as Linux tells it in `/proc`.
 *
 * @module
 */

/** Whether it is told at all here. */
export const HAS_PROC = Deno.build.os === "linux";

/** Said in the name of a test that is skipped elsewhere. */
export const NEEDS_PROC = HAS_PROC ? "" : " (skipped: only Linux tells by /proc)";

/** Ticks of the CPU clock in a second, on every Linux that Deno runs on. */
export const TICKS_PER_SECOND = 100;

/** Memory of a process, in MiB. */
export interface Memory {
  /** Resident now. */
  readonly resident: number;
  /** Most that was resident since the start, or since {@linkcode forgetPeak}. */
  readonly peak: number;
}

/** Its memory. */
export async function memoryOf(pid: number): Promise<Memory> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return { resident: field(status, "VmRSS") / 1024, peak: field(status, "VmHWM") / 1024 };
}

/** From now on the peak is that of what follows. */
export async function forgetPeak(pid: number): Promise<void> {
  await Deno.writeTextFile(`/proc/${pid}/clear_refs`, "5", { create: false });
}

/** Seconds of CPU that it has used, of all its threads. */
export function cpuSecondsOf(pid: number): Promise<number> {
  return cpuSecondsIn(`/proc/${pid}/stat`);
}

/** Seconds of CPU that its first thread, the event loop's, has used. */
export function eventLoopSecondsOf(pid: number): Promise<number> {
  return cpuSecondsIn(`/proc/${pid}/task/${pid}/stat`);
}

async function cpuSecondsIn(path: string): Promise<number> {
  const stat = await Deno.readTextFile(path);
  // The name, in parentheses, may hold anything; user and system time are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** How often its first thread, the event loop's, has gone to sleep: once for each wakeup. */
export async function wakeupsOf(pid: number): Promise<number> {
  return field(await Deno.readTextFile(`/proc/${pid}/status`), "voluntary_ctxt_switches");
}

/** What its open files are: sockets, pipes, paths; sorted, one entry for each descriptor. */
export async function openFilesOf(pid: number): Promise<string[]> {
  const kinds: string[] = [];
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const target = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => undefined);
    // Numbers tell one socket from another, not what it is.
    if (target !== undefined) kinds.push(target.replace(/\[\d+\]/, ""));
  }
  return kinds.sort();
}

function field(text: string, name: string): number {
  const value = new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1];
  if (value === undefined) throw new Error(`/proc tells no ${name}`);
  return Number(value);
}
