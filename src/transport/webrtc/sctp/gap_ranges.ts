/**
 * The TSNs that came ahead of a gap, as runs.
 *
 * @module
 */
import { tsnAdd, tsnDistance } from "./tsn.ts";
import type { GapBlock } from "./packet.ts";

/** Runs of TSNs ahead of a cumulative TSN: disjoint, not touching, in order. */
export class GapRanges {
  readonly #runs: { first: number; last: number }[] = [];

  /** Whether there is no run: all that came is in order. */
  get isEmpty(): boolean {
    return this.#runs.length === 0;
  }

  /** How many runs there are. */
  get count(): number {
    return this.#runs.length;
  }

  /** Adds a TSN that lies ahead of the cumulative one. False when it was there already. */
  add(tsn: number): boolean {
    const runs = this.#runs;
    // A TSN mostly extends the last run, so search from the end.
    let at = runs.length;
    for (; at > 0; at--) {
      const run = runs[at - 1];
      if (run !== undefined && tsnDistance(run.first, tsn) >= 0) break;
    }
    const before = runs[at - 1];
    const after = runs[at];
    if (before !== undefined && tsnDistance(tsn, before.last) >= 0) return false;
    const joinsBefore = before !== undefined && tsnDistance(before.last, tsn) === 1;
    const joinsAfter = after !== undefined && tsnDistance(tsn, after.first) === 1;
    if (joinsBefore && joinsAfter) {
      before.last = after.last;
      runs.splice(at, 1);
    } else if (joinsBefore) before.last = tsn;
    else if (joinsAfter) after.first = tsn;
    else runs.splice(at, 0, { first: tsn, last: tsn });
    return true;
  }

  /**
   * Drops all up to `cumulativeTsn` and the run that starts right after it. Returns the TSN up to
   * which everything has come now.
   */
  advance(cumulativeTsn: number): number {
    let end = cumulativeTsn;
    for (let run = this.#runs[0]; run !== undefined; run = this.#runs[0]) {
      if (tsnDistance(tsnAdd(end, 1), run.first) > 0) break;
      if (tsnDistance(end, run.last) > 0) end = run.last;
      this.#runs.shift();
    }
    return end;
  }

  /** The runs as a SACK lists them. A run ends where 16 bits do. */
  blocks(cumulativeTsn: number): GapBlock[] {
    return this.#runs
      .map((run) => ({
        start: tsnDistance(cumulativeTsn, run.first),
        end: Math.min(tsnDistance(cumulativeTsn, run.last), 0xffff),
      }))
      .filter(({ start }) => start <= 0xffff);
  }
}
