/**
 * Time that a test turns on by hand. For tests only.
 *
 * @module
 */
import type { Timer } from "../../base/timer.ts";
import type { Pace } from "./pace.ts";

interface Armed {
  readonly ms: number;
  readonly at: number;
  readonly act: () => void;
}

/** A pace whose timers fire when a test lets time pass. Chance gives the longest waits. */
export class ManualPace implements Pace {
  #now = 0;
  readonly #armed = new Set<Armed>();
  #wake = Promise.withResolvers<void>();

  /** Starts a timer. */
  readonly timer: Timer = (ms, act) => {
    const armed = { ms, at: this.#now + ms, act };
    this.#armed.add(armed);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
    return () => this.#armed.delete(armed);
  };

  /** The longest waits. */
  readonly random = (): number => 1;

  /** Resolves when a timer of that length is running. */
  async waits(ms: number): Promise<void> {
    while (![...this.#armed].some((armed) => armed.ms === ms)) await this.#wake.promise;
  }

  /** Lets time pass: what is due fires, in order. */
  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#armed].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#armed.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.act();
    }
    this.#now = end;
  }
}

/** Real time that runs so many times faster, so that no test waits for half a minute. */
export function fastPace(times: number): Pace {
  const timer: Timer = (ms, act) => {
    const id = setTimeout(act, ms / times);
    return () => clearTimeout(id);
  };
  return { timer, random: Math.random };
}
