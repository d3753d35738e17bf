/**
 * How large a packet the path takes: found by probes of padding (RFC 8899; SCTP's part of it:
 * section 6.2.1). Pure.
 *
 * @module
 */
import { MTU_FALLBACK_MS, MTU_PROBE_MS, MTU_RAISE_MS } from "../../../base/timing.ts";

/** Most probes of one size (RFC 8899, section 5.1.2: MAX_PROBES). */
const MAX_PROBES = 3;

/** Options of a {@linkcode PathMtu}. */
export interface PathMtuOptions {
  /** Bytes of a packet that passes everywhere. */
  readonly base: number;
  /** Larger sizes to try, the largest first. */
  readonly sizes: readonly number[];
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
  /** Sends a probe of this size. */
  readonly probe: (size: number) => void;
}

/** The search for the largest packet. */
export class PathMtu {
  readonly #options: PathMtuOptions;
  readonly #sizes: readonly number[];
  #packet: number;
  #candidate = 0;
  #probes = 0;
  #deadline: number | undefined;
  #hasBegun = false;

  /** Begins with the base, and does not search yet. */
  constructor(options: PathMtuOptions) {
    this.#options = options;
    this.#sizes = options.sizes.filter((size) => size > options.base);
    this.#packet = options.base;
  }

  /** Bytes of the largest packet that is known to pass. */
  get packet(): number {
    return this.#packet;
  }

  /** When {@linkcode PathMtu.onDeadline} is due. */
  get deadline(): number | undefined {
    return this.#deadline;
  }

  /** Begins the search: there is enough to send for it to be worth it. */
  begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#search();
  }

  /** The path has changed: it is found out anew what this one takes. */
  onPathChange(): void {
    this.#packet = this.#options.base;
    if (this.#hasBegun) this.#search();
  }

  /** A probe was not answered, or it is time to search again. */
  onDeadline(): void {
    if (this.#probes >= MAX_PROBES) {
      this.#candidate++;
      this.#probes = 0;
    }
    const size = this.#sizes[this.#candidate];
    if (size === undefined || size <= this.#packet) return this.#rest(MTU_RAISE_MS);
    this.#probes++;
    this.#deadline = this.#options.now() + MTU_PROBE_MS;
    this.#options.probe(size);
  }

  /** The peer has answered a probe of this size. */
  onAnswer(size: number): void {
    if (size <= this.#packet || !this.#sizes.includes(size)) return;
    this.#packet = size;
    // The largest was tried first: what failed before it is tried again much later.
    if (size === this.#sizes[0]) this.#deadline = undefined;
    else this.#rest(MTU_RAISE_MS);
  }

  /**
   * All that was under way got lost: the path may take no more than the base any longer. That it
   * takes more must be shown again.
   */
  onBlackHole(): void {
    if (this.#packet === this.#options.base) return;
    this.#packet = this.#options.base;
    this.#rest(MTU_FALLBACK_MS);
  }

  #search(): void {
    this.#candidate = this.#probes = 0;
    this.onDeadline();
  }

  #rest(ms: number): void {
    this.#candidate = this.#probes = 0;
    this.#deadline = this.#options.now() + ms;
  }
}
