/**
 * Looks into a daemon that is soaked: loaded before it (`deno run --preload`), it counts the timers
 * that are set, and tells at each SIGUSR2, in a line on stderr, what the system can't tell.
 *
 * @module
 */

/** What the probe tells. */
export interface Probed {
  /** Timers and intervals that are set. */
  readonly timers: number;
  /** Bytes of the JavaScript heap in use, garbage included. */
  readonly heapBytes: number;
}

/** How its `n`th line (from 1) begins. */
export const probeLine = (n: number): string => `soak-probe ${n}: `;

/** Reads the `n`th line. @throws {Error} When it is not there. */
export function readProbe(stderr: string, n: number): Probed {
  const [, said] = stderr.split(probeLine(n));
  const [timers, heapBytes] = said?.split(" ").map(Number) ?? [];
  if (timers === undefined || heapBytes === undefined) throw new Error("the probe said nothing");
  return { timers, heapBytes };
}

/** Where timers are set. */
export type TimerFunctions = Pick<
  typeof globalThis,
  "setTimeout" | "setInterval" | "clearTimeout" | "clearInterval"
>;

/** Counts from now on what is set there, until it fires or is cleared. */
export function countTimers(on: TimerFunctions): () => number {
  const set = new Set<unknown>();
  on.setTimeout = new Proxy(on.setTimeout, {
    apply(target, self, [callback, ...rest]: [(...values: unknown[]) => unknown, ...unknown[]]) {
      const fired = (...values: unknown[]) => {
        set.delete(timer);
        return callback(...values);
      };
      const timer: unknown = Reflect.apply(target, self, [fired, ...rest]);
      set.add(timer);
      return timer;
    },
  });
  on.setInterval = new Proxy(on.setInterval, {
    apply(target, self, args: unknown[]) {
      const timer: unknown = Reflect.apply(target, self, args);
      set.add(timer);
      return timer;
    },
  });
  for (const clear of ["clearTimeout", "clearInterval"] as const) {
    on[clear] = new Proxy(on[clear], {
      apply(target, self, args: unknown[]) {
        set.delete(args[0]);
        return Reflect.apply(target, self, args);
      },
    });
  }
  return () => set.size;
}

// A test that imports the names above is not looked into.
if (!import.meta.main && Deno.mainModule.endsWith("/src/main.ts")) {
  const timers = countTimers(globalThis);
  let asked = 0;
  Deno.addSignalListener("SIGUSR2", () => {
    const text = `${probeLine(++asked)}${timers()} ${Deno.memoryUsage().heapUsed} \n`;
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  });
}
