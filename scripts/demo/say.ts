/**
 * Writing to the person who runs the demo.
 *
 * @module
 */

/** Writes a line to stdout. */
export function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text + "\n"));
}

/** Shows how far a file is: in place on a terminal, every tenth part elsewhere. */
export class Progress {
  readonly #size: number;
  readonly #inPlace = Deno.stdout.isTerminal();
  #shown = -1;

  /** Starts at nothing of `size` bytes. */
  constructor(size: number) {
    this.#size = size;
  }

  /** So many bytes are there, and so many come in a second. */
  show(bytes: number, bytesPerSecond: number): void {
    const percent = this.#size === 0 ? 100 : Math.floor((bytes / this.#size) * 100);
    const step = this.#inPlace ? percent : Math.floor(percent / 10) * 10;
    if (step <= this.#shown) return;
    this.#shown = step;
    const bar = "#".repeat(Math.floor(step / 5)).padEnd(20, ".");
    const rate = bytesPerSecond > 0 ? `  ${(bytesPerSecond / 1e6).toFixed(1)} MB/s` : "";
    const line = `   [${bar}] ${String(step).padStart(3)} %${rate}`;
    if (!this.#inPlace) say(line);
    else Deno.stdout.writeSync(new TextEncoder().encode(`\r${line.padEnd(60)}`));
  }

  /** All is there. */
  done(): void {
    this.show(this.#size, 0);
    if (this.#inPlace) say("");
  }
}
