/**
 * Shows transfers while they go on: bars that are redrawn on a terminal, plain lines elsewhere.
 * Draws only when something has happened; no timer.
 *
 * @module
 */
import { isFinal } from "../../base/transfer_states.ts";
import { escapeUnsafe } from "../../base/text.ts";
import type { Terminal } from "../terminal.ts";
import { plainProgressLine, type Progress, progressLine } from "./progress_line.ts";
import { percent } from "./units.ts";

/** A view of transfers under way. */
export interface ProgressView {
  /** Shows how far a transfer is now. */
  show(progress: Progress): void;
  /** Writes a line above what is redrawn. */
  say(line: string): void;
  /** Leaves the last state standing, and the cursor below it. */
  finish(): void;
}

/** The view that suits a terminal. */
export function progressView(terminal: Terminal): ProgressView {
  return terminal.isTerminal ? new Bars(terminal) : new Lines(terminal);
}

/** Lines, whatever the terminal: nothing that was written is written over. */
export function plainView(terminal: Terminal): ProgressView {
  return new Lines(terminal);
}

/** No view: for JSON. */
export const NO_VIEW: ProgressView = { show() {}, say() {}, finish() {} };

/** Most bars at once; further transfers are counted on a last line. */
const MOST_BARS = 10;

class Bars implements ProgressView {
  readonly #terminal: Terminal;
  readonly #shown = new Map<string, Progress>();
  #drawn = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(progress: Progress): void {
    this.#shown.set(progress.transfer.transferId, progress);
    this.#draw();
  }

  say(line: string): void {
    this.#terminal.write(`${this.#erase()}${escapeUnsafe(line)}\n`);
    this.#drawn = 0;
    this.#draw();
  }

  finish(): void {
    this.#shown.clear();
    this.#drawn = 0;
  }

  /** An ended transfer's line stays above, so that the bars are those under way. */
  #draw(): void {
    const columns = this.#terminal.columns();
    const lines: string[] = [];
    for (const [id, progress] of this.#shown) {
      if (!isFinal(progress.transfer.state)) continue;
      lines.push(progressLine(progress, columns));
      this.#shown.delete(id);
    }
    const bars = [...this.#shown.values()];
    const settled = lines.length;
    lines.push(...bars.slice(0, MOST_BARS).map((progress) => progressLine(progress, columns)));
    if (bars.length > MOST_BARS) lines.push(`and ${bars.length - MOST_BARS} more`);
    const text = lines.map((line) => `${escapeUnsafe(line)}\n`).join("");
    this.#terminal.write(this.#erase() + text);
    this.#drawn = lines.length - settled;
  }

  /** Moves up over what was drawn (CUU) and clears to the end (ED), as of ECMA-48. */
  #erase(): string {
    return this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A\r\x1b[J`;
  }
}

/** Percents between two lines of a transfer. */
const LINE_STEP = 10;

class Lines implements ProgressView {
  readonly #terminal: Terminal;
  readonly #last = new Map<string, string>();

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(progress: Progress): void {
    const { transferId, state, transferred, hashed, size } = progress.transfer;
    const moved = state === "active" ? transferred : state === "queued" ? hashed : undefined;
    const step = moved === undefined ? "" : Math.floor(percent(moved, size) / LINE_STEP);
    const key = `${state} ${step}`;
    if (this.#last.get(transferId) === key) return;
    if (isFinal(progress.transfer.state)) this.#last.delete(transferId);
    else this.#last.set(transferId, key);
    this.say(plainProgressLine(progress));
  }

  say(line: string): void {
    this.#terminal.write(`${escapeUnsafe(line)}\n`);
  }

  finish(): void {
    this.#last.clear();
  }
}
