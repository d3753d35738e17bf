/**
 * Timers that are passed in, so that a test can be the clock.
 *
 * @module
 */
import { abortable } from "./deadline.ts";

/** Calls `act` once when `ms` milliseconds have passed. What it returns calls that off. */
export type Timer = (ms: number, act: () => void) => () => void;

/** The runtime's timer. */
export function systemTimer(ms: number, act: () => void): () => void {
  const id = setTimeout(act, ms);
  return () => clearTimeout(id);
}

/** The time of day and a timer that goes with it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back later. */
  readonly after: Timer;
}

/** The runtime's clock. */
export const SYSTEM_CLOCK: Clock = { now: Date.now, after: systemTimer };

/** Resolves when `ms` milliseconds have passed; rejects with the signal's reason before. */
export async function sleep(timer: Timer, ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = timer(ms, resolve);
  try {
    await (signal === undefined ? promise : abortable(promise, signal));
  } finally {
    stop();
  }
}
