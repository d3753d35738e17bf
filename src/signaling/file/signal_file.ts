/**
 * Offers and answers in files: published in one piece, waited for by file-system events.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { abortable } from "../../base/deadline.ts";
import { messageOf, SignalError } from "../../base/errors.ts";
import { MAX_BUNDLE_BYTES, type SdpType, tooLarge } from "../../protocol/signal/bundle.ts";
import { mayBeIncomplete } from "./incomplete_json.ts";

/**
 * Writes an offer or answer so that a reader sees all of it or nothing: to a temporary name in the
 * same folder, then renamed. The folder is made when it is not there.
 *
 * @param path Where it goes.
 * @param kind Which half it is, for messages.
 * @param text One line of JSON, without a line feed.
 * @throws {SignalError} SIGNAL_FILE.
 */
export async function publishSignalFile(path: string, kind: SdpType, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${crypto.randomUUID()}.tmp`);
  try {
    await makeParent(path);
    await Deno.writeTextFile(temporary, text + "\n", { createNew: true });
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {}); // it may never have been made
    throw fileError(`cannot write the ${kind}`, path, error);
  }
}

/**
 * Removes an offer or answer that an earlier run left.
 *
 * @throws {SignalError} SIGNAL_FILE when there is one that can't be removed.
 */
export async function removeStaleFile(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw fileError("cannot remove the file of an earlier run", path, error);
  }
}

/** A parsed file and the very text it was read from, which tells it from a later one. */
export interface ReadSignal<T> {
  /** What was read. */
  readonly value: T;
  /** The text it was parsed from. */
  readonly text: string;
}

/** What a {@linkcode SignalFileWatcher} watches for. */
export interface WatchedSignal<T> {
  /** Where the file is, or will be. */
  readonly path: string;
  /** Which half it is, for messages. */
  readonly kind: SdpType;
  /** Parses the whole text. @throws {SignalError} When it is not what is watched for. */
  readonly parse: (text: string) => T;
}

/**
 * Watches for an offer or answer in a file. Nothing is missed between
 * {@linkcode SignalFileWatcher.open} and {@linkcode SignalFileWatcher.next}: the file-system watch
 * stands from the beginning.
 */
export class SignalFileWatcher<T> implements Disposable {
  readonly #watched: WatchedSignal<T>;
  readonly #events: Deno.FsWatcher;
  #lastProblem = "";

  private constructor(watched: WatchedSignal<T>, events: Deno.FsWatcher) {
    this.#watched = watched;
    this.#events = events;
  }

  /**
   * Starts watching; the folder is made when it is not there.
   *
   * @throws {SignalError} SIGNAL_FILE.
   */
  static async open<T>(watched: WatchedSignal<T>): Promise<SignalFileWatcher<T>> {
    const { path, kind } = watched;
    try {
      await makeParent(path);
      return new SignalFileWatcher(watched, Deno.watchFs(dirname(path), { recursive: false }));
    } catch (error) {
      throw fileError(`cannot watch for the ${kind}`, path, error);
    }
  }

  /** Why the last look found nothing to use though there was a file; empty when there was none. */
  get lastProblem(): string {
    return this.#lastProblem;
  }

  /**
   * What is in the file, as soon as there is a text that is not `previous`. A file that is still
   * being written is waited for.
   *
   * @throws {SignalError} What `parse` throws, BUNDLE_TOO_LARGE, SIGNAL_FILE; or the signal's reason.
   */
  async next(options: { signal: AbortSignal; previous?: string }): Promise<ReadSignal<T>> {
    const { signal, previous } = options;
    const { path, kind } = this.#watched;
    const events = this.#events[Symbol.asyncIterator]();
    for (;;) {
      signal.throwIfAborted();
      const found = await this.#look(previous);
      if (found !== undefined) return found;
      for (let ours = false; !ours;) {
        const event = await abortable(events.next(), signal);
        if (event.done) throw fileError(`the watch for the ${kind} ended`, path, "");
        ours = event.value.paths.some((changed) => basename(changed) === basename(path));
      }
    }
  }

  async #look(previous: string | undefined): Promise<ReadSignal<T> | undefined> {
    const { path, kind, parse } = this.#watched;
    const text = await readBounded(path, kind);
    if (text === undefined || text === previous) return undefined;
    this.#lastProblem = "";
    try {
      return { value: parse(text), text };
    } catch (error) {
      if (!mayBeIncomplete(text)) throw error;
      this.#lastProblem = `${path} holds only a part of a bundle`;
      return undefined;
    }
  }

  /** Ends the watch. */
  [Symbol.dispose](): void {
    this.#events.close();
  }
}

/** The file's text; undefined when there is no file. Never more than the limit is read. */
async function readBounded(path: string, kind: SdpType): Promise<string | undefined> {
  try {
    const info = await Deno.lstat(path);
    if (info.isSymlink) throw refusal(path, "is a symbolic link");
    // Opening a FIFO would block; a directory or a device holds no bundle.
    if (!info.isFile) throw refusal(path, "is not a regular file");
    if (info.size > MAX_BUNDLE_BYTES) throw tooLarge(kind);
    using file = await Deno.open(path);
    const buffer = new Uint8Array(MAX_BUNDLE_BYTES + 1);
    let length = 0;
    for (
      let read: number | null = 0;
      read !== null && length < buffer.length;
      length += read ?? 0
    ) {
      read = await file.read(buffer.subarray(length));
    }
    if (length > MAX_BUNDLE_BYTES) throw tooLarge(kind);
    return new TextDecoder().decode(buffer.subarray(0, length));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof SignalError) throw error;
    throw fileError(`cannot read the ${kind}`, path, error);
  }
}

async function makeParent(path: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
}

function refusal(path: string, why: string): SignalError {
  return new SignalError("SIGNAL_FILE", `${path} ${why}: give the path of a plain file`);
}

function fileError(what: string, path: string, cause: unknown): SignalError {
  const why = cause === "" ? "" : `: ${messageOf(cause)}`;
  return new SignalError("SIGNAL_FILE", `${what} at ${path}${why}`, { cause });
}
