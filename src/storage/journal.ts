/**
 * The transfer journal: an append-only file, one line for each change of a transfer, synced before
 * the change is reported to anyone. Changes that wait for the disk together are one line, so that a
 * crash leaves all of them or none. Read whole at start; rewritten atomically with what is still
 * worth knowing when it grows.
 *
 * A torn last line is what a crash leaves, and is cut off. Damage anywhere else is no crash of
 * ours: the journal is refused and left alone.
 *
 * @module
 */
import { unlessMissing } from "../base/system_error.ts";
import { StorageError } from "../base/errors.ts";
import { isFinal } from "../base/transfer_states.ts";
import { writeAtomically } from "./atomic_write.ts";
import { DATA_NAMES, type DataFolder } from "./data_folder.ts";
import { displaced } from "./fair_share.ts";
import {
  type FileStatus,
  type FileSystem,
  isSameFile,
  joinPath,
  type OpenFile,
} from "./file_system.ts";
import { withStorageErrors } from "./failure.ts";
import {
  type ChainedLine,
  changesOf,
  formatLine,
  headerAge,
  isTransferRecord,
  JOURNAL_HEADER,
  MAX_LINE_BYTES,
  parseLine,
  recordKey,
  type TransferRecord,
} from "./journal_record.ts";
import type { KnownFolder } from "./known_folder.ts";
import { readPrivateFile } from "./private_path.ts";
import { queueFull } from "./serial.ts";
import { writeFully } from "./whole_file.ts";

const LINE_FEED = 10;
/** Changes that may wait for the disk. */
export const MAX_PENDING_RECORDS = 256;

/** A change that waits for the disk, and who waits for it. */
interface Change extends PromiseWithResolvers<readonly TransferRecord[]> {
  readonly record: TransferRecord;
}

/** Options of {@linkcode Journal.open}. */
export interface JournalOptions {
  /**
   * Most transfers that are remembered; the oldest ended ones of whoever has most go first.
   * @default {1000}
   */
  readonly maxTransfers?: number;
}

/** What a journal's bytes say. */
export interface JournalContents {
  /** The last state of each transfer, in the order of the last change. */
  readonly records: Map<string, TransferRecord>;
  /** Bytes up to the end of the last whole line. */
  readonly length: number;
  /** The sum of that line. */
  readonly sum: string;
  /** Whether it is of an earlier version: it is to be written anew before more is added. */
  readonly isEarlier: boolean;
}

/**
 * Reads a journal's bytes.
 *
 * @returns Undefined when there is damage that no crash of ours leaves.
 */
export function parseJournal(bytes: Uint8Array): JournalContents | undefined {
  const records = new Map<string, TransferRecord>();
  let [start, lines, sum, isEarlier] = [0, 0, "", false];
  while (start < bytes.length) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const line = feed < 0 ? undefined : parseLine(sum, bytes.subarray(start, feed));
    if (line === undefined) {
      const isLast = feed < 0 || feed === bytes.length - 1;
      // The header is written with the file, atomically: it is never torn.
      if (!isLast || lines === 0) return undefined;
      break;
    }
    if (lines === 0) {
      const age = headerAge(line.entry);
      if (age === undefined) return undefined;
      isEarlier = age === "earlier";
    } else {
      const changes = changesOf(line.entry);
      if (changes === undefined) return undefined;
      applyChanges(records, changes);
    }
    sum = line.sum;
    start = feed + 1;
    lines++;
  }
  return lines === 0 ? undefined : { records, length: start, sum, isEarlier };
}

/** The open journal. Disposing it closes the file; all recorded changes are on disk. */
export class Journal implements Disposable {
  readonly #fs: FileSystem;
  readonly #folder: KnownFolder;
  readonly #path: string;
  readonly #maxTransfers: number;
  readonly #waiting: Change[] = [];
  #isWriting = false;
  readonly #records: Map<string, TransferRecord>;
  #file: OpenFile | undefined;
  /** Where the open file is written next. */
  #position = 0;
  /** The file as it was read or written; another under its name is not appended to. */
  #status: FileStatus | undefined;
  #isIntact = true;
  #length: number;
  #sum: string;

  private constructor(
    fs: FileSystem,
    folder: KnownFolder,
    maxTransfers: number,
    contents: JournalContents,
  ) {
    this.#fs = fs;
    this.#folder = folder;
    this.#path = joinPath(folder.path, DATA_NAMES.journal);
    this.#maxTransfers = maxTransfers;
    this.#records = new Map(contents.records);
    this.#length = contents.length;
    this.#sum = contents.sum;
  }

  /**
   * Reads the journal of a locked data folder, or begins one.
   *
   * @throws {StorageError} `JOURNAL_INVALID`, `MODE_TOO_OPEN`, `OWNER_FOREIGN`, or a failure of
   * the file system. The file is left as it is.
   */
  static async open(
    fs: FileSystem,
    folder: DataFolder,
    options: JournalOptions = {},
  ): Promise<Journal> {
    const { maxTransfers = 1000 } = options;
    const path = joinPath(folder.path, DATA_NAMES.journal);
    const advice = "put back a copy of it, or move it away: only the history of transfers is lost";
    const bytes = await readPrivateFile(fs, path, {
      uid: folder.uid,
      limit: maxBytes(maxTransfers),
      invalid: "JOURNAL_INVALID",
      advice,
    });
    const nothing: JournalContents = { records: new Map(), length: 0, sum: "", isEarlier: false };
    const contents = bytes === undefined ? nothing : parseJournal(bytes);
    if (contents === undefined) {
      throw new StorageError("JOURNAL_INVALID", `${path} is damaged or not a journal: ${advice}`);
    }
    const journal = new Journal(fs, folder.root, maxTransfers, contents);
    if (bytes === undefined || contents.isEarlier) {
      await withStorageErrors(`write ${path}`, () => journal.#rewrite(contents.records));
    } else journal.#status = await withStorageErrors(`read ${path}`, () => fs.lstat(path));
    return journal;
  }

  /** All transfers, in the order of their last change. */
  list(): TransferRecord[] {
    return [...this.#records.values()];
  }

  /**
   * Records a transfer, or a change of one. On disk when it resolves.
   *
   * @returns Ended transfers that were dropped to make room. Partial files of theirs are the
   * caller's to remove.
   * @throws {StorageError} `JOURNAL_INVALID` when the record breaks a rule of its fields;
   * `STORE_FULL` when there is no room and no transfer has ended; or a failure to write, after
   * which the old state stands.
   */
  async record(record: TransferRecord): Promise<readonly TransferRecord[]> {
    if (!isTransferRecord(record)) {
      throw new StorageError("JOURNAL_INVALID", "a transfer record breaks the journal's rules");
    }
    if (this.#waiting.length >= MAX_PENDING_RECORDS) {
      throw queueFull();
    }
    const change = { record, ...Promise.withResolvers<readonly TransferRecord[]>() };
    this.#waiting.push(change);
    if (!this.#isWriting) this.#writeAll();
    return await change.promise;
  }

  /** Closes the file. Changes recorded later open it again. */
  [Symbol.dispose](): void {
    this.#file?.[Symbol.dispose]();
    this.#file = undefined;
  }

  /** Writes what waits, and what comes meanwhile. Who waits for a change is told how that went. */
  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      let changes: readonly Change[] = [];
      try {
        await withStorageErrors(`write ${this.#path}`, async () => {
          const file = await this.#appendable();
          // Not before: what came while the file was looked at is written with the rest.
          changes = this.#takeTogether();
          await this.#write(changes.map(({ record }) => record), file).then((dropped) => {
            for (const { resolve } of changes) resolve(dropped);
          });
        });
      } catch (error) {
        if (changes.length === 0) changes = this.#takeTogether();
        for (const { reject } of changes) reject(error);
      }
    }
    this.#isWriting = false;
  }

  /**
   * Takes all that waits, or as much as there is room for: whatever needs others dropped is written
   * by itself.
   */
  #takeTogether(): readonly Change[] {
    const added = new Set<string>();
    const full = this.#waiting.findIndex(({ record }) => {
      const key = recordKey(record);
      if (!this.#records.has(key)) added.add(key);
      return this.#records.size + added.size > this.#maxTransfers;
    });
    return this.#waiting.splice(0, full < 0 ? this.#waiting.length : Math.max(1, full));
  }

  /** @returns What was dropped. */
  async #write(
    changes: readonly TransferRecord[],
    file: OpenFile | undefined,
  ): Promise<readonly TransferRecord[]> {
    const dropped = this.#displacedBy(changes);
    const [first, ...others] = changes;
    const isOne = first !== undefined && others.length === 0;
    const line = formatLine(this.#sum, isOne ? first : changes);
    const fits = this.#length + line.bytes.length <= maxBytes(this.#maxTransfers);
    if (file === undefined || dropped.length > 0 || !fits) {
      const records = new Map(this.#records);
      applyChanges(records, changes, dropped);
      await this.#rewrite(records);
    } else await this.#append(file, line);
    // In place: a copy of all of them for each line would cost more than the line.
    applyChanges(this.#records, changes, dropped);
    return dropped;
  }

  /** Several at once, so that a full journal isn't rewritten at every record. */
  #displacedBy(changes: readonly TransferRecord[]): readonly TransferRecord[] {
    if (this.#records.size < this.#maxTransfers) return [];
    if (changes.every((change) => this.#records.has(recordKey(change)))) return [];
    const ended = this.list().filter(({ state }) => isFinal(state));
    if (ended.length === 0) {
      throw new StorageError(
        "STORE_FULL",
        `${this.#maxTransfers} transfers are under way or queued: wait for some, or cancel them`,
      );
    }
    const count = Math.max(1, Math.floor(this.#maxTransfers / 10));
    return displaced(ended, ({ peer }) => peer, count);
  }

  /** The open file, unless it does not hold what we know of, or has lost its name. */
  async #appendable(): Promise<OpenFile | undefined> {
    if (!this.#isIntact) return undefined;
    const named = await unlessMissing(this.#fs.lstat(this.#path));
    if (named === undefined || !this.#isOurs(named) || named.size < this.#length) return undefined;
    this.#file ??= await this.#open();
    // Takes away what a crash or a failed write left of a line.
    if (named.size > this.#length) await this.#file?.truncate(this.#length);
    return this.#file;
  }

  async #open(): Promise<OpenFile | undefined> {
    using stack = new DisposableStack();
    const file = stack.use(await this.#fs.open(this.#path, "update"));
    if (!this.#isOurs(await file.status())) return undefined;
    stack.move();
    this.#position = 0;
    return file;
  }

  #isOurs(status: FileStatus): boolean {
    return this.#status !== undefined && isSameFile(status, this.#status);
  }

  async #append(file: OpenFile, line: ChainedLine): Promise<void> {
    try {
      if (this.#position !== this.#length) await file.seek(this.#length);
      await writeFully(file, line.bytes);
      await file.sync();
      await this.#folder.checkUnchanged();
    } catch (error) {
      // A whole line that could not be synced would come back at the next start.
      await file.truncate(this.#length).catch(() => {});
      this[Symbol.dispose]();
      throw error;
    }
    this.#length += line.bytes.length;
    this.#position = this.#length;
    this.#sum = line.sum;
  }

  async #rewrite(records: ReadonlyMap<string, TransferRecord>): Promise<void> {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let sum = "";
    for (const entry of [JOURNAL_HEADER, ...records.values()]) {
      const line = formatLine(sum, entry);
      parts.push(line.bytes);
      sum = line.sum;
    }
    const bytes = await new Blob(parts).bytes();
    this[Symbol.dispose]();
    // Until this has ended well, what is under the name is the old file or the new one.
    this.#isIntact = false;
    this.#status = await writeAtomically(this.#fs, this.#folder, DATA_NAMES.journal, bytes);
    [this.#isIntact, this.#length, this.#sum] = [true, bytes.length, sum];
  }
}

/** The last change goes last. */
function applyChanges(
  records: Map<string, TransferRecord>,
  changes: readonly TransferRecord[],
  dropped: readonly TransferRecord[] = [],
): void {
  for (const old of dropped) records.delete(recordKey(old));
  for (const change of changes) {
    const key = recordKey(change);
    records.delete(key);
    records.set(key, change);
  }
}

/** Where the file is rewritten: twice what all transfers can need, so that it shrinks by half. */
function maxBytes(maxTransfers: number): number {
  return 2 * (maxTransfers + 1) * MAX_LINE_BYTES;
}
