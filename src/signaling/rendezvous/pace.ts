/**
 * How fast a client of the rendezvous server goes about things.
 *
 * @module
 */
import { systemTimer, type Timer } from "../../base/timer.ts";

/** Time and chance, passed in so that a test can be both. */
export interface Pace {
  /** Starts timers. */
  readonly timer: Timer;
  /** From 0 up to 1. */
  readonly random: () => number;
}

/** Real time, real chance. */
export const REAL_PACE: Pace = { timer: systemTimer, random: Math.random };
