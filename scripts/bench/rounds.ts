/**
 * Variants in turns, round by round, so that whatever else the machine does meets all of them.
 *
 * @module
 */
import { abortable, Deadline } from "../../src/base/deadline.ts";
import type { Figures, Results } from "./statistics.ts";

/** Something that is measured. */
export interface Variant {
  readonly name: string;
  /**
   * Runs it once.
   *
   * @param signal Aborts when its time is up: it then ends what it has started.
   */
  run(signal: AbortSignal): Promise<Figures>;
}

/** Options of {@linkcode inTurns}. */
export interface TurnsOptions {
  readonly rounds: number;
  /** Milliseconds that a run may take; one that takes longer, or fails, is lost. */
  readonly deadlineMs: number;
}

/** Runs each variant once a round. */
export async function inTurns(
  variants: readonly Variant[],
  { rounds, deadlineMs }: TurnsOptions,
): Promise<Results> {
  const results = new Map<string, (Figures | undefined)[]>(variants.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const { name, run } of variants) {
      using deadline = new Deadline(deadlineMs, { what: name });
      const running = run(deadline.signal);
      const figures = await abortable(running, deadline.signal).catch((error) => {
        say(`round ${round}, ${name}: lost: ${error instanceof Error ? error.message : error}`);
        return undefined;
      });
      // What it has started is gone before the next one begins.
      if (figures === undefined) await running.catch(() => {});
      else say(`round ${round}, ${name}: ${formatFigures(figures)}`);
      results.get(name)?.push(figures);
    }
  }
  return results;
}

function formatFigures(figures: Figures): string {
  return [...figures].map(([key, value]) => `${key} ${value.toFixed(2)}`).join(", ");
}

/** Writes a line to standard error. */
export function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`bench: ${line}\n`));
}
