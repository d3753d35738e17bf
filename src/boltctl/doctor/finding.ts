/**
 * What the doctor finds.
 *
 * @module
 */

/** How bad a finding is. */
export type Verdict = "ok" | "warning" | "failure";

/** One thing that was looked at. */
export interface Finding {
  /** What was looked at, e.g. `socket`. */
  readonly check: string;
  /** How bad it is. */
  readonly verdict: Verdict;
  /** What was found, a sentence without full stop. */
  readonly found: string;
  /** What to do; absent when nothing is to be done. */
  readonly advice?: string;
}

/** A finding that asks for nothing. */
export function fine(check: string, found: string): Finding {
  return { check, verdict: "ok", found };
}

/** It works, but not for long or not as it should. */
export function warning(check: string, found: string, advice: string): Finding {
  return { check, verdict: "warning", found, advice };
}

/** It does not work. */
export function failure(check: string, found: string, advice: string): Finding {
  return { check, verdict: "failure", found, advice };
}
