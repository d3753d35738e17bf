/**
 * Where the peer's descriptions come from in file mode; and the one that is stdin (`-`).
 *
 * @module
 */
import { abortable } from "../../base/deadline.ts";
import type { SdpType } from "../../protocol/signal/bundle.ts";
import { readSignalLine } from "../../signaling/file/standard_streams.ts";

/** Where descriptions of the peer come from, one replacing the other. */
export interface DescriptionSource<T> {
  /** The next description that differs from the one before. */
  next(signal: AbortSignal): Promise<T>;
  /** Resolves when the description that was given last has been replaced. */
  replaced(signal: AbortSignal): Promise<void>;
  /** What has replaced the last one is not for us either, and no longer there. */
  discard(signal: AbortSignal): Promise<void>;
}

/** Lines of stdin. */
export class StreamSource<T> implements DescriptionSource<T> {
  readonly #half: SdpType;
  readonly #parse: (text: string) => T;

  /** Reads nothing yet. @param half Which half is read, for messages. */
  constructor(half: SdpType, parse: (text: string) => T) {
    this.#half = half;
    this.#parse = parse;
  }

  /** The description in the next line. */
  async next(signal: AbortSignal): Promise<T> {
    return this.#parse(await readSignalLine(this.#half, signal));
  }

  /** A line can't be replaced: ends with the signal. */
  replaced(signal: AbortSignal): Promise<void> {
    return abortable(new Promise<never>(() => {}), signal);
  }

  /** There is nothing to discard. */
  discard(): Promise<void> {
    return Promise.resolve();
  }
}
