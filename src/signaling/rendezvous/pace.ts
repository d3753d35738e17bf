/**
 * The timers and the randomness of a client of the rendezvous server.
 *
 * @module
 */
import { systemTimer, type Timer } from "../../base/timer.ts";

/** Timers and randomness, passed in so that a test can choose them. */
export interface Pace {
  /** Starts timers. */
  readonly timer: Timer;
  /** From 0 up to 1. */
  readonly random: () => number;
}

/** The system's timers and randomness. */
export const REAL_PACE: Pace = { timer: systemTimer, random: Math.random };
