/**
 * Waiting for an offer or answer in a file.
 *
 * The path is looked at, and nothing else: what counts is the file as it is read. The system's file
 * events would be a hint at most (none comes for what another host writes to a network share), and
 * the runtime's way to hear them stops the process when anybody makes a FIFO in the folder.
 *
 * @module
 */
import { BackOff } from "../../base/back_off.ts";
import { DeadlineError, SignalError } from "../../base/errors.ts";
import { sleep, systemTimer } from "../../base/timer.ts";
import { SIGNAL_FILE_LOOK } from "../../base/timing.ts";
import { type SdpType, tooLarge } from "../../protocol/signal/bundle.ts";
import { mayBeIncomplete } from "./incomplete_json.ts";
import { lookAt } from "./look.ts";
import { withSignalFileErrors } from "./signal_file.ts";

/** A parsed file and the very text it was read from, which distinguishes it from a later one. */
export interface ReadSignal<T> {
  /** What was read. */
  readonly value: T;
  /** The text it was parsed from. */
  readonly text: string;
}

/** What a {@linkcode SignalFileWatcher} waits for. */
export interface WatchedSignal<T> {
  /** Where the file is, or will be. */
  readonly path: string;
  /** Which half it is, for messages. */
  readonly kind: SdpType;
  /** Parses the whole text. @throws {SignalError} When it is not what is waited for. */
  readonly parse: (text: string) => T;
  /**
   * Judges the number of the owner of a file that was parsed. @throws {SignalError} When it is not to
   * be taken. @default {all are taken}
   */
  readonly checkOwner?: (uid: number | null) => Promise<void>;
}

/** Waits for an offer or answer in a file, and for the next after it. Holds nothing open. */
export class SignalFileWatcher<T> {
  readonly #watched: WatchedSignal<T>;
  /** Why the last look had no use for the file that was there; empty when there was none. */
  #lastProblem = "";
  /** What lies at the path from an earlier run. */
  #passedOver: string | undefined;

  /** Makes one; nothing is looked at yet. */
  constructor(watched: WatchedSignal<T>) {
    this.#watched = watched;
  }

  /**
   * What is in the file, as soon as there is a text that is not `previous`. A file that is still
   * being written is waited for.
   *
   * @throws {SignalError} What `parse` throws, BUNDLE_TOO_LARGE, SIGNAL_FILE.
   * @throws {DeadlineError} When the signal's reason is one: with what was wrong with the file.
   */
  async next(options: { signal: AbortSignal; previous?: string }): Promise<ReadSignal<T>> {
    const { signal, previous } = options;
    try {
      const waits = new BackOff(SIGNAL_FILE_LOOK);
      for (;;) {
        const found = await this.look(signal, previous);
        if (found !== undefined) return found;
        await sleep(systemTimer, waits.next(), signal);
      }
    } catch (error) {
      if (!(error instanceof DeadlineError) || this.#lastProblem === "") throw error;
      throw new DeadlineError(`${error.message}: ${this.#lastProblem}`);
    }
  }

  /**
   * Passes over what is in the file now, from here on: it is of an earlier run, and can't be removed.
   *
   * @throws {SignalError} SIGNAL_FILE when it can't be read; or the signal's reason.
   */
  async passOver(signal: AbortSignal): Promise<void> {
    const { path, kind } = this.#watched;
    const found = await withSignalFileErrors(
      `cannot read the ${kind} at ${path}`,
      signal,
      () => lookAt(path),
    );
    if (found.kind === "file") this.#passedOver = found.text;
  }

  /**
   * What is in the file now; undefined when there is none, when only a part of it is written, when the
   * text is `previous`, or when it is passed over.
   *
   * @throws {SignalError} As {@linkcode SignalFileWatcher.next} does.
   */
  async look(signal: AbortSignal, previous?: string): Promise<ReadSignal<T> | undefined> {
    const { path, kind, parse, checkOwner } = this.#watched;
    const doing = `cannot read the ${kind} at ${path}`;
    const found = await withSignalFileErrors(doing, signal, () => lookAt(path));
    if (found.kind === "other") {
      throw new SignalError("SIGNAL_FILE", `${path} is ${found.what}: give a plain file's path`);
    }
    if (found.kind === "large") throw tooLarge(kind);
    this.#lastProblem = "";
    if (found.kind === "nothing" || found.text === previous) return undefined;
    const { text, uid } = found;
    if (text === this.#passedOver) {
      this.#lastProblem = `${path} is of an earlier run, and this user may not remove it`;
      return undefined;
    }
    try {
      const value = parse(text);
      if (checkOwner !== undefined) {
        await withSignalFileErrors(doing, signal, () => checkOwner(uid));
      }
      return { value, text };
    } catch (error) {
      if (!mayBeIncomplete(text)) throw error;
      this.#lastProblem = `${path} holds only a part of a bundle`;
      return undefined;
    }
  }
}
