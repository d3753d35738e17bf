/**
 * Notices that this machine's addresses change. The platform does not tell, so it is looked, and only
 * while somebody wants to know.
 *
 * @module
 */
import { LINK_ADDRESS_LOOK_MS } from "../../../base/timing.ts";
import type { Timer } from "../../../base/timer.ts";

/** Options of an {@linkcode AddressWatch}. */
export interface AddressWatchOptions {
  /** The addresses as they are. */
  readonly addresses: () => readonly string[];
  /** Calls back later. */
  readonly after: Timer;
  /** Whether somebody wants to know. */
  readonly isWanted: () => boolean;
  /** Called when they are others than at the look before. */
  readonly onChange: () => void;
}

/** Looks at the addresses again and again. */
export class AddressWatch {
  readonly #options: AddressWatchOptions;
  #seen: string | undefined;
  #stopTimer: (() => void) | undefined;
  #isStopped = false;

  /** Does not look yet. */
  constructor(options: AddressWatchOptions) {
    this.#options = options;
  }

  /** Looks from now on, unless it does, for as long as that is wanted. */
  look(): void {
    if (this.#stopTimer !== undefined || this.#isStopped || !this.#options.isWanted()) return;
    this.#seen = this.#read();
    this.#arm();
  }

  /** Looks no more. */
  stop(): void {
    this.#isStopped = true;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  #arm(): void {
    this.#stopTimer = this.#options.after(LINK_ADDRESS_LOOK_MS, () => {
      this.#stopTimer = undefined;
      if (!this.#options.isWanted()) return;
      const now = this.#read();
      const isOther = now !== this.#seen;
      this.#seen = now;
      this.#arm();
      if (isOther) this.#options.onChange();
    });
  }

  #read(): string {
    try {
      return this.#options.addresses().toSorted().join(" ");
    } catch {
      return ""; // the machine does not say: then no change is seen, and time alone counts
    }
  }
}
