/**
 * The names of a transfer's states, once: the API shows them, the journal keeps them, the protocol
 * core's outcomes and the metrics' labels are among them.
 *
 * @module
 */

/** A transfer goes on. `verifying`: all has come, and is about to get its name in the inbox. */
const LIVE_STATES = ["queued", "offered", "active", "paused", "verifying"] as const;

/** Nothing more happens to the transfer. */
export const FINAL_STATES = [
  "completed",
  "rejected",
  "cancelled",
  "failed",
  "interrupted",
] as const;

/** All states, the final ones last. */
export const TRANSFER_STATES = [...LIVE_STATES, ...FINAL_STATES] as const;

/** A state in which a transfer ends. */
export type FinalState = typeof FINAL_STATES[number];
/** Any state of a transfer. */
export type TransferState = typeof TRANSFER_STATES[number];

/** Whether nothing more happens to a transfer in this state. */
export function isFinal(state: string): state is FinalState {
  return FINAL_STATES.some((final) => final === state);
}

/** What a transfer can wait for, where its state alone does not say it. */
export const WAITING_FOR = [
  "session",
  "peer",
  "peer-space",
  "hash",
  "peer-decision",
  "decision",
  "slot",
  "resume",
  "peer-resume",
  "confirmation",
] as const;
