/**
 * A prompt at which somebody types, and below it the time that is left to do so.
 *
 * @module
 */
import type { Clock } from "../../base/timer.ts";
import { COUNTDOWN_MS } from "../../base/timing.ts";
import type { Terminal } from "../terminal.ts";
import { widthOf } from "./width.ts";

/** Widest text below the prompt. */
const WIDEST = "no time left".length;

/**
 * Draws the time that is left, again and again while somebody types. It stands below the prompt, so
 * that the line feed that ends what was typed comes down on it, and all from the cursor on can be
 * cleared, however long that was.
 * Disposing it clears it.
 */
export class Countdown implements Disposable {
  readonly #terminal: Terminal;
  readonly #endsAt: number;
  readonly #clock: Clock;
  #stopClock = (): void => {};
  #isShown = false;

  /**
   * Shows nothing yet.
   *
   * @param endsAt When the time is over, in milliseconds since 1970.
   */
  constructor(terminal: Terminal, endsAt: number, clock: Clock) {
    this.#terminal = terminal;
    this.#endsAt = endsAt;
    this.#clock = clock;
  }

  /** Whole seconds that are left, a begun one too. */
  get seconds(): number {
    return Math.ceil(Math.max(0, this.#endsAt - this.#clock.now()) / 1000);
  }

  /** Writes the prompt, the time below it, and leaves the cursor behind the prompt. */
  prompt(text: string): void {
    const column = widthOf(text);
    if (Math.max(column, WIDEST) >= this.#terminal.columns()) return this.#terminal.write(text);
    this.#isShown = true;
    // CUU and CHA of ECMA-48: no saved cursor, as the line feed may have moved all lines up.
    this.#terminal.write(`${text}\n${this.#text()}\x1b[1A\x1b[${column + 1}G`);
    this.#wait();
  }

  /** Clears the time; the cursor is below the prompt then, where what follows is written. */
  clear(how: "typed" | "untyped"): void {
    this.#stopClock();
    // The terminal itself has moved the cursor when a line was typed.
    const down = how === "typed" ? "" : "\n";
    this.#terminal.write(this.#isShown ? `${down}\r\x1b[J` : down);
    this.#isShown = false;
  }

  #wait(): void {
    const left = this.#endsAt - this.#clock.now();
    if (left <= 0) return;
    this.#stopClock = this.#clock.after(left % COUNTDOWN_MS || COUNTDOWN_MS, () => {
      // DECSC and DECRC keep the cursor where somebody types; EL clears the line.
      this.#terminal.write(`\x1b7\x1b[1B\r\x1b[2K${this.#text()}\x1b8`);
      this.#wait();
    });
  }

  #text(): string {
    const { seconds } = this;
    return seconds === 0 ? "no time left" : `${seconds} s left`;
  }

  /** Stops, and clears what is shown. */
  [Symbol.dispose](): void {
    if (this.#isShown) this.clear("untyped");
    this.#stopClock();
  }
}
