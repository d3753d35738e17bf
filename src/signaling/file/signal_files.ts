/**
 * The two files of one exchange: the offer's and the answer's.
 *
 * @module
 */
import { dirname, resolve } from "node:path";
import { SignalError } from "../../base/errors.ts";
import { errnoOf } from "../../base/system_error.ts";
import type { SdpType } from "../../protocol/signal/bundle.ts";
import type { SignalOwner } from "../../vocabulary/session_values.ts";
import { lookAt } from "./look.ts";
import { assertReplaceable } from "./replaceable.ts";
import { guarded, makeFolder, publishSignalFile, removeStaleFile } from "./signal_file.ts";
import { SignalFileWatcher } from "./signal_file_watcher.ts";
import { OwnerCheck } from "./signal_owner.ts";

/** Options of {@linkcode SignalFiles.open}. */
export interface SignalFilesOptions<T> {
  /** Which half we write; the other is the peer's. */
  readonly ours: SdpType;
  /** Path of each half; absent where it does not travel in a file. */
  readonly paths: { readonly [half in SdpType]?: string };
  /** Parses the peer's half, which is to be `half`. @throws {SignalError} When it is not. */
  readonly parse: (text: string, half: SdpType) => T;
  /** Whose files are taken. */
  readonly owner: SignalOwner;
  /** Told of what the operator should know, in a sentence. */
  readonly warn: (message: string) => void;
}

/** The files of an exchange, judged and ready. */
export class SignalFiles<T> {
  /** Waits for the peer's half; undefined where it does not come in a file. */
  readonly theirs: SignalFileWatcher<T> | undefined;
  readonly #options: SignalFilesOptions<T>;
  readonly #made = new Set<string>();

  private constructor(options: SignalFilesOptions<T>) {
    this.#options = options;
    const { paths, ours, parse, owner, warn } = options;
    const kind = peersHalf(ours);
    const path = paths[kind];
    if (path === undefined) return;
    const check = new OwnerCheck(owner, paths[ours] ?? path, warn);
    const checkOwner = (uid: number | null) => check.check(path, uid);
    this.theirs = new SignalFileWatcher({
      ...{ path, kind, checkOwner },
      parse: (text) => parse(text, kind),
    });
  }

  /**
   * Judges what lies at both paths, before either is touched; then makes the folders, and for the
   * offerer removes what an earlier run left.
   *
   * @throws {SignalError} SIGNAL_FILE when one of them can't be used, or what lies there is none of
   * ours; what `parse` throws; or the signal's reason.
   */
  static async open<T>(
    options: SignalFilesOptions<T>,
    signal: AbortSignal,
  ): Promise<SignalFiles<T>> {
    const { ours, paths } = options;
    const files = new SignalFiles(options);
    const { offer, answer } = paths;
    if (offer !== undefined && answer !== undefined && resolve(offer) === resolve(answer)) {
      const both = `the offer and the answer are both at ${offer}`;
      throw new SignalError("SIGNAL_FILE", `${both}: give two paths`);
    }
    const replaced = ours === "offer" ? [offer, answer] : [answer];
    for (const path of replaced) if (path !== undefined) await judge(path, signal);
    if (ours === "answer") await files.theirs?.look(signal);
    for (const path of [offer, answer]) {
      if (path === undefined) continue;
      const folder = dirname(path);
      const doing = `cannot make the folder ${folder}`;
      if (await guarded(doing, signal, () => makeFolder(folder))) files.#made.add(folder);
    }
    if (ours === "offer") {
      if (offer !== undefined) await removeStaleFile(offer, signal);
      await files.removeTheirs(signal);
    }
    return files;
  }

  /**
   * Publishes our half, which has a path.
   *
   * @throws {SignalError} As {@linkcode publishSignalFile} does.
   */
  async publish(text: string, signal: AbortSignal): Promise<void> {
    const { ours, paths } = this.#options;
    const path = paths[ours];
    if (path === undefined) return;
    const isPrivate = this.#made.has(dirname(path));
    await publishSignalFile(path, ours, text, { signal, isPrivate });
  }

  /**
   * Removes the peer's half, which is of no use any more. Where our user may not, as in a share of
   * which we only read or in `/tmp`, it is passed over.
   *
   * @throws {SignalError} As {@linkcode removeStaleFile} does.
   */
  async removeTheirs(signal: AbortSignal): Promise<void> {
    const { ours, paths } = this.#options;
    const path = paths[peersHalf(ours)];
    if (path === undefined) return;
    try {
      await removeStaleFile(path, signal);
    } catch (error) {
      if (!(error instanceof SignalError) || !isForbidden(error.cause)) throw error;
      await this.theirs?.passOver(signal);
    }
  }
}

const isForbidden = (cause: unknown): boolean =>
  ["EACCES", "EPERM", "EROFS"].includes(errnoOf(cause) ?? "");

const peersHalf = (ours: SdpType): SdpType => ours === "offer" ? "answer" : "offer";

async function judge(path: string, signal: AbortSignal): Promise<void> {
  const found = await guarded(`cannot use ${path}`, signal, () => lookAt(path));
  assertReplaceable(path, found);
}
