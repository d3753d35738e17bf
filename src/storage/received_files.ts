/**
 * Every file that has arrived, in the order of arriving, until newer ones push it out: what an
 * application reads that must handle each file once, whatever was restarted meanwhile.
 *
 * The folder `received` holds blocks of at most 64 files, each a JSON file that is replaced whole and
 * named after the number of its first: `{"version":1,"before":"<id>","files":[...]}`. `before` is the
 * id of the file before the first one; null when there was none ever.
 *
 * @module
 */
import { messageOf, StorageError } from "../base/errors.ts";
import { unlessMissing } from "../base/system_error.ts";
import type { Log } from "../log/log.ts";
import { isCount, isJsonObject } from "../protocol/json.ts";
import { ArrivalIndex } from "./arrival_index.ts";
import { removeLeftovers, writeAtomically } from "./atomic_write.ts";
import { DATA_NAMES, type DataFolder, privateFolder } from "./data_folder.ts";
import { withStorageErrors } from "./failure.ts";
import { type FileSystem, joinPath } from "./file_system.ts";
import { isTransferId, MAX_DISPLAY_NAME, type TransferRecord } from "./journal_record.ts";
import { KnownFolder } from "./known_folder.ts";
import { readPrivateFile } from "./private_path.ts";
import { Serial } from "./serial.ts";
import { hasExactly, parseJson } from "./strict_json.ts";
import { type Job, Together } from "./together.ts";
import { isIdentity } from "./trust_file.ts";

/** Files in a block, and by that in an answer. */
export const FILES_PER_BLOCK = 64;
/** Files that are kept at least, however many arrive. */
export const KEPT_FILES = 10_000;
/** Longest block, in bytes: one with longer names and paths has fewer files. */
export const MAX_BLOCK_BYTES = 512 * 1024;
/** Longest path that a system takes, in bytes, and so in UTF-16 units. */
const MAX_PATH = 4096;
/** Readings and records that may wait. */
const MAX_PENDING = 128;
/** Blocks that are kept: the newest may hold one file. */
const MAX_BLOCKS = Math.ceil(KEPT_FILES / FILES_PER_BLOCK) + 1;

const BLOCK_NAME = /^([1-9]\d{0,14})\.json$/;
const FILE_ID = /^[0-9a-f]{8}-([1-9]\d{0,14})$/;

/** What is recorded of a file that has arrived. */
export interface Arrival {
  /** Id of the transfer that brought it, 32 lower-case hex digits: of the peer's choice. */
  readonly transferId: string;
  /** Identity key of the peer, 64 lower-case hex digits. */
  readonly peer: string;
  /** Name as offered, escaped. */
  readonly displayName: string;
  /** Where it was put: an absolute path. */
  readonly path: string;
  /** Its length in bytes. */
  readonly size: number;
  /** Its SHA-256, 64 lower-case hex digits. */
  readonly hash: string;
  /** When it was offered, in milliseconds since 1970. */
  readonly offeredAt: number;
  /** When it had its name, in milliseconds since 1970. */
  readonly arrivedAt: number;
}

/** What is recorded of a transfer that brought a file; undefined of one that did not. */
export function arrivalOf(
  record: TransferRecord,
  pathOf: (savedAs: string) => string,
): Arrival | undefined {
  const { transferId, peer, displayName, savedAs, size, hash, createdAt, updatedAt } = record;
  if (record.direction !== "receive" || record.state !== "completed") return undefined;
  if (savedAs === null || hash === null) return undefined;
  const path = pathOf(savedAs);
  return {
    ...{ transferId, peer, displayName, path, size, hash },
    ...{ offeredAt: createdAt, arrivedAt: updatedAt },
  };
}

/** A file that has arrived, with its place among all. */
export interface RecordedFile extends Arrival {
  /** `<8 hex digits of the run of the daemon>-<number>`; numbers count up by one. */
  readonly id: string;
}

/** A part of the record. */
export interface ReceivedPart {
  /** Files in the order of arriving. */
  readonly files: readonly RecordedFile[];
  /** Whether files between the position that was asked for and the first are not known any more. */
  readonly gap: boolean;
  /** The id of the file before the first: a position to go on from; undefined: the beginning. */
  readonly before: string | undefined;
  /** Whether there are files after the last. */
  readonly more: boolean;
}

/** Files that follow on each other, as one file of the folder holds them. */
export interface RecordBlock {
  /** Id of the file before the first; undefined: there was none ever. */
  readonly before: string | undefined;
  /** In the order of arriving. */
  readonly files: readonly RecordedFile[];
}

/** The number in an id; undefined when it is none. */
export function numberOfReceived(id: string): number | undefined {
  const number = FILE_ID.exec(id)?.[1];
  return number === undefined ? undefined : Number(number);
}

const FILE_KEYS = [
  ...["id", "transferId", "peer", "displayName", "path", "size", "hash", "offeredAt", "arrivedAt"],
];

function isReceivedFile(value: unknown, number: number): value is RecordedFile {
  if (!isJsonObject(value) || !hasExactly(value, FILE_KEYS)) return false;
  const { id, transferId, peer, displayName, path, size, hash, offeredAt, arrivedAt } = value;
  return typeof id === "string" && numberOfReceived(id) === number && isTransferId(transferId) &&
    isIdentity(peer) && isIdentity(hash) &&
    typeof displayName === "string" && displayName.length <= MAX_DISPLAY_NAME &&
    typeof path === "string" && path.length > 0 && path.length <= MAX_PATH &&
    isCount(size) && isCount(offeredAt) && isCount(arrivedAt);
}

/** What a block's bytes say; undefined when it is no block that begins with this number. */
export function parseBlock(bytes: Uint8Array, first: number): RecordBlock | undefined {
  const value = parseJson(bytes);
  if (!isJsonObject(value) || !hasExactly(value, ["version", "before", "files"])) return undefined;
  const { version, before, files } = value;
  const follows = before === null
    ? first === 1
    : typeof before === "string" && numberOfReceived(before) === first - 1;
  if (version !== 1 || !follows || !Array.isArray(files)) return undefined;
  if (files.length === 0 || files.length > FILES_PER_BLOCK) return undefined;
  if (!files.every((file, i) => isReceivedFile(file, first + i))) return undefined;
  return { before: before === null ? undefined : String(before), files };
}

function formatBlock({ before, files }: RecordBlock): Uint8Array {
  const value = { version: 1, before: before ?? null, files };
  return new TextEncoder().encode(`${JSON.stringify(value)}\n`);
}

/** A block as it is to be written, with the first so many of those that wait. */
interface NextBlock {
  /** Number of its first file. */
  readonly first: number;
  readonly block: RecordBlock;
  readonly bytes: Uint8Array;
  readonly count: number;
}

/** Options of {@linkcode ReceivedFiles.open}. */
export interface ReceivedFilesOptions {
  /** Most blocks that are kept. @default {enough for KEPT_FILES} */
  readonly maxBlocks?: number;
  /** Tells the ids of this run from those of another, 8 hex digits. @default {random} */
  readonly run?: string;
  /** Told of old blocks that can't be removed. */
  readonly log?: Log;
}

/** The record of files that have arrived. */
export class ReceivedFiles {
  readonly #fs: FileSystem;
  readonly #folder: KnownFolder;
  readonly #uid: number | null;
  readonly #maxBlocks: number;
  readonly #run: string;
  readonly #log: Log | undefined;
  readonly #serial = new Serial(MAX_PENDING);
  readonly #arrivals = new Together<Arrival, void>(
    this.#serial,
    MAX_PENDING,
    (all) => this.#recordAll(all),
  );
  /** First numbers of the blocks on disk, ascending; the last one's is that of `#newest`. */
  #firsts: readonly number[];
  #newest: RecordBlock;
  /** Of all blocks but the newest, which is at hand; made when it is first needed. */
  #index: ArrivalIndex | undefined;

  private constructor(
    fs: FileSystem,
    folder: KnownFolder,
    uid: number | null,
    options: ReceivedFilesOptions,
    firsts: readonly number[],
  ) {
    this.#fs = fs;
    this.#folder = folder;
    this.#uid = uid;
    this.#maxBlocks = options.maxBlocks ?? MAX_BLOCKS;
    this.#run = options.run ?? crypto.getRandomValues(new Uint8Array(4)).toHex();
    this.#log = options.log;
    this.#firsts = firsts;
    this.#newest = { before: undefined, files: [] };
  }

  /**
   * Opens the record of a locked data folder, or begins one.
   *
   * @throws {StorageError} `RECEIVED_INVALID`, `MODE_TOO_OPEN`, `OWNER_FOREIGN`, or a failure of the
   * file system. The files are left as they are.
   */
  static async open(
    fs: FileSystem,
    folder: DataFolder,
    options: ReceivedFilesOptions = {},
  ): Promise<ReceivedFiles> {
    const path = joinPath(folder.path, DATA_NAMES.received);
    return await withStorageErrors(`use ${path}`, async () => {
      await privateFolder(fs, path, folder.uid);
      await fs.syncFolder(folder.path);
      await removeLeftovers(fs, path, { has: (name) => BLOCK_NAME.test(name) });
      const firsts: number[] = [];
      for await (const name of fs.names(path)) {
        const first = BLOCK_NAME.exec(name)?.[1];
        if (first !== undefined) firsts.push(Number(first));
      }
      firsts.sort((a, b) => a - b);
      const known = await KnownFolder.open(fs, path);
      const files = new ReceivedFiles(fs, known, folder.uid, options, firsts);
      const newest = firsts.at(-1);
      const block = newest === undefined ? undefined : await files.#read(newest);
      if (block !== undefined) files.#newest = block;
      return files;
    });
  }

  /**
   * Records a file that has its name in the inbox. On disk when it resolves. Those that wait
   * meanwhile are written together.
   *
   * @throws {StorageError} On a failure to write, after which it may or may not be recorded.
   */
  record(arrival: Arrival): Promise<void> {
    return this.#arrivals.run(arrival);
  }

  async #recordAll(all: readonly Job<Arrival, void>[]): Promise<void> {
    for (let left = all; left.length > 0;) {
      const { first, block, bytes, count } = this.#nextBlock(left.map(({ item }) => item));
      await this.#write(first, bytes);
      const [before, filled] = [this.#firsts.at(-1), this.#newest.files];
      this.#newest = block;
      if (first !== before) {
        if (before !== undefined) this.#index?.put(before, filled);
        this.#firsts = [...this.#firsts, first];
        await this.#removeOld();
      }
      for (const { resolve } of left.slice(0, count)) resolve();
      left = left.slice(count);
    }
  }

  /** The newest block with as many of these as it has room for, else a new one. */
  #nextBlock(arrivals: readonly Arrival[]): NextBlock {
    const next = this.#lastNumber + 1;
    const files = arrivals.slice(0, FILES_PER_BLOCK)
      .map((arrival, i): RecordedFile => ({ id: `${this.#run}-${next + i}`, ...arrival }));
    const { before, files: known } = this.#newest;
    const room = FILES_PER_BLOCK - known.length;
    const newest = this.#firsts.at(-1);
    if (newest !== undefined && room > 0) {
      for (const count of new Set([Math.min(files.length, room), 1])) {
        const block = { before, files: [...known, ...files.slice(0, count)] };
        const bytes = formatBlock(block);
        if (bytes.length <= MAX_BLOCK_BYTES) return { first: newest, block, bytes, count };
      }
    }
    const own = (count: number): NextBlock => {
      const block = { before: known.at(-1)?.id, files: files.slice(0, count) };
      return { first: next, block, bytes: formatBlock(block), count };
    };
    const all = own(files.length);
    return all.bytes.length <= MAX_BLOCK_BYTES ? all : own(1);
  }

  /**
   * Whether this arrival is recorded: a crash may have come between it and the journal.
   *
   * @throws {StorageError} When a block can't be read.
   */
  has({ transferId, peer, offeredAt }: Arrival): Promise<boolean> {
    return this.#serial.run(async () => {
      for (const first of this.#firsts.toReversed()) {
        const block = await this.#blockAt(first);
        const isIt = (file: RecordedFile) =>
          file.transferId === transferId && file.peer === peer && file.offeredAt === offeredAt;
        if (block?.files.some(isIt)) return true;
      }
      return false;
    });
  }

  /**
   * The last file that a peer's transfer has brought, if it was this one. Reads one block at most,
   * but for the first call, which reads all. What can't be read is as good as not recorded.
   */
  find(wanted: Pick<Arrival, "transferId" | "peer" | "size" | "hash">): Promise<
    RecordedFile | undefined
  > {
    const isOf = ({ transferId, peer }: Arrival) =>
      transferId === wanted.transferId && peer === wanted.peer;
    return this.#serial.run(async () => {
      let last = this.#newest.files.findLast(isOf);
      const blocks = last === undefined ? (await this.#indexed()).blocksOf(wanted) : [];
      for (const first of blocks) {
        last ??= (await this.#readable(first))?.files.findLast(isOf);
      }
      return last?.size === wanted.size && last.hash === wanted.hash ? last : undefined;
    });
  }

  /**
   * The files after a position, as many as stand in one block.
   *
   * @param after Id of a file; undefined for the oldest that is kept. One that is not known (its
   * file was pushed out, or the record is another) gives a gap and then the oldest.
   * @throws {StorageError} When a block can't be read.
   */
  after(after: string | undefined): Promise<ReceivedPart> {
    return this.#serial.run(async () => {
      const known = after === undefined ? undefined : await this.#numberAfter(after);
      const gap = after !== undefined && known === undefined;
      return await this.#from(known ?? this.#firsts[0] ?? 1, gap);
    });
  }

  get #lastNumber(): number {
    return (this.#firsts.at(-1) ?? 1) + this.#newest.files.length - 1;
  }

  /** The number after that of `id`; undefined when no file of this id is known. */
  async #numberAfter(id: string): Promise<number | undefined> {
    const number = numberOfReceived(id);
    if (number === undefined) return undefined;
    const within = this.#firsts.findLast((first) => first <= number);
    if (within !== undefined) {
      const block = await this.#blockAt(within);
      if (block?.files[number - within]?.id === id) return number + 1;
    }
    // The last of a block that was pushed out.
    const next = this.#firsts.find((first) => first === number + 1);
    const before = next === undefined ? undefined : (await this.#blockAt(next))?.before;
    return before === id ? number + 1 : undefined;
  }

  async #from(number: number, gap: boolean): Promise<ReceivedPart> {
    const last = this.#lastNumber;
    const first = this.#firsts.findLast((first) => first <= number) ?? number;
    const block = await this.#blockAt(first);
    const files = block?.files.slice(number - first) ?? [];
    if (files.length === 0 && number <= last) {
      // Files between two blocks are gone: somebody has removed a block.
      const next = this.#firsts.find((first) => first > number);
      if (next !== undefined) return await this.#from(next, true);
    }
    const before = number === first ? block?.before : block?.files[number - first - 1]?.id;
    return { files, gap, before, more: number + files.length <= last };
  }

  async #indexed(): Promise<ArrivalIndex> {
    if (this.#index !== undefined) return this.#index;
    const index = new ArrivalIndex(crypto.getRandomValues(new Uint8Array(16)));
    for (const first of this.#firsts.slice(0, -1)) {
      index.put(first, (await this.#readable(first))?.files ?? []);
    }
    return this.#index = index;
  }

  async #readable(first: number): Promise<RecordBlock | undefined> {
    try {
      return await this.#read(first);
    } catch (error) {
      this.#log?.warn("a list of files that arrived could not be read", {
        path: this.#pathOf(first),
        reason: messageOf(error),
      });
      return undefined;
    }
  }

  async #blockAt(first: number): Promise<RecordBlock | undefined> {
    return first === this.#firsts.at(-1) ? this.#newest : await this.#read(first);
  }

  async #read(first: number): Promise<RecordBlock | undefined> {
    const path = this.#pathOf(first);
    const advice =
      "put back a copy of it, or move it away: files that arrived are then not told of";
    const rules = { uid: this.#uid, limit: MAX_BLOCK_BYTES, advice };
    const bytes = await readPrivateFile(this.#fs, path, { ...rules, invalid: "RECEIVED_INVALID" });
    if (bytes === undefined) return undefined;
    const block = parseBlock(bytes, first);
    if (block !== undefined) return block;
    throw new StorageError("RECEIVED_INVALID", `${path} is damaged: ${advice}`);
  }

  async #write(first: number, bytes: Uint8Array): Promise<void> {
    await writeAtomically(this.#fs, this.#folder, nameOf(first), bytes);
  }

  /** What can't be removed is tried again with the next block. */
  async #removeOld(): Promise<void> {
    for (const first of this.#firsts.slice(0, -this.#maxBlocks)) {
      try {
        await unlessMissing(this.#fs.remove(this.#pathOf(first)));
        this.#firsts = this.#firsts.filter((other) => other !== first);
        this.#index?.delete(first);
      } catch (error) {
        this.#log?.warn("an old list of files that arrived could not be removed", {
          path: this.#pathOf(first),
          reason: messageOf(error),
        });
      }
    }
  }

  #pathOf(first: number): string {
    return joinPath(this.#folder.path, nameOf(first));
  }
}

const nameOf = (first: number): string => `${first}.json`;
