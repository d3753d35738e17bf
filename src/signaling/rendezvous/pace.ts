/**
 * How fast a client of the rendezvous server goes about things.
 *
 * @module
 */
import { systemTimer, type Timer } from "../../base/timer.ts";

/**
 * Between two heartbeats, in milliseconds. With {@linkcode ANSWER_MS} it is short enough that a phase
 * of the default 30 s can still do its work after a connection has died; the server's own limit on
 * silence is 300 s.
 */
export const BEAT_MS = 10_000;
/** How long a heartbeat may take to be answered, in milliseconds. */
export const ANSWER_MS = 6_000;
/** How long one attempt to register again may take, in milliseconds. */
export const ATTEMPT_MS = 10_000;
/** Waits between attempts to register again while the server is away. */
export const ATTEMPTS = { firstMs: 250, longestMs: 8_000 } as const;
/**
 * Waits before the first attempt after a lost connection, longer each time that the registration
 * before it was short: a server that throws us out again and again, or another program that takes
 * our code each time, is not answered in kind.
 */
export const LOSSES = { firstMs: 250, longestMs: 60_000 } as const;
/**
 * A registration that held for so long was no short one, in milliseconds: longer than the longest of
 * those waits, so that two who take a code from each other never begin anew.
 */
export const STEADY_MS = 120_000;
/** Waits before a message is sent again to a peer that has not registered. */
export const ABSENT = { firstMs: 100, longestMs: 1_000 } as const;
/** Waits before a message is sent again to a server that wants fewer. */
export const LIMITED = { firstMs: 1_000, longestMs: 16_000 } as const;
/** After so long without an answer a message is said again: a relay tells no loss, in milliseconds. */
export const REPEAT_MS = 5_000;

/** Time and chance, passed in so that a test can be both. */
export interface Pace {
  /** Starts timers. */
  readonly timer: Timer;
  /** From 0 up to 1. */
  readonly random: () => number;
}

/** Real time, real chance. */
export const REAL_PACE: Pace = { timer: systemTimer, random: Math.random };
