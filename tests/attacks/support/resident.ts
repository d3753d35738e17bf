/**
 * How much memory another process holds.
 *
 * @module
 */

/** Resident bytes of a process, as Linux tells; undefined elsewhere. */
export async function residentBytes(pid: number): Promise<number | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
